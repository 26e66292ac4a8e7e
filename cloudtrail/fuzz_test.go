package cloudtrail

import (
	"encoding/json"
	"maps"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage"
)

// fuzzNow is the clock of the fuzz test.
var fuzzNow = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)

// seeds are the shapes that a file can have, legal and not.
func seeds(tb testing.TB) [][]byte {
	tb.Helper()
	example, err := os.ReadFile("testdata/kms-s3-example-events.json")
	if err != nil {
		tb.Fatal(err)
	}
	const (
		arn = `arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`
		two = `arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321`
		use = `{"eventTime":"2026-03-01T12:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"1","resources":[{"ARN":"` + arn + `"}]}`
	)
	escaped, err := json.Marshal(use)
	if err != nil {
		tb.Fatal(err)
	}
	out := [][]byte{example}
	for _, s := range []string{
		`{"Records":[` + use + `]}`,
		`{"Records":[` + use + `,` + use + `]}` + "\n",
		`[` + use + `]`,
		use + "\n" + use,
		"\ufeff" + use,
		`{"Events":[{"EventId":"1","CloudTrailEvent":` + string(escaped) + `,"Resources":[]}],"NextToken":"x"}`,
		`{"a":{"b":[1,2,{"c":"}]\""}]},"Records":[` + use + `],"z":"\\"}`,
		`{"\u0052ecords":[{"event\u0053ource":"kms.\u0061mazonaws.com","eventName":"Encrypt","eventTime":"2026-03-01T12:00:00.5+02:00","resources":[{"arn":"` + arn + `"}]}]}`,
		`{"Records":[{"eventSource":"s3.amazonaws.com","eventSource":"kms.amazonaws.com","eventName":"Sign","eventTime":"2026-02-28T23:59:59Z","requestParameters":{"keyId":"` + arn + `","encryptionContext":{"k":"v","k":"w","n":1}}}]}`,
		`{"Records":[{"x":"\"eventSource\":\"kms.amazonaws.com\"","eventSource":"ec2.amazonaws.com"}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"ReEncrypt","eventTime":"2026-03-01T12:00:00Z","requestParameters":{"destinationKeyId":"` + two + `","sourceKeyId":"` + arn + `"},"resources":null}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventTime":"2026-03-01T12:00:00Z","errorCode":"DisabledException","errorMessage":"` + arn + ` is disabled.","userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"r"}},"invokedBy":"s","arn":"p"}}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"GetPublicKey","eventTime":"2026-03-01T12:00:00Z","sourceIPAddress":"rds.amazonaws.com","resources":[{},{"ARN":"alias"},null,{"ARN":"` + arn + `","arn":"` + two + `"}]}]}`,
		`{"Records":[null,1,"x",[],{}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"CreateKey","eventTime":"2026-03-01T12:00:00Z","responseElements":{"keyMetadata":{"arn":"` + arn + `"}}},{"eventSource":"kms.amazonaws.com","eventName":"ReplicateKey","eventTime":"2026-03-01T12:00:01Z","resources":[{"ARN":"` + two + `"}],"responseElements":{"replicaKeyMetadata":{"arn":"` + arn + `"}}}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"DisableKey","eventTime":"2026-03-01T12:00:00Z","responseElements":{"keyId":"` + arn + `"}},{"eventSource":"kms.amazonaws.com","eventName":"EnableKey","eventTime":"2026-03-01T12:00:01Z","resources":[{"ARN":"` + arn + `"}]}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"ReEncrypt","eventTime":"2026-03-01T12:00:00Z","resources":[{"ARN":"` + two + `"}],"requestParameters":{"sourceKeyId":"` + arn + `","sourceEncryptionContext":{"a":"b"},"destinationEncryptionContext":{"a":"c"}}}]}`,
		`{"Records":[{"eventSource":"kms.amazonaws.com","eventName":"CreateGrant","eventTime":"2026-03-01T12:00:00Z","errorCode":"DisabledException","errorMessage":"` + arn + ` is disabled.","requestParameters":{"constraints":{"encryptionContextSubset":{"aws:ebs:id":"vol-1"}}}}]}`,
		`{"Records":[` + use + `,{"eventSource": oops}]}`,
		`{"Records":[` + use + `,{"a":{"b":]}}`,
		`{"Records":[` + use,
		`{}`, ``, `[]`, `[[]]`, `1`, `{"Records":{}}`, `{"Records":[]}{"Records":[]}`, `{"a" "b"}`, `{"a":1,}`, `{,}`,
		"{\"Records\":[\n  {\n    \"eventSource\" : \"kms.amazonaws.com\"\t,\r\n \"eventName\":\"\xff\" , \"eventTime\":\"2026-03-01T12:00:00Z\", \"resources\" : [ { \"ARN\" : \"" + arn + "\" } ] } ] }",
	} {
		out = append(out, []byte(s))
	}
	return out
}

