package cloudtrail_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

const (
	onKey   = `"resources":[{"ARN":"` + keyARN + `"}]`
	onOther = `"resources":[{"ARN":"` + otherARN + `"}]`
	onBoth  = `"resources":[{"ARN":"` + keyARN + `"},{"ARN":"` + otherARN + `"}]`
	appARN  = "arn:aws:kms:us-west-2:111122223333:alias/app"
)

func TestADayWithACallThatDoesNotNameAllItsKeysIsBlind(t *testing.T) {
	const disabled = `"errorCode":"DisabledException","errorMessage":"It is disabled."`
	request := func(source, destination string) string {
		return fmt.Sprintf(`"requestParameters":{"sourceKeyId":%q,"destinationKeyId":%q}`, source, destination)
	}
	for name, tt := range map[string]struct {
		record string
		blind  bool
	}{
		"a use without a key":                                   {kmsRecord("Decrypt"), true},
		"a refusal without a key":                               {kmsRecord("Decrypt", disabled), true},
		"a failed call without a key":                           {kmsRecord("Decrypt", `"errorCode":"AccessDenied"`), false},
		"DescribeKey without a key":                             {kmsRecord("DescribeKey"), false},
		"GetPublicKey of an alias":                              {kmsRecord("GetPublicKey", `"requestParameters":{"keyId":"`+appARN+`"}`), true},
		"GetPublicKey of an alias, denied":                      {kmsRecord("GetPublicKey", `"errorCode":"AccessDenied"`), false},
		"GetPublicKey of a key":                                 {kmsRecord("GetPublicKey", onKey), false},
		"ReEncrypt that names both":                             {kmsRecord("ReEncrypt", onBoth), false},
		"ReEncrypt whose destination is an alias":               {kmsRecord("ReEncrypt", onKey, request(keyARN, appARN)), true},
		"ReEncrypt whose source is nowhere":                     {kmsRecord("ReEncrypt", `"requestParameters":{"destinationKeyId":"`+keyARN+`"}`), true},
		"ReEncrypt with one key, refused":                       {kmsRecord("ReEncrypt", onKey, disabled), true},
		"ReEncrypt with one key, denied":                        {kmsRecord("ReEncrypt", onKey, `"errorCode":"AccessDenied"`), false},
		"ReEncrypt from a key to itself":                        {kmsRecord("ReEncrypt", onKey, request(keyARN, keyARN)), false},
		"ReEncrypt from an alias to itself":                     {kmsRecord("ReEncrypt", onKey, request(appARN, appARN)), false},
		"ReEncrypt whose resources hold one key twice":          {kmsRecord("ReEncrypt", `"resources":[{"ARN":"`+keyARN+`"},{"ARN":"`+keyARN+`"}]`, request("", "")), false},
		"ReEncrypt whose resources hold a key and an alias":     {kmsRecord("ReEncrypt", `"resources":[{"ARN":"`+keyARN+`"},{"ARN":"`+appARN+`"}]`), true},
		"ReEncrypt of which both are not given is of one known": {kmsRecord("ReEncrypt", onKey, request("", "")), true},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := wholeDays(3, func(int) bool { return false })
			fsys[delivered(2, 12)] = file(packed(wrapped(strings.Replace(tt.record, "2026-03-01T", "2026-03-02T", 1))))
			h := scan(t, fsys)
			if got := blindAt(h, "2026-03-02T12:00:00Z"); got != tt.blind || len(h.Gaps()) > 0 {
				t.Errorf("blind: %v, gaps %v: %+v", got, h.Gaps(), h.Coverage())
			}
			if blindAt(h, "2026-03-03T12:00:00Z") {
				t.Errorf("the day after is blind too: %+v", h.Coverage())
			}
			if n := h.Stats().Unattributed; tt.blind && n != 1 {
				t.Errorf("%d unattributed", n)
			}
		})
	}
}

// blindAt tells whether the archive does not say for certain what happened then.
func blindAt(h *cloudtrail.LogHistory, when string) bool {
	return !slices.ContainsFunc(h.Coverage(), func(c usage.Coverage) bool {
		return !at(when).Before(c.From) && at(when).Before(c.To) && c.BlindSpots != nil && len(c.BlindSpots) == 0
	})
}

