package usage

import (
	"encoding/json"
	"iter"
	"slices"
	"time"
)

// Assessment is a key with its evidence, the verdict on it and what holds it. It
// is what a plan takes and a report shows.
type Assessment struct {
	Finding Finding
	Verdict Verdict
	// Holds of the key and of its set. Nil: not judged, so not retirable.
	Holds []Hold
}

// Retirable tells whether the key may be retired now: it has an ARN, its class
// allows it, nothing blocks and nothing must be cleared first. The zero value is
// not.
//
// What can be judged again is: an assessment that lost part of its evidence on
// the way, through JSON perhaps, is not retirable, nor is one whose holds were
// taken out by hand.
func (a Assessment) Retirable() bool {
	f, v := a.Finding, a.Verdict
	switch v.Class {
	case Idle, Unused, Unrecorded:
	default:
		return false
	}
	if f.Account() == "" || a.Holds == nil || f.MultiRegion() && !placed(f) {
		return false
	}
	again := Classify(f, Policy{Window: time.Duration(v.WindowDays) * day, AsOf: v.Until})
	if again.Class != v.Class || again.TrailingDays != v.TrailingDays || !again.Until.Equal(v.Until) {
		return false
	}
	holding := func(h Hold) bool { return h.Kind != Advice }
	return !slices.ContainsFunc(a.Holds, holding) && !slices.ContainsFunc(keyHolds(f, v), holding)
}

// assessmentJSON is the flat form. What can be derived from the rest is written
// for readers and ignored when read back.
type assessmentJSON struct {
	ARN       string  `json:"arn"`
	Class     Class   `json:"class"`
	Retirable bool    `json:"retirable"`
	Holds     []Hold  `json:"holds"`
	Finding   Finding `json:"finding"`
	Verdict   Verdict `json:"verdict"`
}

// MarshalJSON writes arn, class, retirable, holds, finding and verdict.
func (a Assessment) MarshalJSON() ([]byte, error) {
	return json.Marshal(assessmentJSON{a.Finding.ARN, a.Verdict.Class, a.Retirable(), a.Holds, a.Finding, a.Verdict})
}

// UnmarshalJSON reads holds, finding and verdict. Where one is missing the
// assessment is not retirable.
func (a *Assessment) UnmarshalJSON(b []byte) error {
	var j assessmentJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*a = Assessment{Finding: j.Finding, Verdict: j.Verdict, Holds: j.Holds}
	return nil
}

// Assess judges findings together: each by [Classify] and [Holds], members of
// multi-Region sets by their set. It keeps the order. Give it the findings of
// all Regions: a member that is not among them holds its whole set.
func Assess(findings []Finding, p Policy) []Assessment {
	var (
		sets     = assemble(findings)
		verdicts = make(map[string]Verdict, len(findings))
		times    = make(map[string]int, len(findings))
		out      = make([]Assessment, 0, len(findings))
	)
	for _, f := range findings {
		v := Classify(f, p)
		out = append(out, Assessment{Finding: f, Verdict: v})
		times[f.ARN]++
		verdicts[f.ARN] = v
	}
	for i := range out {
		a := &out[i]
		groups := [][]Hold{keyHolds(a.Finding, a.Verdict)}
		if id, ok := setOf(a.Finding); ok {
			groups = append(groups, sets[id].holds(a.Finding, verdicts))
		} else {
			groups = append(groups, loneMember(a.Finding))
		}
		if times[a.Finding.ARN] > 1 {
			groups = append(groups, []Hold{{
				Code: Twice, Text: "the findings hold this key more than once",
				Clear: "keep one finding of each key",
			}})
		}
		a.Holds = inOrder(groups...)
	}
	return out
}

// AssessSeq judges findings as they come. Keys of a single Region are passed on
// at once; multi-Region keys wait for the end, when their sets are complete.
// Errors are passed on. It expects each key once, as [Inspect] and
// [InspectFleet] give them. A policy that cannot be meant yields one error.
func AssessSeq(seq iter.Seq2[Finding, error], p Policy) iter.Seq2[Assessment, error] {
	return func(yield func(Assessment, error) bool) {
		if err := p.Validate(); err != nil {
			yield(Assessment{}, err)
			return
		}
		var members []Finding
		for f, err := range seq {
			switch {
			case err != nil:
				if !yield(Assessment{}, err) {
					return
				}
			case f.MultiRegion():
				members = append(members, f)
			case !yield(Assess([]Finding{f}, p)[0], nil):
				return
			}
		}
		for _, a := range Assess(members, p) {
			if !yield(a, nil) {
				return
			}
		}
	}
}
