package cloudtrail

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// EventKind is a kind of KMS events that evidence is drawn from.
type EventKind string

// The kinds.
const (
	KindUses      EventKind = "uses"        // tracked operations, the use of a key
	KindPublicKey EventKind = "public-keys" // GetPublicKey
	KindGrants    EventKind = "grants"      // CreateGrant
	KindChanges   EventKind = "changes"     // calls that make keys and switch them on and off
)

// Recorded is how much of a kind of events the selectors of a trail let through.
type Recorded string

// How much. Every other value, that of a missing entry included, says that
// nothing is known.
const (
	RecordsAll     Recorded = "all"
	RecordsSome    Recorded = "some" // some are left out for certain; perhaps all
	RecordsNone    Recorded = "none"
	RecordsUnknown Recorded = "unknown"
)

// kmsKind says which operations a kind has, and whether they only read.
//
// "AWS KMS actions such as Encrypt, Decrypt, and GenerateDataKey […] are now
// logged as Read events. Low-volume, relevant AWS KMS actions such as Disable,
// Delete, and ScheduleKey […] are logged as Write events."
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
//
// AWS's examples have the member "readOnly" for all of these but
// DeriveSharedSecret, Encapsulate, Decapsulate and GetPublicKey, which by the
// first rule read; CreateGrant writes.
// https://docs.aws.amazon.com/kms/latest/developerguide/understanding-kms-entries.html
type kmsKind struct {
	kind       EventKind
	text       string
	operations []string
	readOnly   bool
}

var kmsKinds = []kmsKind{
	{KindUses, "uses of keys", trackedOperations(), true},
	{KindPublicKey, "calls of GetPublicKey", []string{opGetPublicKey}, true},
	{KindGrants, "calls of CreateGrant", []string{opCreateGrant}, false},
	{KindChanges, "calls that create keys or switch them on or off", []string{
		"CreateKey", "ReplicateKey", "DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion",
		"ImportKeyMaterial", "DeleteImportedKeyMaterial",
	}, false},
}

func trackedOperations() []string {
	ops := make([]string, 0, len(tracked))
	for op := range tracked {
		ops = append(ops, op)
	}
	slices.Sort(ops)
	return ops
}

// recordedBy tells how much of every kind the selectors of a trail of a
// partition let through.
//
// "For each trail, if the event matches any event selector, the trail processes
// and logs the event." A trail has basic selectors or advanced ones, never both.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
func recordedBy(out *trail.GetEventSelectorsOutput, partition string) (map[EventKind]Recorded, error) {
	basic, advanced := out.EventSelectors, out.AdvancedEventSelectors
	switch {
	case basic == nil && advanced == nil:
		// A trail without selectors of its own is answered with the default ones.
		return nil, malformedAnswerError("neither EventSelectors nor AdvancedEventSelectors, not even an empty list")
	case len(basic) > 0 && len(advanced) > 0:
		return nil, malformedAnswerError("both EventSelectors and AdvancedEventSelectors")
	}
	sources := []string{kmsSource}
	if partition == "aws-cn" {
		sources = append(sources, kmsSourceChina)
	}
	records := map[EventKind]Recorded{}
	for _, k := range kmsKinds {
		var each []Recorded
		for _, op := range k.operations {
			e := selectable{op, k.readOnly, sources}
			r := RecordsNone
			for _, s := range basic {
				r = mostRecorded(r, e.basic(s))
			}
			for _, s := range advanced {
				r = mostRecorded(r, e.advanced(s))
			}
			each = append(each, r)
		}
		records[k.kind] = recordedTogether(each)
	}
	return records, nil
}

// rank puts answers in order: what leaves the least to hope for comes first.
func (r Recorded) rank() int {
	switch r {
	case RecordsNone:
		return 0
	case RecordsSome:
		return 1
	case RecordsAll:
		return 3
	default:
		return 2
	}
}

