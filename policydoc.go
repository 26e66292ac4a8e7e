package usage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// policyNames returns whom a key policy lets do anything, besides the account's
// own root, in order and each once. A statement that only denies lets nobody. What
// is not understood is an error, never nobody: an element that is repeated, or
// whose name is written in other letters.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func policyNames(doc, account string) ([]string, error) {
	if err := noRepeats(doc); err != nil {
		return nil, err
	}
	var p map[string]json.RawMessage
	if err := json.Unmarshal([]byte(doc), &p); err != nil {
		return nil, err
	}
	if err := spelled(p, "Statement"); err != nil {
		return nil, err
	}
	var statements oneOrMany[map[string]json.RawMessage]
	if err := json.Unmarshal(orNull(p["Statement"]), &statements); err != nil {
		return nil, fmt.Errorf("element Statement: %w", err)
	}
	if len(statements) == 0 {
		return nil, errors.New("no Statement")
	}
	var who []string
	for i, s := range statements {
		names, err := letsIn(s, account)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		who = append(who, names...)
	}
	slices.Sort(who)
	return slices.Compact(who), nil
}

// letsIn returns whom one statement lets in.
func letsIn(s map[string]json.RawMessage, account string) ([]string, error) {
	if err := spelled(s, "Effect", "Principal", "NotPrincipal", "Condition"); err != nil {
		return nil, err
	}
	var effect string
	if err := json.Unmarshal(orNull(s["Effect"]), &effect); err != nil {
		return nil, fmt.Errorf("element Effect: %w", err)
	}
	switch {
	case effect == "Deny":
		return nil, nil
	case effect != "Allow":
		return nil, fmt.Errorf("the Effect is %q", effect)
	case s["NotPrincipal"] != nil:
		return []string{"everyone but some"}, nil
	}
	var star string
	if json.Unmarshal(orNull(s["Principal"]), &star) == nil && star != "" {
		return []string{star}, nil
	}
	var byKind map[string]oneOrMany[string]
	if err := json.Unmarshal(orNull(s["Principal"]), &byKind); err != nil {
		return nil, fmt.Errorf("element Principal: %w", err)
	}
	var who []string
	some := false
	for kind, names := range byKind {
		for _, n := range names {
			if n == "" {
				return nil, fmt.Errorf("a principal of kind %s has no name", kind)
			}
			if some = true; kind != "AWS" || !isRoot(n, account) || s["Condition"] != nil {
				who = append(who, n)
			}
		}
	}
	if !some {
		return nil, errors.New("no Principal")
	}
	return who, nil
}

// spelled refuses a member whose name is one of names in other letters.
func spelled(object map[string]json.RawMessage, names ...string) error {
	for member := range object {
		for _, n := range names {
			if member != n && strings.EqualFold(member, n) {
				return fmt.Errorf("the element %q is to be written %q", member, n)
			}
		}
	}
	return nil
}

// orNull makes a missing element one that decodes to nothing.
func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// noRepeats refuses a document in which an object has a member twice: of those
// encoding/json keeps the last, and who knows which one AWS goes by.
func noRepeats(doc string) error {
	if len(doc) > maxPolicy {
		return fmt.Errorf("%d bytes are more than a key policy can have", len(doc))
	}
	d := json.NewDecoder(strings.NewReader(doc))
	if err := walk(d); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the document")
	}
	return nil
}

// maxPolicy is well above the 32 KB that KMS takes.
// https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const maxPolicy = 256 << 10

func walk(d *json.Decoder) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	switch t {
	case json.Delim('['):
		for d.More() {
			if err := walk(d); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		seen := map[string]bool{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return err
			}
			n, _ := name.(string)
			if seen[n] {
				return fmt.Errorf("the element %q stands twice in one place", n)
			}
			seen[n] = true
			if err := walk(d); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = d.Token() // the closing delimiter
	return err
}

// isRoot: the account principal in both its forms, in any partition.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func isRoot(principal, account string) bool {
	if account == "" {
		return false
	}
	f := strings.SplitN(principal, ":", 6)
	return principal == account ||
		len(f) == 6 && f[0] == "arn" && f[2] == "iam" && f[4] == account && f[5] == "root"
}

// oneOrMany is JSON that may be a list or a single element of it.
type oneOrMany[T any] []T

func (l *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]T)(l))
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = oneOrMany[T]{one}
	return nil
}
