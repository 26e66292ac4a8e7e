package usage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// policyNames returns whom a key policy lets do anything, besides the account's
// own root, in order and each once. A statement that only denies lets nobody. What
// is not understood is an error, never nobody.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func policyNames(doc, account string) ([]string, error) {
	var p struct{ Statement oneOrMany[statement] }
	d := json.NewDecoder(bytes.NewReader([]byte(doc)))
	if err := d.Decode(&p); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("something follows the document")
	}
	if len(p.Statement) == 0 {
		return nil, fmt.Errorf("no Statement")
	}
	var who []string
	for i, s := range p.Statement {
		switch s.Effect {
		case "Deny":
			continue
		case "Allow":
		default:
			return nil, fmt.Errorf("statement %d: Effect is %q", i, s.Effect)
		}
		if len(s.NotPrincipal) > 0 {
			who = append(who, "everyone but some")
			continue
		}
		names, err := principals(s.Principal)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		for _, n := range names {
			if !isRoot(n, account) || len(s.Condition) > 0 {
				who = append(who, n)
			}
		}
	}
	slices.Sort(who)
	return slices.Compact(who), nil
}

type statement struct {
	Effect       string
	Principal    json.RawMessage
	NotPrincipal json.RawMessage
	Condition    json.RawMessage
}

// principals reads "*" or {"AWS": one or many, "Service": …}.
func principals(raw json.RawMessage) ([]string, error) {
	var star string
	if json.Unmarshal(raw, &star) == nil {
		return []string{star}, nil
	}
	var byKind map[string]oneOrMany[string]
	if err := json.Unmarshal(raw, &byKind); err != nil {
		return nil, fmt.Errorf("Principal: %w", err)
	}
	var out []string
	for _, names := range byKind {
		out = append(out, names...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no Principal")
	}
	return out, nil
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