// mostRecorded is what two selectors let through, of which one suffices.
func mostRecorded(a, b Recorded) Recorded {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// leastRecorded is what two conditions let through that must both be met.
func leastRecorded(a, b Recorded) Recorded {
	if b.rank() < a.rank() {
		return b
	}
	return a
}

// recordedTogether is the answer for several operations. Some is said as soon as
// anything is left out for certain.
func recordedTogether(each []Recorded) Recorded {
	r := each[0]
	for _, e := range each[1:] {
		switch {
		case e == r:
		case r.rank() <= RecordsSome.rank() || e.rank() <= RecordsSome.rank():
			return RecordsSome
		default:
			r = RecordsUnknown
		}
	}
	return r
}

// selectable is what selectors can see of a call of KMS.
type selectable struct {
	operation string
	readOnly  bool
	sources   []string // one of them; nobody knows which
}

// basic tells whether a basic selector lets the event through.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
func (e selectable) basic(s types.EventSelector) Recorded {
	switch {
	case s.IncludeManagementEvents == nil:
		return RecordsUnknown
	case !*s.IncludeManagementEvents:
		return RecordsNone
	case slices.ContainsFunc(s.ExcludeManagementEventSources, func(x string) bool { return x == kmsSource || x == kmsSourceChina }):
		return RecordsNone
	}
	switch s.ReadWriteType {
	case types.ReadWriteTypeAll:
		return RecordsAll
	case types.ReadWriteTypeReadOnly:
		return allIf(e.readOnly)
	case types.ReadWriteTypeWriteOnly:
		return allIf(!e.readOnly)
	default:
		return RecordsUnknown
	}
}

func allIf(ok bool) Recorded {
	if ok {
		return RecordsAll
	}
	return RecordsNone
}

// advanced tells whether an advanced selector lets the event through: all its
// field selectors have to.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
func (e selectable) advanced(s types.AdvancedEventSelector) Recorded {
	r, category := RecordsAll, false
	for _, f := range s.FieldSelectors {
		category = category || aws.ToString(f.Field) == "eventCategory"
		r = leastRecorded(r, e.field(f))
	}
	if !category { // "This field is required"
		r = leastRecorded(r, RecordsUnknown)
	}
	return r
}

// field tells whether a field selector lets the event through.
//
// A trail filters management events by eventCategory, eventSource and readOnly;
// eventName, eventType, sessionCredentialFromConsole and userIdentity.arn are
// documented for event data stores. They are read as they are meant there.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
func (e selectable) field(f types.AdvancedFieldSelector) Recorded {
	if len(f.Equals)+len(f.StartsWith)+len(f.EndsWith)+len(f.NotEquals)+len(f.NotStartsWith)+len(f.NotEndsWith) == 0 {
		return RecordsUnknown // no operator, or one that the SDK does not know
	}
	var values []string
	switch aws.ToString(f.Field) {
	case "eventCategory":
		values = []string{"Management"}
	case "eventSource":
		values = e.sources
	case "readOnly":
		values = []string{fmt.Sprint(e.readOnly)}
	case "eventName":
		values = []string{e.operation}
	case "eventType":
		// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
		values = []string{"AwsApiCall"}
	case "userIdentity.arn", "sessionCredentialFromConsole":
		return RecordsSome // it depends on who calls
	default:
		return RecordsUnknown
	}
	r := allIf(admits(f, values[0]))
	for _, v := range values[1:] {
		if allIf(admits(f, v)) != r {
			return RecordsUnknown
		}
	}
	return r
}

// admits evaluates the operators of a field: "DESELECT operators are AND'd
// together […] SELECT operators are OR'd together […] both groups are AND'd
// together."
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/filtering-data-events.html#filtering-data-events-conditions
func admits(f types.AdvancedFieldSelector, v string) bool {
	equals := func(x string) bool { return v == x }
	starts := func(x string) bool { return strings.HasPrefix(v, x) }
	ends := func(x string) bool { return strings.HasSuffix(v, x) }
	if slices.ContainsFunc(f.NotEquals, equals) || slices.ContainsFunc(f.NotStartsWith, starts) || slices.ContainsFunc(f.NotEndsWith, ends) {
		return false
	}
	return len(f.Equals)+len(f.StartsWith)+len(f.EndsWith) == 0 ||
		slices.ContainsFunc(f.Equals, equals) || slices.ContainsFunc(f.StartsWith, starts) || slices.ContainsFunc(f.EndsWith, ends)
}

// selectDivides tells whether the selectors take or leave all KMS events that only read,
// and all that write, as those that AWS documents for trails do. See field.
func selectDivides(advanced []types.AdvancedEventSelector) bool {
	for _, s := range advanced {
		for _, f := range s.FieldSelectors {
			switch aws.ToString(f.Field) {
			case "eventCategory", "eventSource", "readOnly":
			default:
				return false
			}
		}
	}
	return true
}

// selectorSpots says what selectors leave out. What the trail takes or leaves as a
// whole are two blind spots, of what only reads and of what writes, since the
// archive can disprove them one by one.
func selectorSpots(label string, records map[EventKind]Recorded, whole bool) []BlindSpot {
	var spots []BlindSpot
	for _, p := range []struct {
		recorded Recorded
		text     string
		whole    bool
	}{
		{RecordsNone, " does not record %s", whole},
		{RecordsSome, " records %s only in part", false},
		{RecordsUnknown, " has selectors that are not understood: whether it records %s is not known", false},
	} {
		like := func(k kmsKind) bool { return records[k.kind].rank() == p.recorded.rank() }
		halves := []func(kmsKind) bool{like}
		if p.whole {
			halves = []func(kmsKind) bool{
				func(k kmsKind) bool { return like(k) && k.readOnly },
				func(k kmsKind) bool { return like(k) && !k.readOnly },
			}
		}
		for _, half := range halves {
			var (
				kinds []EventKind
				texts []string
			)
			for _, k := range kmsKinds {
				if half(k) {
					kinds, texts = append(kinds, k.kind), append(texts, k.text)
				}
			}
			if kinds == nil {
				continue
			}
			list := strings.Join(texts, ", ")
			if len(kinds) == len(kmsKinds) {
				list = "KMS events"
			}
			spots = append(spots, BlindSpot{Text: label + fmt.Sprintf(p.text, list), Kinds: kinds, AllOrNone: p.whole})
		}
	}
	return spots
}
