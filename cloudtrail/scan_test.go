package cloudtrail_test

import (
	"maps"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

const (
	keyARN   = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	otherARN = "arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
)

// now is the clock of all scans in tests.
var now = time.Date(2026, time.November, 16, 9, 0, 0, 0, time.UTC)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

// scan reads fsys and must succeed.
func scan(t *testing.T, fsys fstest.MapFS, opts ...func(*cloudtrail.ScanOptions)) *cloudtrail.LogHistory {
	t.Helper()
	opts = append([]func(*cloudtrail.ScanOptions){func(o *cloudtrail.ScanOptions) { o.Now = func() time.Time { return now } }}, opts...)
	h, err := cloudtrail.Scan(t.Context(), fsys, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// The example of AWS and the answer that facts/README.md states.
// https://docs.aws.amazon.com/kms/latest/developerguide/services-s3.html
func TestTheExampleOfAnS3ObjectGivesTheAnswerStatedForIt(t *testing.T) {
	h, err := cloudtrail.Scan(t.Context(), os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	keys := maps.Collect(h.Keys())
	r, ok := keys[keyARN]
	if !ok || len(keys) != 1 || len(h.Gaps()) != 0 {
		t.Fatalf("keys %v, gaps %v", keys, h.Gaps())
	}
	if r.First == nil || !r.First.At.Equal(at("2015-09-10T23:58:18Z")) || r.First.Operation != "GenerateDataKey" {
		t.Errorf("first use %+v", r.First)
	}
	if r.Last == nil || !r.Last.At.Equal(at("2015-09-10T23:58:39Z")) || r.Last.Operation != "Decrypt" {
		t.Fatalf("last use %+v", r.Last)
	}
	if r.Last.Role != "arn:aws:iam::111122223333:role/Admins" || r.Last.Principal != "arn:aws:sts::111122223333:assumed-role/Admins/example-user" {
		t.Errorf("principal %q, role %q", r.Last.Principal, r.Last.Role)
	}
	const object = "arn:aws:s3:::example_bucket/example_object"
	if r.Last.Context["aws:s3:arn"] != object {
		t.Errorf("encryption context %v", r.Last.Context)
	}
	if len(r.Contexts) != 1 || r.Contexts[0] != (usage.ContextSeen{Key: "aws:s3:arn", Value: object, Count: 2}) {
		t.Errorf("contexts %v", r.Contexts)
	}
	if !maps.Equal(r.Operations, map[string]int{"GenerateDataKey": 1, "Decrypt": 1}) || len(r.Errors) != 0 || len(r.Refusals) != 0 {
		t.Errorf("operations %v, errors %v, refusals %v", r.Operations, r.Errors, r.Refusals)
	}
	if r.Last.EventID != "ae551b19-8a09-4cfc-a249-205ddba330e3" || r.Last.InvokedBy != "internal.amazonaws.com" {
		t.Errorf("last %+v", r.Last)
	}
	rec, err := h.Look(t.Context(), usage.Finding{ARN: keyARN})
	if err != nil || rec.Last == nil || len(rec.Coverage) != 0 {
		t.Errorf("Look gives %+v, %v; want the use, and no coverage, since a file out of place proves no absence", rec, err)
	}
}

func TestAGeneratedArchiveGivesTheTruthOfItsGenerator(t *testing.T) {
	fsys, truth := archive.Spec{Files: 40, Records: 300, Keys: 40}.FS()
	for name, workers := range map[string]int{"with one worker": 1, "with four": 4} {
		t.Run(name, func(t *testing.T) {
			h, err := cloudtrail.Scan(t.Context(), fsys, func(o *cloudtrail.ScanOptions) { o.Workers = workers })
			if err != nil || len(h.Gaps()) != 0 {
				t.Fatal(err, h.Gaps())
			}
			if s := h.Stats(); s.Records != truth.Records || s.KMS != truth.KMS || s.Bytes != truth.Bytes || s.Keys != len(truth.Keys) || s.Duplicates != 0 {
				t.Errorf("stats %+v", s)
			}
			for arn, want := range truth.Keys {
				got, ok := h.Key(arn)
				if !ok || !maps.Equal(got.Operations, want.Operations) || len(want.Errors) > 0 && !maps.Equal(got.Errors, want.Errors) {
					t.Fatalf("%s: %+v, want %+v", arn, got, want)
				}
				if got.First == nil != want.First.IsZero() || got.First != nil && !got.First.At.Equal(want.First) {
					t.Errorf("%s: first %+v, want %v", arn, got.First, want.First)
				}
				if got.Last == nil != want.Last.IsZero() || got.Last != nil &&
					(!got.Last.At.Equal(want.Last) || got.Last.EventID != want.LastEventID || got.Last.Operation != want.LastOperation) {
					t.Errorf("%s: last %+v, want %+v", arn, got.Last, want)
				}
				if n := len(got.Refusals) + got.Dropped.Refusals; n != want.Refusals {
					t.Errorf("%s: %d refusals, want %d", arn, n, want.Refusals)
				}
			}
			if len(h.Coverage()) != 2 {
				t.Errorf("coverage %v", h.Coverage())
			}
		})
	}
}