func TestARecordThatDoesNotTellWhetherTheCallFailedIsAGapAndNoUse(t *testing.T) {
	for name, tt := range map[string]struct {
		members string
		known   bool
	}{
		"a number":                         {`"errorCode":403`, false},
		"an array":                         {`"errorCode":["DisabledException"]`, false},
		"an object":                        {`"errorCode":{}`, false},
		"false":                            {`"errorCode":false`, false},
		"a text with an unknown escape":    {`"errorCode":"Disabled\qException"`, false},
		"a message without a code":         {`"errorMessage":"` + keyARN + ` is disabled."`, false},
		"a message beside an empty code":   {`"errorCode":"","errorMessage":"x"`, false},
		"a message that is none":           {`"errorMessage":{"a":1}`, false},
		"an empty message without a code":  {`"errorMessage":""`, true},
		"neither, written out":             {`"errorCode":null,"errorMessage":null`, true},
		"a code with a message of a kind":  {`"errorCode":"DisabledException","errorMessage":7`, true},
		"a code that no AWS service sends": {"\"errorCode\":\"a\x01b\"", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range []string{"Decrypt", "GetPublicKey", "CreateGrant", "DisableKey"} {
				h := scanRecords(t, use("1"), kmsRecord(op, onOther, tt.members))
				r, known := h.Key(otherARN)
				gaps := h.Gaps()
				if known != tt.known || tt.known != (len(gaps) == 0) {
					t.Errorf("%s: %+v, gaps %v", op, r, gaps)
				}
				if !tt.known && (len(gaps) != 1 || gaps[0].Reason != cloudtrail.NoOutcome || gaps[0].Record != 2) {
					t.Errorf("%s: gaps %v", op, gaps)
				}
				if _, ok := h.Key(keyARN); !ok {
					t.Errorf("%s: the record before is lost", op)
				}
			}
		})
	}
}

func TestOfARecordWithVeryManyKeysTheFirstCountAndTheRestIsAGap(t *testing.T) {
	many := func(n int) string {
		rs := make([]string, n)
		for i := range rs {
			rs[i] = fmt.Sprintf(`{"ARN":"arn:aws:kms:us-west-2:111122223333:key/%08d"}`, i)
		}
		return `"resources":[` + strings.Join(rs, ",") + `]`
	}
	context := `"requestParameters":{"encryptionContext":{"a":"` + strings.Repeat("x", 32000) + `"}}`
	for _, tt := range []struct{ named, keys int }{{2, 2}, {16, 16}, {17, 16}, {20_000, 16}} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(kmsRecord("Decrypt", many(tt.named), context))))}, func(o *cloudtrail.ScanOptions) { o.Workers = 1 })
		runtime.GC()
		runtime.ReadMemStats(&after)
		gaps := h.Gaps()
		if h.Stats().Keys != tt.keys || (len(gaps) == 1) != (tt.named > tt.keys) || len(gaps) == 1 && gaps[0].Reason != cloudtrail.CrowdedCall {
			t.Errorf("%d named: %d keys, gaps %v", tt.named, h.Stats().Keys, gaps)
		}
		if r, _ := h.Key("arn:aws:kms:us-west-2:111122223333:key/00000001"); r.Last == nil {
			t.Errorf("%d named: %+v", tt.named, r)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 4<<20 { //nolint:gosec // far below
			t.Errorf("%d named: %d bytes are kept", tt.named, grown)
		}
	}
}

func TestAnEncryptionContextTooLargeToKeepIsLeftOutOfTheEventAndCounted(t *testing.T) {
	for _, tt := range []struct {
		size int
		kept bool
	}{{4000, true}, {5000, false}} {
		value := strings.Repeat("x", tt.size)
		r, _ := scanRecords(t, use("1", `"requestParameters":{"encryptionContext":{"app":"a","x":"`+value+`"}}`)).Key(keyARN)
		if got := r.Last.Context["x"] == value && r.Last.Context["app"] == "a"; got != tt.kept || !tt.kept && r.Last.Context != nil {
			t.Errorf("%d bytes: kept %v, %d pairs", tt.size, got, len(r.Last.Context))
		}
		if len(r.Contexts) != 2 {
			t.Errorf("%d bytes: %d pairs are counted", tt.size, len(r.Contexts))
		}
	}
}

