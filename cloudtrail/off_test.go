package cloudtrail

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage"
)

// replayed makes events of words such as "Disable@3" or "Enable@4!", which failed,
// and names them a, b, c …
func replayed(words string) []usage.Event {
	ops := map[string]string{
		"Disable": opDisableKey, "Enable": opEnableKey, "Schedule": opScheduleDelete, "Cancel": opCancelDelete,
		"Import": opImportMaterial, "Delete": opDeleteMaterial, "Expire": opMaterialExpired, "Decrypt": "Decrypt",
	}
	var out []usage.Event
	for i, word := range strings.Fields(words) {
		var second int
		name, when, _ := strings.Cut(word, "@")
		when, failed := strings.CutSuffix(when, "!")
		if _, err := fmt.Sscan(when, &second); err != nil {
			panic(err)
		}
		e := usage.Event{At: time.Unix(int64(second), 0).UTC(), Operation: ops[name], EventID: string(rune('a' + i))}
		if failed {
			e.ErrorCode = "AccessDenied"
		}
		out = append(out, e)
	}
	return out
}

func TestAKeyIsOffSinceTheEventThatMadeItUnusableForTheLastTime(t *testing.T) {
	for name, tt := range map[string]struct {
		events string
		want   string // event ID; empty: not off
	}{
		"nothing was seen":                                          {"", ""},
		"disabled":                                                  {"Disable@1", "a"},
		"disabled and enabled":                                      {"Disable@1 Enable@2", ""},
		"disabled, enabled and disabled again":                      {"Disable@1 Enable@2 Disable@3", "c"},
		"disabled twice":                                            {"Disable@1 Disable@2", "a"},
		"disabled, then scheduled for deletion":                     {"Disable@1 Schedule@2", "a"},
		"a canceled deletion leaves it disabled":                    {"Schedule@1 Cancel@2", "a"},
		"a canceled deletion, then enabled":                         {"Schedule@1 Cancel@2 Enable@3", ""},
		"canceled and scheduled anew":                               {"Schedule@1 Cancel@2 Schedule@3", "a"},
		"canceled, enabled and scheduled anew":                      {"Schedule@1 Cancel@2 Enable@3 Schedule@4", "d"},
		"its key material deleted":                                  {"Delete@1", "a"},
		"its key material deleted and imported":                     {"Delete@1 Import@2", ""},
		"its key material expired":                                  {"Expire@1", "a"},
		"disabled, without key material, and imported: enabled":     {"Disable@1 Delete@2 Import@3", ""},
		"material deleted while deletion is pending, then imported": {"Schedule@1 Delete@2 Cancel@3", "a"},
		"material that is there imported again":                     {"Disable@1 Import@2", "a"},
		"the first import of a new key":                             {"Import@1", ""},
		"failed calls switch nothing":                               {"Disable@1! Disable@2 Enable@3!", "b"},
		"uses switch nothing":                                       {"Disable@1 Decrypt@2", "a"},
		"in any order":                                              {"Disable@3 Enable@2 Disable@1", "a"},
		"enabled: what ended the pending deletion was not seen":     {"Schedule@1 Enable@3", ""},
		"it was off before the first event seen":                    {"Cancel@1", "a"},
		"canceled and enabled within a second, the other way round": {"Schedule@1 Enable@2 Cancel@2", ""},
		"the same, the deletion not seen":                           {"Enable@2 Cancel@2", ""},
		"disabled and enabled within a second":                      {"Enable@2 Disable@2", ""},
		"enabled and disabled within a second":                      {"Disable@1 Disable@2 Enable@2", "b"},
		"scheduled and disabled within a second":                    {"Schedule@1 Disable@1", "b"},
		"scheduled and canceled within a second":                    {"Cancel@1 Schedule@1", "b"},
		"enabled and scheduled within a second":                     {"Disable@1 Schedule@2 Enable@2", "b"},
		"material deleted and imported within a second":             {"Import@1 Delete@1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			events := replayed(tt.events)
			got := ""
			if e := off(events); e != nil {
				got = e.EventID
			}
			if got != tt.want {
				t.Errorf("off since %q, want %q", got, tt.want)
			}
			// Neither the order nor copies change the answer.
			r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // not for secrets
			for range 20 {
				more := append(replayed(tt.events), events...)
				r.Shuffle(len(more), func(i, j int) { more[i], more[j] = more[j], more[i] })
				again := ""
				if e := off(more); e != nil {
					again = e.EventID
				}
				if again != got {
					t.Fatalf("off since %q in another order, not %q", again, got)
				}
			}
		})
	}
}

// A key that is switched as KMS allows is off since when it says, however many of
// the calls fall into one second, if no more than two do.
func TestEveryHistoryThatKMSAllowsEndsInTheStateItEndedIn(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // not for secrets
	ops := []string{opDisableKey, opEnableKey, opScheduleDelete, opCancelDelete, opImportMaterial, opDeleteMaterial}
	for range 20_000 {
		var (
			events []usage.Event
			power  keyPower
			second int
			inIt   int
		)
		for len(events) < 1+r.IntN(8) {
			op := ops[r.IntN(len(ops))]
			next, accepted := power.after(op)
			if !accepted || next == power {
				continue
			}
			power = next
			if inIt++; inIt == 2 || r.IntN(2) == 0 {
				second, inIt = second+1, 0
			}
			events = append(events, usage.Event{At: time.Unix(int64(second), 0), Operation: op, EventID: fmt.Sprint(r.Uint32())})
		}
		r.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		if got := off(events); (got == nil) != power.usable() {
			t.Fatalf("off since %+v, but usable: %v; %+v", got, power.usable(), events)
		}
	}
}

func TestOnlyEnableKeyShowsThatAKeyWasOn(t *testing.T) {
	for events, want := range map[string][2]bool{ // before it was switched off, and at the end
		"":                                     {false, false},
		"Enable@1":                             {false, true},
		"Enable@1 Disable@2":                   {true, false},
		"Enable@1 Disable@2 Disable@3":         {true, false},
		"Enable@1! Disable@2":                  {false, false},
		"Disable@1":                            {false, false},
		"Disable@1 Enable@2 Schedule@3":        {true, false},
		"Schedule@1 Cancel@2":                  {false, false},
		"Import@1":                             {false, false},
		"Enable@1 Import@2":                    {false, true},
		"Enable@1 Delete@2 Import@3":           {true, false},
		"Enable@1 Delete@2 Import@3 Disable@4": {false, false},
	} {
		t.Run(events, func(t *testing.T) {
			if r := replay(replayed(events)); r.wasOn != want[0] || r.on != want[1] {
				t.Errorf("was on %v, is on %v, want %v", r.wasOn, r.on, want)
			}
		})
	}
}