// FuzzScan holds the scanner to a plain reading of the same bytes.
func FuzzScan(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		want, valid := reference(content)
		h := scanContent(t, content)
		got := maps.Collect(h.Keys())
		if !valid {
			atLeast(t, got, want)
			return
		}
		for _, g := range h.Gaps() {
			// Valid JSON can hold things that are no records, or have no good time.
			if g.Reason != NoRecords && g.Reason != Truncated && want.odd == 0 {
				t.Errorf("a gap of good records: %v", g)
			}
		}
		sameKeys(t, got, want)
	})
}

// FuzzLegalRecords is FuzzScan for files that are all valid, in all the ways in
// which CloudTrail, or those who pass its records on, could write them.
func FuzzLegalRecords(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		content := newAwkward(seed).file()
		want, valid := reference(content)
		if !valid {
			t.Fatalf("not valid: %s", content)
		}
		h := scanContent(t, content)
		odd := 0
		for _, g := range h.Gaps() {
			if g.Reason != NoRecords {
				odd += g.Count
			}
		}
		if odd != want.odd {
			t.Errorf("%d odd records, want %d: gaps %v", odd, want.odd, h.Gaps())
		}
		if n := h.Stats().Unattributed; n != want.unattributed {
			t.Errorf("%d unattributed, want %d", n, want.unattributed)
		}
		sameKeys(t, maps.Collect(h.Keys()), want)
		if t.Failed() {
			t.Logf("%.4000s", content)
		}
	})
}

// scanContent scans one file.
func scanContent(t *testing.T, content []byte) *LogHistory {
	t.Helper()
	h, err := Scan(t.Context(), fstest.MapFS{"a.json": {Data: content}}, func(o *ScanOptions) {
		o.Workers, o.Now = 1, func() time.Time { return fuzzNow }
		o.Refusals, o.Contexts = 1000, 1000
		o.DedupeWindow = 1 << 16
		o.firstBuffer = 100 // so that records cross its end
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func sameKeys(t *testing.T, got map[string]usage.Record, want *referenceHistory) {
	t.Helper()
	if len(got) != len(want.keys) {
		t.Fatalf("%d keys, want %d", len(got), len(want.keys))
	}
	for arn, w := range want.keys {
		sameKey(t, arn, got[arn], w)
	}
}

// atLeast checks that nothing is missing of the valid beginning of a file.
func atLeast(t *testing.T, got map[string]usage.Record, want *referenceHistory) {
	t.Helper()
	for arn, w := range want.keys {
		g, ok := got[arn]
		if !ok {
			t.Errorf("%s is missing", arn)
		}
		if w.last != nil && (g.Last == nil || g.Last.At.Before(w.last.At)) {
			t.Errorf("%s: last use %v, want %v or later", arn, g.Last, w.last)
		}
		for op, n := range w.operations {
			if g.Operations[op] < n {
				t.Errorf("%s: %d of %s, want %d", arn, g.Operations[op], op, n)
			}
		}
	}
}

func sameKey(t *testing.T, arn string, g usage.Record, w *referenceKey) {
	t.Helper()
	if g.Dropped == (usage.Dropped{}) {
		for _, m := range []struct {
			name      string
			got, want map[string]int
		}{
			{"operations", g.Operations, w.operations}, {"errors", g.Errors, w.errors}, {"services", g.Services, w.services},
		} {
			if !maps.Equal(m.got, m.want) {
				t.Errorf("%s: %s %v, want %v", arn, m.name, m.got, m.want)
			}
		}
		if c := contextsOf(g); !maps.Equal(c, w.contexts) {
			t.Errorf("%s: contexts %v, want %v", arn, c, w.contexts)
		}
	}
	for _, e := range []struct {
		name      string
		got, want *usage.Event
	}{
		{"first", g.First, w.first}, {"last", g.Last, w.last}, {"public key", g.PublicKey, w.publicKey}, {"created", g.Created, w.created},
	} {
		switch {
		case (e.got == nil) != (e.want == nil):
			t.Errorf("%s: %s %v, want %v", arn, e.name, e.got, e.want)
		case e.got != nil && !e.got.At.Equal(e.want.At):
			t.Errorf("%s: %s at %v, want %v", arn, e.name, e.got.At, e.want.At)
		}
	}
	if want, ok := w.off(); ok && ((g.Off == nil) != (want == nil) || want != nil && (!g.Off.At.Equal(want.At) || g.Off.Operation != want.Operation)) {
		t.Errorf("%s: off %v, want %v", arn, g.Off, want)
	}
	// Copies are one refusal, however often they are there.
	ids := map[string]bool{}
	distinct := 0
	for _, r := range w.refusals {
		if r.EventID == "" || !ids[r.EventID] {
			distinct++
		}
		ids[r.EventID] = true
	}
	if len(g.Refusals)+g.Dropped.Refusals != distinct {
		t.Errorf("%s: %d refusals and %d dropped, want %d", arn, len(g.Refusals), g.Dropped.Refusals, distinct)
	}
}
