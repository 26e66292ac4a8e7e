package usage_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// The keys of these tables are read at one time, and silence counts up to an
// hour before it. The dates of tracking and creation are those of AWS's example:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html#API_GetKeyLastUsage_Examples
var (
	upTo        = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	readThen    = upTo.Add(time.Hour)
	trackedFrom = time.Date(2026, 4, 23, 0, 0, 0, 0, time.UTC) // 222.5 days before upTo
	longAgo     = time.Date(2024, 3, 29, 0, 0, 0, 0, time.UTC)
)

const (
	oneARN     = "arn:aws:kms:us-east-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	wholeDay   = 24 * time.Hour
	delegating = `{"Version":"2012-10-17","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",` +
		`"Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`
)

// edit changes a finding that a test starts from.
type edit func(*usage.Finding)

// quietKey is a symmetric customer key, read to the last, that was used 200 days
// ago: nothing holds it.
func quietKey(edits ...edit) usage.Finding {
	f := usage.Finding{
		ARN: oneARN,
		LastUsage: &usage.LastUsage{
			ReadAt: readThen, Created: longAgo, TrackingStart: trackedFrom,
			Use: &usage.Use{At: ago(200), Operation: types.KeyLastUsageTrackingOperationDecrypt},
		},
		Metadata: &usage.Metadata{
			Created: longAgo, Manager: types.KeyManagerTypeCustomer, State: types.KeyStateEnabled,
			Spec: types.KeySpecSymmetricDefault, Usage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
		},
		Aliases: []string{}, Grants: []usage.Grant{}, Policy: delegating,
		Tags: map[string]string{}, Rotations: []usage.Rotation{},
	}
	for _, e := range edits {
		e(&f)
	}
	return f
}

// ago is a time so many days before that up to which silence counts.
func ago(days float64) time.Time { return upTo.Add(-time.Duration(days * float64(wholeDay))) }

func lastUsed(at time.Time) edit { return func(f *usage.Finding) { f.LastUsage.Use.At = at } }

func noRecord(f *usage.Finding) { f.LastUsage.Use = nil }

// bornAt sets the date of creation, and the start of tracking with it where that
// is earlier: "or the date the KMS key was created, whichever is later".
func bornAt(at time.Time) edit {
	return func(f *usage.Finding) {
		f.LastUsage.Created, f.Metadata.Created = at, at
		if f.LastUsage.TrackingStart.Before(at) {
			f.LastUsage.TrackingStart = at
		}
	}
}

func trackingSince(at time.Time) edit {
	return func(f *usage.Finding) { f.LastUsage.TrackingStart = at }
}

func unread(reason usage.GapReason) edit {
	return func(f *usage.Finding) {
		f.LastUsage = nil
		f.Gaps = append(f.Gaps, usage.Gap{Op: "GetKeyLastUsage", Reason: reason})
	}
}

func recorded(rs ...usage.Record) edit {
	return func(f *usage.Finding) { f.History = append(f.History, rs...) }
}

// covering is a source that saw the stretches given, two times each, and no use.
func covering(times ...time.Time) usage.Record {
	r := usage.Record{Source: "trail"}
	for i := 0; i+1 < len(times); i += 2 {
		r.Coverage = append(r.Coverage, usage.Coverage{
			Account: "111122223333", Region: "us-east-2", From: times[i], To: times[i+1], BlindSpots: []string{},
		})
	}
	return r
}

func blind(r usage.Record) usage.Record {
	r.Coverage[0].BlindSpots = []string{"the trail left KMS events out"}
	return r
}

// unsaid does not say whether it has blind spots.
func unsaid(r usage.Record) usage.Record {
	r.Coverage[0].BlindSpots = nil
	return r
}

func elsewhere(account, region string, r usage.Record) usage.Record {
	r.Coverage[0].Account, r.Coverage[0].Region = account, region
	return r
}

func saw(r usage.Record, at time.Time) usage.Record {
	r.First, r.Last = &usage.Event{At: at, Operation: "Decrypt"}, &usage.Event{At: at, Operation: "Decrypt"}
	return r
}

func days(n int) time.Duration { return time.Duration(n) * wholeDay }

