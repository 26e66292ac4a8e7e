package usage

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

const fuzzAccount = "111122223333"

// FuzzPolicyNames holds the reading of key policies to a slow one over generic
// JSON: a document that is said to name nobody must let nobody but root in.
func FuzzPolicyNames(f *testing.F) {
	for _, doc := range []string{
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}`,
		`{"Statement":{"Effect":"Allow","Principal":"*","Action":"kms:Decrypt"}}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["111122223333","arn:aws:iam::444455556666:root"]}}]}`,
		`{"Statement":[{"Effect":"Deny","Principal":"*"},{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"}}]}`,
		`{"Statement":[{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Condition":{}}]}`,
		`{"Statement":[],"Statement":[{"Effect":"Allow","Principal":{"AWS":null}}]}`,
		`{"statement":[{"effect":"Allow","principal":"*"}]}`, `{}`, ``, `[]`, `null`, `{"Statement":[null]}`,
	} {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		who, err := policyNames(doc, fuzzAccount)
		if err != nil || len(who) > 0 {
			return
		}
		var generic any
		if err := json.Unmarshal([]byte(doc), &generic); err != nil {
			t.Fatalf("names nobody, but is no JSON: %v", err)
		}
		for _, s := range everyPrincipal(generic) {
			if !strings.Contains(s, fuzzAccount) {
				t.Errorf("names nobody, but has the principal %q: %s", s, doc)
			}
		}
	})
}

// everyPrincipal collects the principals of all statements that do not deny.
func everyPrincipal(v any) []string {
	var out []string
	doc, _ := v.(map[string]any)
	for k, st := range doc {
		if !strings.EqualFold(k, "Statement") {
			continue
		}
		list, many := st.([]any)
		if !many {
			list = []any{st}
		}
		for _, one := range list {
			s, _ := one.(map[string]any)
			if s["Effect"] == "Deny" {
				continue
			}
			out = append(out, stringsIn(s["Principal"])...)
			if s["NotPrincipal"] != nil {
				out = append(out, "NotPrincipal")
			}
		}
	}
	return out
}

func stringsIn(v any) []string {
	var out []string
	switch v := v.(type) {
	case string:
		out = append(out, v)
	case []any:
		for _, e := range v {
			out = append(out, stringsIn(e)...)
		}
	case map[string]any:
		for _, e := range v {
			out = append(out, stringsIn(e)...)
		}
	}
	return out
}

// FuzzAssessmentJSON takes assessments from anywhere. What is retirable must be
// so again after a round trip, and must hold all the evidence that it takes.
func FuzzAssessmentJSON(f *testing.F) {
	read := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	created := read.Add(-200 * day)
	good := Assess([]Finding{{
		ARN:       "arn:aws:kms:us-east-1:" + fuzzAccount + ":key/1234abcd-12ab-34cd-56ef-1234567890ab",
		LastUsage: &LastUsage{ReadAt: read, TrackingStart: created, Created: created},
		Metadata: &Metadata{
			Created: created, Manager: types.KeyManagerTypeCustomer, State: types.KeyStateEnabled,
			Spec: types.KeySpecSymmetricDefault, Usage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
		},
		Aliases: []string{}, Grants: []Grant{}, Tags: map[string]string{}, Rotations: []Rotation{},
		Policy: `{"Statement":[{"Effect":"Allow","Principal":{"AWS":"` + fuzzAccount + `"}}]}`,
	}}, Policy{})[0]
	if !good.Retirable() {
		f.Fatalf("the seed is not retirable: %v", good.Holds)
	}
	seed, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"class":"Idle","retirable":true,"holds":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var a Assessment
		if json.Unmarshal(b, &a) != nil || !a.Retirable() {
			return
		}
		if fd := a.Finding; fd.LastUsage == nil || fd.LastUsage.ReadAt.IsZero() || fd.Metadata == nil || fd.Grants == nil || fd.Policy == "" {
			t.Fatalf("retirable without evidence: %s", b)
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var c Assessment
		if err := json.Unmarshal(again, &c); err != nil || !c.Retirable() {
			t.Errorf("not retirable any more after a round trip (%v): %s", err, again)
		}
	})
}
