package cloudtrail

import (
	"cmp"
	"slices"

	"github.com/kmsusage/usage"
)

// The operations that switch a key off and on, and what KMS does of itself when
// imported key material expires.
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-deleteexpiredkeymaterial.html
const (
	opDisableKey      = "DisableKey"
	opEnableKey       = "EnableKey"
	opScheduleDelete  = "ScheduleKeyDeletion"
	opCancelDelete    = "CancelKeyDeletion"
	opImportMaterial  = "ImportKeyMaterial"
	opDeleteMaterial  = "DeleteImportedKeyMaterial"
	opMaterialExpired = "DeleteExpiredKeyMaterial"
)

// switchRank puts the operations in the order in which they are tried where
// events of one time can be replayed in more than one; zero: none of them.
func switchRank(op string) int {
	switch op {
	case opCancelDelete:
		return 1
	case opEnableKey:
		return 2
	case opImportMaterial:
		return 3
	case opDisableKey:
		return 4
	case opDeleteMaterial, opMaterialExpired:
		return 5
	case opScheduleDelete:
		return 6
	default:
		return 0
	}
}

// keyPower is why a key cannot be used. Zero: it can.
type keyPower struct{ disabled, pending, noMaterial bool }

func (p keyPower) usable() bool { return p == keyPower{} }

// after is the state that a successful call leaves, and whether the present one is
// one in which KMS takes it.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func (p keyPower) after(op string) (next keyPower, accepted bool) {
	switch op {
	case opDisableKey:
		return keyPower{true, p.pending, p.noMaterial}, !p.pending && !p.noMaterial
	case opScheduleDelete:
		return keyPower{p.disabled, true, p.noMaterial}, !p.pending
	case opDeleteMaterial, opMaterialExpired:
		return keyPower{p.disabled, p.pending, true}, true
	case opCancelDelete: // "the key state of the KMS key is Disabled"
		return keyPower{true, false, p.noMaterial}, p.pending
	case opEnableKey:
		// Refused while deletion or import is pending: what ended that was not seen.
		return keyPower{}, !p.pending && !p.noMaterial
	case opImportMaterial:
		// "the state of the KMS key changes to Enabled", if it lacked the material; a
		// key with several also needs the others, which no event tells. To import
		// the material again that is there changes nothing.
		if !p.noMaterial {
			return p, !p.pending
		}
		return keyPower{}, !p.pending
	default:
		return p, false
	}
}

// off returns the event since which a key cannot be used: see [replay].
func off(events []usage.Event) *usage.Event { return replay(events).off }

// replayedSwitches is what the events of a key tell when they are replayed.
type replayedSwitches struct {
	// off is the event since which the key cannot be used: the one by which it went
	// from usable to unusable for the last time. Nil: it ended usable, or nothing
	// was seen.
	off   *usage.Event
	wasOn bool // before off it was on for certain
	on    bool // it ended on for certain
}

// replay returns all that the events of a key tell.
//
// The events may come in any order, some twice; failed ones and other operations
// do not count. Before the first the key is taken for usable, so that one that was
// off already is off since the first event that proves it: CancelKeyDeletion does,
// for it leaves a key disabled.
//
// CloudTrail's times are whole seconds, and a program cancels a deletion and
// enables the key within one. Events of one time are replayed in an order that
// KMS would have accepted, if there is one, else by operation and event ID.
//
// That the key was on shows EnableKey alone. KMS takes DisableKey, and the other
// calls that switch off, also where they change nothing, so that the first that is
// seen tells nothing of before; and ImportKeyMaterial leaves a key as it was whose
// other key material is missing.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func replay(events []usage.Event) replayedSwitches {
	list := make([]usage.Event, 0, len(events))
	for _, e := range events {
		if e.ErrorCode == "" && switchRank(e.Operation) > 0 {
			list = append(list, e)
		}
	}
	slices.SortStableFunc(list, func(a, b usage.Event) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(switchRank(a.Operation), switchRank(b.Operation)),
			cmp.Compare(a.EventID, b.EventID), cmp.Compare(b.Principal, a.Principal))
	})
	list = slices.CompactFunc(list, func(a, b usage.Event) bool {
		return a.EventID != "" && a.EventID == b.EventID && a.At.Equal(b.At) && a.Operation == b.Operation
	})

	var (
		power keyPower
		r     replayedSwitches
	)
	for i := range list {
		bringNext(list[i:], power)
		e := list[i]
		was := power.usable()
		power, _ = power.after(e.Operation)
		switch {
		case power.usable():
			r.off, r.on = nil, r.on || e.Operation == opEnableKey
		case was:
			r.off, r.wasOn, r.on = &e, r.on, false
		}
	}
	return r
}

// bringNext brings the event to replay next to the front of the list, in which
// the first ones are of one time.
func bringNext(list []usage.Event, power keyPower) {
	for i, e := range list {
		if !e.At.Equal(list[0].At) {
			return
		}
		if next, accepted := power.after(e.Operation); accepted && next != power {
			copy(list[1:i+1], list[:i])
			list[0] = e
			return
		}
	}
}