func TestClassify(t *testing.T) {
	always := covering(longAgo, trackedFrom)
	for _, tt := range []struct {
		name   string
		f      usage.Finding
		policy usage.Policy
		class  usage.Class
		days   int
		since  usage.Basis
		why    usage.ReasonCode
	}{
		// Unknown.
		{name: "the zero finding is unknown", class: usage.Unknown, why: usage.Unread},
		{name: "a last use that was not read is unknown", f: quietKey(func(f *usage.Finding) { f.LastUsage = nil }), class: usage.Unknown, why: usage.Unread},
		{name: "a last use that was denied is unknown", f: quietKey(unread(usage.Denied)), class: usage.Unknown, why: usage.Unread},
		{name: "a last use that was switched off is unknown", f: quietKey(unread(usage.Skipped)), class: usage.Unknown, why: usage.Unread},
		{name: "a last use of a Region without the operation is unknown", f: quietKey(unread(usage.Unsupported)), class: usage.Unknown, why: usage.Unread},
		{name: "a last use of a deleted key is unknown", f: quietKey(unread(usage.NotFound)), class: usage.Unknown, why: usage.Unread},
		{
			name: "an unread last use is unknown however complete the history",
			f:    quietKey(unread(usage.Denied), recorded(covering(longAgo, readThen))), class: usage.Unknown, why: usage.Unread,
		},
		{
			name: "an AWS managed key was not asked for",
			f: quietKey(func(f *usage.Finding) { f.LastUsage = nil },
				func(f *usage.Finding) { f.Metadata.Manager = types.KeyManagerTypeAws }),
			class: usage.Unknown, why: usage.NotAsked,
		},

		// Active and Idle by KMS's record. "Days are floored, so 90 lets go at 91",
		// with the guardrail as AWS publishes it:
		// https://docs.aws.amazon.com/kms/latest/developerguide/monitoring-keys-determining-usage.html
		{name: "a use an hour before the reading is active", f: quietKey(lastUsed(upTo)), class: usage.Active, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a use inside the lag before the reading is active", f: quietKey(lastUsed(readThen.Add(-time.Minute))), class: usage.Active, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a use 29.9 days ago is 29 days ago", f: quietKey(lastUsed(ago(29.9))), class: usage.Active, days: 29, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "90 days of silence are not more than 90", f: quietKey(lastUsed(ago(90))), class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a moment less than 91 days is 90", f: quietKey(lastUsed(ago(91).Add(1))), class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "91 days of silence are idle", f: quietKey(lastUsed(ago(91))), class: usage.Idle, days: 91, since: usage.SinceLastUse, why: usage.RecordedUse},
		{
			name: "91 days until the reading are 90 until an hour before",
			f:    quietKey(lastUsed(readThen.Add(-days(91)))), class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{name: "an operation that nobody knows is a use", f: quietKey(lastUsed(ago(3)), func(f *usage.Finding) { f.LastUsage.Use.Operation = "Conjure" }), class: usage.Active, days: 3, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a use without an operation is a use", f: quietKey(lastUsed(ago(3)), func(f *usage.Finding) { f.LastUsage.Use.Operation = "" }), class: usage.Active, days: 3, since: usage.SinceLastUse, why: usage.RecordedUse},
		{
			// "KeyLastUsage {Operation Decrypt, Timestamp 2026-04-25T22:30:57.004+09:00, …},
			// TrackingStartDate 2026-04-23T09:00:00+09:00, KeyCreationDate 2024-03-29":
			// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html#API_GetKeyLastUsage_Examples
			name: "the answer that AWS publishes is active some days later",
			f:    published(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)), class: usage.Active, days: 5, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{
			name: "the answer that AWS publishes is idle a season later",
			f:    published(time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)), class: usage.Idle, days: 97, since: usage.SinceLastUse, why: usage.RecordedUse,
		},

		// Unused and New: "If the KeyLastUsage response element is empty and
		// KeyCreationDate is on or after TrackingStartDate, the key has not been used for
		// a successful cryptographic operation since it was created."
		// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
		{name: "a key created when tracking began and never used is unused", f: quietKey(noRecord, bornAt(trackedFrom)), class: usage.Unused, days: 222, since: usage.SinceCreation, why: usage.NoRecord},
		{name: "a key created after tracking began and never used is unused", f: quietKey(noRecord, bornAt(ago(91))), class: usage.Unused, days: 91, since: usage.SinceCreation, why: usage.NoRecord},
		{
			name: "a key created later than the start of tracking given counts from creation",
			f:    quietKey(noRecord, bornAt(ago(100)), trackingSince(ago(150))), class: usage.Unused, days: 100, since: usage.SinceCreation, why: usage.NoRecord,
		},
		{name: "a key of 90 days without a use is new", f: quietKey(noRecord, bornAt(ago(90))), class: usage.New, days: 90, since: usage.SinceCreation, why: usage.NoRecord},
		{name: "a key of nearly 91 days without a use is new", f: quietKey(noRecord, bornAt(ago(91).Add(1))), class: usage.New, days: 90, since: usage.SinceCreation, why: usage.NoRecord},
		{name: "a key created a minute ago is new", f: quietKey(noRecord, bornAt(readThen.Add(-time.Minute))), class: usage.New, since: usage.SinceCreation, why: usage.NoRecord},

		// Unrecorded: "there is no record of the key being used … since the
		// TrackingStartDate. However, the key may have been used before tracking began."
		{name: "a key from before tracking without a record is unrecorded", f: quietKey(noRecord), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{
			name: "a key created a moment before tracking began is unrecorded",
			f:    quietKey(noRecord, bornAt(trackedFrom.Add(-1)), trackingSince(trackedFrom)), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord,
		},
		{name: "it is unrecorded inside the window too", f: quietKey(noRecord, trackingSince(ago(50))), class: usage.Unrecorded, days: 50, since: usage.SinceTrackingStart, why: usage.NoRecord},

		// Complete and incomplete history before tracking.
		{name: "a complete history without a use proves it unused since creation", f: quietKey(noRecord, recorded(always)), class: usage.Unused, days: 977, since: usage.SinceCreation, why: usage.CompleteHistory},
		{
			name: "a complete history proves it unused though tracking is young",
			f:    quietKey(noRecord, trackingSince(ago(50)), recorded(covering(longAgo, ago(50)))), class: usage.Unused, days: 977, since: usage.SinceCreation, why: usage.CompleteHistory,
		},
		{
			name: "a complete history of a young key leaves it new",
			f:    quietKey(noRecord, bornAt(ago(60)), trackingSince(ago(50)), recorded(covering(ago(60), ago(50)))), class: usage.New, days: 60, since: usage.SinceCreation, why: usage.CompleteHistory,
		},
		{name: "a history that ends a moment early proves nothing", f: quietKey(noRecord, recorded(covering(longAgo, trackedFrom.Add(-1)))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "a history that begins a moment late proves nothing", f: quietKey(noRecord, recorded(covering(longAgo.Add(1), trackedFrom))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "two sources may cover the time together", f: quietKey(noRecord, recorded(covering(ago(300), trackedFrom), covering(longAgo, ago(300)))), class: usage.Unused, days: 977, since: usage.SinceCreation, why: usage.CompleteHistory},
		{name: "a stretch inside another takes nothing away", f: quietKey(noRecord, recorded(covering(longAgo, trackedFrom, ago(800), ago(700)))), class: usage.Unused, days: 977, since: usage.SinceCreation, why: usage.CompleteHistory},
		{name: "a hole of a moment proves nothing", f: quietKey(noRecord, recorded(covering(longAgo, ago(300), ago(300).Add(1), trackedFrom))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{
			name: "a stretch that does not say when it began proves nothing",
			f:    quietKey(noRecord, recorded(covering(time.Time{}, trackedFrom))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord,
		},
		{name: "a blind spot proves nothing", f: quietKey(noRecord, recorded(blind(covering(longAgo, trackedFrom)))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "a stretch that may have blind spots proves nothing", f: quietKey(noRecord, recorded(unsaid(covering(longAgo, trackedFrom)))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "another account's history proves nothing", f: quietKey(noRecord, recorded(elsewhere("444455556666", "us-east-2", covering(longAgo, trackedFrom)))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "another Region's history proves nothing", f: quietKey(noRecord, recorded(elsewhere("111122223333", "us-west-2", covering(longAgo, trackedFrom)))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},
		{name: "a stretch that ends before it begins proves nothing", f: quietKey(noRecord, recorded(covering(trackedFrom, longAgo))), class: usage.Unrecorded, days: 222, since: usage.SinceTrackingStart, why: usage.NoRecord},

		// Events newer than KMS's record.
		{
			name: "an event inside the lag makes it active",
			f:    quietKey(recorded(saw(usage.Record{}, readThen.Add(-time.Minute)))), class: usage.Active, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name: "an event inside the window that KMS does not know makes it active",
			f:    quietKey(recorded(saw(usage.Record{}, ago(90)))), class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name: "an event after the reading makes it active",
			f:    quietKey(recorded(saw(usage.Record{}, readThen.Add(wholeDay)))), class: usage.Active, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name: "an event older than the window that KMS should know contradicts it",
			f:    quietKey(recorded(saw(usage.Record{}, ago(91)))), class: usage.Unknown, why: usage.Contradiction,
		},
		{
			name: "an event since tracking began contradicts that there was none",
			f:    quietKey(noRecord, recorded(saw(always, trackedFrom))), class: usage.Unknown, why: usage.Contradiction,
		},
		{
			name: "the event of the recorded use agrees with it",
			f:    quietKey(recorded(saw(usage.Record{}, ago(200)))), class: usage.Idle, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{
			name: "an event older than the recorded use changes nothing",
			f:    quietKey(recorded(saw(usage.Record{}, ago(300)))), class: usage.Idle, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{
			name:  "the latest event of several sources counts",
			f:     quietKey(recorded(saw(usage.Record{}, ago(300)), saw(usage.Record{}, ago(3)), saw(usage.Record{}, ago(250)))),
			class: usage.Active, days: 3, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name: "an event a second newer is the recorded use if it bears its ID",
			f:    quietKey(lastUsed(ago(200.5)), sameEvent(ago(200.5).Add(time.Second))), class: usage.Idle, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{
			name: "of a use and its event the later time counts",
			f:    quietKey(lastUsed(ago(91)), sameEvent(ago(91).Add(1))), class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{
			name: "an event an hour newer is another use, whatever its ID",
			f:    quietKey(sameEvent(ago(200).Add(time.Hour))), class: usage.Unknown, why: usage.Contradiction,
		},
		{
			name: "events without an ID are not the recorded use for that",
			f:    quietKey(recorded(saw(usage.Record{}, ago(200).Add(time.Second)))), class: usage.Unknown, why: usage.Contradiction,
		},

		// Events before tracking began.
		{
			name: "a use before tracking without a hole since is the last use",
			f:    quietKey(noRecord, recorded(saw(covering(ago(300), trackedFrom), ago(300)))), class: usage.Idle, days: 300, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name:  "a use before tracking without a hole since is the last use though tracking is young",
			f:     quietKey(noRecord, trackingSince(ago(50)), recorded(saw(covering(ago(300), ago(50)), ago(300)))),
			class: usage.Idle, days: 300, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name: "a use before tracking with a hole since counts from the start of tracking",
			f:    quietKey(noRecord, recorded(saw(usage.Record{}, ago(300)))), class: usage.Idle, days: 222, since: usage.SinceTrackingStart, why: usage.EventUse,
		},
		{
			name:  "a use before tracking with a hole since, tracking young, is unrecorded",
			f:     quietKey(noRecord, trackingSince(ago(50)), recorded(saw(usage.Record{}, ago(300)))),
			class: usage.Unrecorded, days: 50, since: usage.SinceTrackingStart, why: usage.EventUse,
		},
		{
			name:  "a use before tracking but inside the window is active",
			f:     quietKey(noRecord, trackingSince(ago(50)), recorded(saw(usage.Record{}, ago(60)))),
			class: usage.Active, days: 60, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name:  "a use before tracking inside the window is active with a complete history too",
			f:     quietKey(noRecord, trackingSince(ago(50)), recorded(saw(covering(longAgo, ago(50)), ago(60)))),
			class: usage.Active, days: 60, since: usage.SinceLastUse, why: usage.EventUse,
		},
		{
			name:  "a blind spot since a use before tracking counts from the start of tracking",
			f:     quietKey(noRecord, recorded(saw(blind(covering(ago(300), trackedFrom)), ago(300)))),
			class: usage.Idle, days: 222, since: usage.SinceTrackingStart, why: usage.EventUse,
		},

		// Time to judge at.
		{name: "as of an earlier time there was less silence", f: quietKey(), policy: usage.Policy{AsOf: ago(110)}, class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "as of the time that silence counts up to", f: quietKey(), policy: usage.Policy{AsOf: upTo}, class: usage.Idle, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse},
		{
			name: "as of the reading there is no more silence than an hour before",
			f:    quietKey(lastUsed(readThen.Add(-days(91)))), policy: usage.Policy{AsOf: readThen},
			class: usage.Active, days: 90, since: usage.SinceLastUse, why: usage.RecordedUse,
		},
		{name: "as of a year later there is no more silence", f: quietKey(), policy: usage.Policy{AsOf: upTo.Add(days(365))}, class: usage.Idle, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a use after the time to judge at makes it active", f: quietKey(), policy: usage.Policy{AsOf: ago(201)}, class: usage.Active, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "as of a time before creation it is new", f: quietKey(noRecord, bornAt(ago(200))), policy: usage.Policy{AsOf: ago(201)}, class: usage.New, since: usage.SinceCreation, why: usage.NoRecord},

		// The window.
		{name: "a day of window lets go at two days", f: quietKey(lastUsed(ago(2))), policy: usage.Policy{Window: days(1)}, class: usage.Idle, days: 2, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a day of window holds at one", f: quietKey(lastUsed(ago(1.99))), policy: usage.Policy{Window: days(1)}, class: usage.Active, days: 1, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a longer window holds longer", f: quietKey(), policy: usage.Policy{Window: days(200)}, class: usage.Active, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "whole days of the window count", f: quietKey(lastUsed(ago(91))), policy: usage.Policy{Window: days(90) + 23*time.Hour}, class: usage.Idle, days: 91, since: usage.SinceLastUse, why: usage.RecordedUse},
		{name: "a hundred years of window are allowed", f: quietKey(), policy: usage.Policy{Window: days(36525)}, class: usage.Active, days: 200, since: usage.SinceLastUse, why: usage.RecordedUse},

		// Policies that cannot be meant.
		{name: "a negative window judges nothing", f: quietKey(), policy: usage.Policy{Window: -1}, class: usage.Unknown, why: usage.InvalidPolicy},
		{name: "an hour of window judges nothing", f: quietKey(), policy: usage.Policy{Window: time.Hour}, class: usage.Unknown, why: usage.InvalidPolicy},
		{name: "a window just short of a day judges nothing", f: quietKey(), policy: usage.Policy{Window: wholeDay - 1}, class: usage.Unknown, why: usage.InvalidPolicy},
		{name: "200 years of window judge nothing", f: quietKey(), policy: usage.Policy{Window: days(73050)}, class: usage.Unknown, why: usage.InvalidPolicy},
		{name: "a moment more than a hundred years judges nothing", f: quietKey(), policy: usage.Policy{Window: days(36525) + 1}, class: usage.Unknown, why: usage.InvalidPolicy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := usage.Classify(tt.f, tt.policy)
			if v.Class != tt.class || v.TrailingDays != tt.days || v.Since != tt.since {
				t.Errorf("class %v, %d days since %q; want %v, %d since %q\nreasons: %v", v.Class, v.TrailingDays, v.Since, tt.class, tt.days, tt.since, v.Reasons)
			}
			if len(v.Reasons) == 0 || v.Reasons[0].Code != tt.why {
				t.Errorf("reasons %v; want %q first", v.Reasons, tt.why)
			}
			for _, r := range v.Reasons {
				if r.Text == "" || r.String() != r.Text {
					t.Errorf("reason %q has text %q, String %q", r.Code, r.Text, r)
				}
			}
			for _, c := range v.Changes {
				if c.Code == "" || c.Text == "" || c.String() != c.Text {
					t.Errorf("change %q has text %q, String %q", c.Code, c.Text, c)
				}
			}
			if (v.Class == usage.Unknown) != v.Until.IsZero() {
				t.Errorf("class %v, silence counts up to %v", v.Class, v.Until)
			}
			if want := cmp.Or(int(tt.policy.Window/wholeDay), 90); tt.policy.Validate() == nil && v.WindowDays != want {
				t.Errorf("window of %d days, want %d", v.WindowDays, want)
			}
		})
	}
}

// published is a finding of the answer that AWS's documentation gives.
func published(read time.Time) usage.Finding {
	tokyo := time.FixedZone("", 9*60*60)
	return usage.Finding{ARN: oneARN, LastUsage: &usage.LastUsage{
		ReadAt: read, TrackingStart: time.Date(2026, 4, 23, 9, 0, 0, 0, tokyo), Created: longAgo,
		Use: &usage.Use{At: time.Date(2026, 4, 25, 22, 30, 57, 4e6, tokyo), Operation: types.KeyLastUsageTrackingOperationDecrypt},
	}}
}

// sameEvent shows the recorded use at a time of its own.
func sameEvent(at time.Time) edit {
	return func(f *usage.Finding) {
		f.LastUsage.Use.EventID = "e"
		f.History = []usage.Record{{First: &usage.Event{At: at, EventID: "e"}, Last: &usage.Event{At: at, EventID: "e"}}}
	}
}

// Of a use that is shown at two times no one can say that it was at the earlier.
func TestClassifyBelievesTheLaterOfTwoTimesOfOneUse(t *testing.T) {
	for _, at := range []time.Time{ago(90), ago(5), upTo, readThen} {
		if v := usage.Classify(quietKey(sameEvent(at)), usage.Policy{}); v.Class != usage.Active && v.Class != usage.Unknown {
			t.Errorf("recorded 200 days ago, shown by its event at %v: %v", at, v.Class)
		}
	}
}

func TestClassifyContradictions(t *testing.T) {
	const skew = 5 * time.Minute
	for _, tt := range []struct {
		name string
		f    usage.Finding
		bad  bool
	}{
		{"nothing contradicts a quiet key", quietKey(), false},
		{"no time of reading", quietKey(func(f *usage.Finding) { f.LastUsage.ReadAt = time.Time{} }), true},
		{"no date of creation", quietKey(func(f *usage.Finding) { f.LastUsage.Created = time.Time{} }), true},
		{"no date of creation anywhere", quietKey(bornAt(time.Time{})), true},
		{"no start of tracking", quietKey(trackingSince(time.Time{})), true},
		{"no start of tracking and no record", quietKey(noRecord, trackingSince(time.Time{})), true},
		{"a use without a time", quietKey(lastUsed(time.Time{})), true},
		{"created after the reading", quietKey(noRecord, bornAt(readThen.Add(skew+1))), true},
		{"created after the reading by what clocks may differ", quietKey(noRecord, bornAt(readThen.Add(skew))), false},
		{"tracked after the reading", quietKey(noRecord, trackingSince(readThen.Add(skew+1))), true},
		{"tracked after the reading by what clocks may differ", quietKey(noRecord, trackingSince(readThen.Add(skew))), false},
		{"used after the reading", quietKey(lastUsed(readThen.Add(skew + 1))), true},
		{"used after the reading by what clocks may differ", quietKey(lastUsed(readThen.Add(skew))), false},
		{"used before creation", quietKey(bornAt(ago(100)), lastUsed(ago(150))), true},
		{"created before there was a KMS", quietKey(bornAt(time.Date(2014, 11, 11, 23, 59, 59, 0, time.UTC))), true},
		{"created when there was none, as who has no date writes it", quietKey(noRecord, bornAt(time.Unix(0, 0))), true},
		{"tracked when there was no KMS", quietKey(noRecord, trackingSince(time.Unix(0, 0))), true},
		{"created when KMS began", quietKey(bornAt(time.Date(2014, 11, 12, 0, 0, 0, 0, time.UTC))), false},
		{"created after the reading though tracking is older", quietKey(noRecord, bornAt(readThen.Add(skew+1)), trackingSince(trackedFrom)), true},
		{"used before creation though tracking is older", quietKey(bornAt(ago(100)), trackingSince(ago(200)), lastUsed(ago(150))), true},
		{"used before tracking began", quietKey(lastUsed(trackedFrom.Add(-time.Second))), true},
		{"used when tracking began", quietKey(lastUsed(trackedFrom)), false},
		{"used in the second that it was created in, dates cut to seconds", quietKey(bornAt(ago(100).Add(900*time.Millisecond)), lastUsed(ago(100))), false},
		{"DescribeKey says it was created a second later", quietKey(func(f *usage.Finding) { f.Metadata.Created = longAgo.Add(time.Second) }), true},
		{"DescribeKey says it was created a second earlier", quietKey(func(f *usage.Finding) { f.Metadata.Created = longAgo.Add(-time.Second) }), true},
		{"DescribeKey says it was created milliseconds later", quietKey(func(f *usage.Finding) { f.Metadata.Created = longAgo.Add(999 * time.Millisecond) }), false},
		{"DescribeKey does not say when it was created", quietKey(func(f *usage.Finding) { f.Metadata.Created = time.Time{} }), true},
		{"the first event without a time", quietKey(recorded(usage.Record{First: &usage.Event{}, Last: &usage.Event{At: ago(300)}})), true},
		{"the last event without a time", quietKey(recorded(usage.Record{First: &usage.Event{At: ago(300)}, Last: &usage.Event{}})), true},
		{"the first event without the last", quietKey(recorded(usage.Record{First: &usage.Event{At: ago(300)}})), true},
		{"the last event without the first", quietKey(recorded(usage.Record{Last: &usage.Event{At: ago(300)}})), true},
		{"a failed call as the last use", quietKey(recorded(usage.Record{First: &usage.Event{At: ago(300)}, Last: &usage.Event{At: ago(300), ErrorCode: "DisabledException"}})), true},
		{"a failed call as the first use", quietKey(recorded(usage.Record{First: &usage.Event{At: ago(300), ErrorCode: "AccessDenied"}, Last: &usage.Event{At: ago(300)}})), true},
		{"a count of uses without any", quietKey(recorded(usage.Record{Operations: map[string]int{"Decrypt": 3}, Errors: map[string]int{"AccessDenied": 2}})), true},
		{"a count of uses that all failed", quietKey(recorded(usage.Record{Operations: map[string]int{"Decrypt": 3}, Errors: map[string]int{"AccessDenied": 3}})), false},
		{"a count of calls that are no use", quietKey(recorded(usage.Record{Operations: map[string]int{"DescribeKey": 3}})), false},
		{"an event before creation", quietKey(recorded(saw(usage.Record{}, longAgo.Add(-time.Second)))), true},
		{
			"an event before the creation of a young key, the history complete",
			quietKey(noRecord, bornAt(ago(50)), recorded(saw(covering(ago(200), ago(50)), ago(200)))), true,
		},
		{"an event in the second of creation", quietKey(bornAt(ago(100).Add(900*time.Millisecond)), lastUsed(ago(99)), recorded(saw(usage.Record{}, ago(100)))), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := usage.Classify(tt.f, usage.Policy{})
			if bad := v.Class == usage.Unknown && v.Reasons[0].Code == usage.Contradiction; bad != tt.bad {
				t.Errorf("class %v because of %v; want a contradiction: %v", v.Class, v.Reasons, tt.bad)
			}
			if tt.bad && (v.TrailingDays != 0 || v.LastUse != nil) {
				t.Errorf("%d trailing days, last use %v in an unknown verdict", v.TrailingDays, v.LastUse)
			}
		})
	}
}

// A change that comes with time comes at the time it says, to the moment.
func TestClassifyChangesWithTime(t *testing.T) {
	for name, tt := range map[string]struct {
		f       usage.Finding
		becomes usage.Class
	}{
		"an active key becomes idle":                           {quietKey(lastUsed(ago(10))), usage.Idle},
		"a use that KMS never records becomes a contradiction": {quietKey(recorded(saw(usage.Record{}, ago(10)))), usage.Unknown},
		"a new key becomes unused":                             {quietKey(noRecord, bornAt(ago(10))), usage.Unused},
		"a young unrecorded key becomes an old one":            {quietKey(noRecord, trackingSince(ago(10))), usage.Unrecorded},
		"a use before young tracking becomes an old silence":   {quietKey(noRecord, trackingSince(ago(10)), recorded(saw(usage.Record{}, ago(300)))), usage.Idle},
	} {
		t.Run(name, func(t *testing.T) {
			v := usage.Classify(tt.f, usage.Policy{})
			at := time.Time{}
			for _, c := range v.Changes {
				if c.Code == usage.TimePasses {
					at = c.At
				}
			}
			if at.IsZero() {
				t.Fatalf("no change with time: %v", v.Changes)
			}
			read := func(at time.Time) usage.Verdict {
				f := tt.f
				lu := *f.LastUsage
				lu.ReadAt = at
				f.LastUsage = &lu
				return usage.Classify(f, usage.Policy{})
			}
			if before := read(at.Add(-1)); before.Class != v.Class || before.TrailingDays != 90 {
				t.Errorf("read just before %v: %v, %d days; want %v, 90", at, before.Class, before.TrailingDays, v.Class)
			}
			if after := read(at); after.Class != tt.becomes || after.Class != usage.Unknown && after.TrailingDays != 91 {
				t.Errorf("read at %v: %v, %d days; want %v, 91", at, after.Class, after.TrailingDays, tt.becomes)
			}
		})
	}
}

func TestClassifySaysWhatWouldChange(t *testing.T) {
	for name, tt := range map[string]struct {
		f    usage.Finding
		p    usage.Policy
		want []usage.ChangeCode
	}{
		"idle: a use":         {f: quietKey(), want: []usage.ChangeCode{usage.Used}},
		"unused: a use":       {f: quietKey(noRecord, bornAt(ago(200))), want: []usage.ChangeCode{usage.Used}},
		"unrecorded: history": {f: quietKey(noRecord), want: []usage.ChangeCode{usage.MoreHistory}},
		"unrecorded in a young tracking: time and history": {f: quietKey(noRecord, trackingSince(ago(50))), want: []usage.ChangeCode{usage.TimePasses, usage.MoreHistory}},
		"denied: a permission":                             {f: quietKey(unread(usage.Denied)), want: []usage.ChangeCode{usage.GrantAccess}},
		"no credentials: a permission":                     {f: quietKey(unread(usage.Unauthenticated)), want: []usage.ChangeCode{usage.GrantAccess}},
		"unsupported: history":                             {f: quietKey(unread(usage.Unsupported)), want: []usage.ChangeCode{usage.MoreHistory}},
		"throttled: another inspection":                    {f: quietKey(unread(usage.Throttled)), want: []usage.ChangeCode{usage.Reread}},
		"deleted meanwhile: another inspection":            {f: quietKey(unread(usage.NotFound)), want: []usage.ChangeCode{usage.Reread}},
		"contradictory: another inspection":                {f: quietKey(lastUsed(time.Time{})), want: []usage.ChangeCode{usage.Reread}},
		"AWS managed: nothing":                             {f: usage.Finding{ARN: oneARN, Aliases: []string{"alias/aws/ebs"}}},
		"an invalid policy: a valid one":                   {f: quietKey(), p: usage.Policy{Window: 1}, want: []usage.ChangeCode{usage.FixPolicy}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []usage.ChangeCode
			for _, c := range usage.Classify(tt.f, tt.p).Changes {
				got = append(got, c.Code)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("changes %v, want %v", got, tt.want)
			}
		})
	}
}

func TestClassifySaysThatAPartialHistoryChangesNothing(t *testing.T) {
	v := usage.Classify(quietKey(noRecord, recorded(covering(ago(300), ago(250)))), usage.Policy{})
	for _, r := range v.Reasons {
		if r.Code == usage.PartialHistory {
			return
		}
	}
	t.Errorf("reasons %v, none is %q", v.Reasons, usage.PartialHistory)
}

func TestClassifyKeepsTheLatestUse(t *testing.T) {
	for name, tt := range map[string]struct {
		f    usage.Finding
		want time.Time
	}{
		"of KMS's record":         {quietKey(recorded(saw(usage.Record{}, ago(300)))), ago(200)},
		"of a newer event":        {quietKey(recorded(saw(usage.Record{}, ago(3)))), ago(3)},
		"of an event with a hole": {quietKey(noRecord, recorded(saw(usage.Record{}, ago(300)))), ago(300)},
	} {
		t.Run(name, func(t *testing.T) {
			v := usage.Classify(tt.f, usage.Policy{})
			if v.LastUse == nil || !v.LastUse.At.Equal(tt.want) {
				t.Errorf("last use %v, want %v", v.LastUse, tt.want)
			}
		})
	}
}

// Since KMS answers an unused key with KeyLastUsage {} and the dates:
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
func TestTrailingDays(t *testing.T) {
	for _, tt := range []struct {
		name  string
		u     usage.LastUsage
		days  int
		basis usage.Basis
	}{
		{"since the last use", usage.LastUsage{Use: &usage.Use{At: ago(12)}, Created: longAgo, TrackingStart: trackedFrom}, 12, usage.SinceLastUse},
		{"since the last use of a key created after tracking began", usage.LastUsage{Use: &usage.Use{At: ago(12)}, Created: ago(20), TrackingStart: ago(20)}, 12, usage.SinceLastUse},
		{"since creation on the start of tracking", usage.LastUsage{Created: trackedFrom, TrackingStart: trackedFrom}, 222, usage.SinceCreation},
		{"since creation after the start of tracking", usage.LastUsage{Created: ago(20), TrackingStart: trackedFrom}, 20, usage.SinceCreation},
		{"since tracking began for a key from before", usage.LastUsage{Created: longAgo, TrackingStart: trackedFrom}, 222, usage.SinceTrackingStart},
		{"29.9 days are 29", usage.LastUsage{Use: &usage.Use{At: ago(29.9)}, Created: longAgo, TrackingStart: trackedFrom}, 29, usage.SinceLastUse},
		{"a moment less than a day is none", usage.LastUsage{Use: &usage.Use{At: ago(1).Add(1)}, Created: longAgo, TrackingStart: trackedFrom}, 0, usage.SinceLastUse},
		{"a day to the moment is one", usage.LastUsage{Use: &usage.Use{At: ago(1)}, Created: longAgo, TrackingStart: trackedFrom}, 1, usage.SinceLastUse},
		{"days before the basis are none", usage.LastUsage{Use: &usage.Use{At: upTo.Add(days(5))}, Created: longAgo, TrackingStart: trackedFrom}, 0, usage.SinceLastUse},
		{"of nothing none are known", usage.LastUsage{}, 0, ""},
		{"of a use without a time none are known", usage.LastUsage{Use: &usage.Use{}, Created: longAgo, TrackingStart: trackedFrom}, 0, ""},
		{"without a date of creation none are known", usage.LastUsage{TrackingStart: trackedFrom}, 0, ""},
		{"without a start of tracking none are known", usage.LastUsage{Created: longAgo}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if n, basis := usage.TrailingDays(tt.u, upTo); n != tt.days || basis != tt.basis {
				t.Errorf("%d days since %q, want %d since %q", n, basis, tt.days, tt.basis)
			}
		})
	}
}

func TestPolicyValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		window time.Duration
		ok     bool
	}{
		"zero is 90 days":                       {0, true},
		"a day":                                 {wholeDay, true},
		"90 days":                               {days(90), true},
		"a hundred years":                       {days(36525), true},
		"negative":                              {-days(90), false},
		"an hour":                               {time.Hour, false},
		"90, as if it were days":                {90, false},
		"200 years":                             {days(73050), false},
		"the longest there is":                  {math.MaxInt64, false},
		"the most negative there is":            {math.MinInt64, false},
		"a moment less than a day":              {wholeDay - 1, false},
		"a moment more than a hundred years":    {days(36525) + 1, false},
		"a window that is not whole days is ok": {days(1) + 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := usage.Policy{Window: tt.window}.Validate()
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, usage.ErrInvalidOption) {
				t.Errorf("error %v; want none: %v, else one that is ErrInvalidOption", err, tt.ok)
			}
		})
	}
	if v := usage.Classify(quietKey(), usage.Policy{}); v.WindowDays != 90 {
		t.Errorf("the zero policy has a window of %d days, want 90", v.WindowDays)
	}
}

func TestClassNames(t *testing.T) {
	want := map[usage.Class]string{
		usage.Unknown: "Unknown", usage.Active: "Active", usage.Idle: "Idle",
		usage.Unused: "Unused", usage.New: "New", usage.Unrecorded: "Unrecorded",
	}
	if got := usage.Classes(); len(got) != len(want) {
		t.Errorf("Classes() = %v", got)
	}
	for _, c := range usage.Classes() {
		b, err := json.Marshal(c)
		if err != nil || string(b) != `"`+want[c]+`"` {
			t.Errorf("%v as JSON is %s, %v; want %q", c, b, err, want[c])
		}
		back := usage.Class(99)
		if err := json.Unmarshal(b, &back); err != nil || back != c {
			t.Errorf("%s reads as %v, %v", b, back, err)
		}
	}
	var zero usage.Class
	if zero != usage.Unknown {
		t.Errorf("the zero class is %v", zero)
	}
	for _, name := range []string{"", "idle", "IDLE", "Idle ", "Dormant", "2", "Retirable"} {
		c := usage.Idle
		if err := c.UnmarshalText([]byte(name)); err != nil || c != usage.Unknown {
			t.Errorf("class name %q reads as %v, %v; want Unknown and no error", name, c, err)
		}
	}
	for _, c := range []usage.Class{-1, 6, 1000} {
		if got := c.String(); got != "Unknown" {
			t.Errorf("Class(%d) is called %q", int(c), got)
		}
	}
}

func TestVerdictRoundTrip(t *testing.T) {
	for name, f := range map[string]usage.Finding{
		"idle": quietKey(), "new": quietKey(noRecord, bornAt(ago(5))), "unrecorded": quietKey(noRecord),
		"unused": quietKey(noRecord, recorded(covering(longAgo, trackedFrom))), "unknown": {},
		"active by an event": quietKey(recorded(saw(usage.Record{}, ago(1)))),
	} {
		t.Run(name, func(t *testing.T) {
			v := usage.Classify(f, usage.Policy{Window: days(30), AsOf: upTo.In(time.FixedZone("", 3600))})
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			var back usage.Verdict
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(v, back) {
				t.Errorf("reads back as\n%+v, was\n%+v", back, v)
			}
		})
	}
	if b, err := json.Marshal(usage.Verdict{}); err != nil || strings.Contains(string(b), "0001") {
		t.Errorf("the zero verdict is %s, %v: a zero time stands in it", b, err)
	}
}