func TestARefusalIsThatOfTheKeyThatItsMessageNames(t *testing.T) {
	const third = "arn:aws:kms:us-west-2:111122223333:key/1234abcd"
	for name, tt := range map[string]struct {
		message      string
		first, other int
	}{
		"the source":               {keyARN + " is disabled.", 1, 0},
		"the destination":          {otherARN + " is pending deletion.", 0, 1},
		"both":                     {keyARN + " and " + otherARN + " are disabled.", 1, 1},
		"none":                     {"A key is disabled.", 1, 1},
		"a key that is none of it": {third + " is disabled.", 1, 1}, // the beginning of another ARN
	} {
		t.Run(name, func(t *testing.T) {
			h := scanRecords(t, kmsRecord("ReEncrypt", onBoth, fmt.Sprintf(`"errorCode":"DisabledException","errorMessage":%q`, tt.message)))
			first, _ := h.Key(keyARN)
			other, _ := h.Key(otherARN)
			if len(first.Refusals) != tt.first || len(other.Refusals) != tt.other {
				t.Errorf("%d and %d refusals", len(first.Refusals), len(other.Refusals))
			}
			if first.Errors["DisabledException"] != 1 || other.Errors["DisabledException"] != 1 || first.Last != nil || other.Last != nil {
				t.Errorf("it failed for both: %+v, %+v", first, other)
			}
		})
	}
}

func TestARecordBesideAnArrayOfRecordsIsAGap(t *testing.T) {
	event, err := json.Marshal(use("2"))
	if err != nil {
		t.Fatal(err)
	}
	rest := strings.TrimPrefix(use("1"), "{")
	for name, tt := range map[string]struct {
		content    string
		uses, gaps int
	}{
		"before the array":                   {`{"eventSource":"kms.amazonaws.com","Events":[` + use("2") + `],"x":1}`, 1, 1},
		"behind the array":                   {`{"Events":[],` + rest, 0, 1},
		"before and behind":                  {`{"eventSource":"kms.amazonaws.com","Records":[],` + rest, 0, 1},
		"a name that is written with escape": {`{"Records":[],"event\u0053ource":"x"}`, 0, 1},
		"a record of a look-up":              {`{"Events":[],"CloudTrailEvent":` + string(event) + `}`, 0, 1},
		"an array by another name":           {`{"events":[],` + rest, 1, 0},
		"no array":                           {`{"Events":{},` + rest, 1, 0},
		"several files in an array":          {`[` + wrapped(use("1")) + `,` + wrapped(use("2"), use("3")) + `,` + use("4") + `]`, 4, 0},
		"an answer in an array":              {`[{"NextToken":"t","Events":[{"CloudTrailEvent":` + string(event) + `}]}]`, 1, 0},
		"a record with an array in an array": {`[{"Records":[` + use("2") + `],` + rest + `]`, 1, 1},
		"files in a file":                    {wrapped(wrapped(use("1")), use("2")), 1, 1},
		"files in a file in an array":        {`[` + wrapped(wrapped(use("1")), use("2")) + `]`, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			h := scan(t, fstest.MapFS{"a.json": file([]byte(tt.content))})
			r, _ := h.Key(keyARN)
			count := 0
			for _, g := range h.Gaps() {
				if count += g.Count; g.Reason != cloudtrail.NoRecord {
					t.Errorf("gap %v", g)
				}
			}
			if r.Operations["Decrypt"] != tt.uses || count != tt.gaps {
				t.Errorf("%d uses, gaps %v", r.Operations["Decrypt"], h.Gaps())
			}
		})
	}
}

func TestOfAChangeOfATrailNoMoreIsKeptThanOfOtherTexts(t *testing.T) {
	long := strings.Repeat("r", 1<<20)
	h := scanRecords(t, fmt.Sprintf(`{"eventTime":"2026-03-02T10:00:00Z","eventSource":"cloudtrail.amazonaws.com","eventName":"StopLogging","awsRegion":%q,"recipientAccountId":%q}`, long, long))
	if c := h.TrailChanges(); len(c) != 1 || len(c[0].Region) > 4096 || len(c[0].Account) > 4096 {
		t.Errorf("%d changes", len(c))
	}
}

func TestWhatAPathTellsIsNotAskedOfTheRecords(t *testing.T) {
	for name, tt := range map[string]struct {
		path            string
		account, region string // of the second and of the third record
		uses            int
	}{
		"a path that tells account and Region":   {delivered(1, 12), `"recipientAccountId":"444455556666",`, `"awsRegion":"eu-west-1",`, 3},
		"a path that tells nothing":              {"a.json", `"recipientAccountId":"444455556666",`, `"awsRegion":"eu-west-1",`, 1},
		"nor a record: it may be what is wanted": {"a.json", "", "", 3},
	} {
		t.Run(name, func(t *testing.T) {
			h := scan(t, fstest.MapFS{tt.path: file([]byte(wrapped(use("1"),
				strings.Replace(use("2"), `"recipientAccountId":"111122223333",`, tt.account, 1),
				strings.Replace(use("3"), `"awsRegion":"us-west-2",`, tt.region, 1))))}, func(o *cloudtrail.ScanOptions) {
				o.Accounts, o.Regions = []string{"111122223333"}, []string{"us-west-2"}
			})
			if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != tt.uses || h.Stats().OutOfRange != 3-tt.uses {
				t.Errorf("%d uses, %d out of range", r.Operations["Decrypt"], h.Stats().OutOfRange)
			}
		})
	}
}

func TestClocksMayBeAFewMinutesApart(t *testing.T) {
	for ahead, uses := range map[time.Duration]int{0: 1, 5 * time.Minute: 1, 5*time.Minute + time.Second: 0} {
		h := scan(t, fstest.MapFS{"a.json": file([]byte(use("1")))}, func(o *cloudtrail.ScanOptions) {
			o.Now = func() time.Time { return at("2026-03-01T12:00:00Z").Add(-ahead) }
		})
		gaps := h.Gaps()
		if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != uses || len(gaps) != 1-uses || len(gaps) == 1 && gaps[0].Reason != cloudtrail.FutureTime {
			t.Errorf("%v ahead: %d uses, gaps %v", ahead, r.Operations["Decrypt"], gaps)
		}
	}
}

func TestWhatCannotBeJSONIsNoticedInLongValuesToo(t *testing.T) {
	long := `"` + strings.Repeat("x", 5000) + `"`
	for name, tt := range map[string]struct {
		value  string
		record int // the limit
		want   cloudtrail.GapReason
	}{
		"a good one":                             {`{"a":[` + long + `]}`, 0, ""},
		"an array that ends as an object":        {`{"a":[` + long + `}]}`, 0, cloudtrail.InvalidJSON},
		"an object that ends as an array":        {`[{"a":` + long + `]}`, 0, cloudtrail.InvalidJSON},
		"a byte that means nothing":              {`{"a":[` + long + `;]}`, 0, cloudtrail.InvalidJSON},
		"a good one beyond the limit":            {`{"a":[` + long + `]}`, 2000, cloudtrail.RecordTooLong},
		"beyond the limit, a byte for nothing":   {`{"a":[` + long + `;]}`, 2000, cloudtrail.InvalidJSON},
		"beyond the limit, that byte in a text":  {`{"a":[` + long + `,";"]}`, 2000, cloudtrail.RecordTooLong},
		"beyond the limit, behind an escape too": {`{"a":[` + long + `,"\";"]}`, 2000, cloudtrail.RecordTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(use("1"), use("2", `"x":`+tt.value), use("3"))))}, func(o *cloudtrail.ScanOptions) { o.MaxRecord = tt.record })
			gaps := h.Gaps()
			if (len(gaps) == 0) != (tt.want == "") || len(gaps) > 0 && gaps[len(gaps)-1].Reason != tt.want {
				t.Fatalf("gaps %v", gaps)
			}
			uses := map[cloudtrail.GapReason]int{"": 3, cloudtrail.InvalidJSON: 1, cloudtrail.RecordTooLong: 2}[tt.want]
			if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != uses {
				t.Errorf("%d uses, want %d", r.Operations["Decrypt"], uses)
			}
		})
	}
}
