package kmsfake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// policyName is the only name a key policy can have.
const policyName = "default"

// DefaultPolicy returns the key policy that CreateKey gives a key of the account
// in the Region when it is given none: it lets IAM policies of the account
// decide.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
func DefaultPolicy(account, region string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "` + rootARN(scope{account, region}) + `"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
}

// managedPolicy is the form of the policy of an AWS managed key: use through one
// service by everybody in the account, and reading by the account.
func managedPolicy(sc scope, service string) string {
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + service + `-1",
  "Statement" : [ {
    "Sid" : "Allow access through ` + service + ` for all principals in the account that are authorized to use ` + service + `",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "` + sc.account + `",
        "kms:ViaService" : "` + service + `.` + sc.region + `.amazonaws.com"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "` + rootARN(sc) + `"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`
}

// trust is what one Allow statement without conditions lets a principal of
// another account do.
type trust struct {
	principals []string // ARNs or account IDs; * for everybody
	actions    []string // with the wildcards * and ?
}

// setPolicy gives the key a policy, its default one if text is empty. That of an
// AWS managed key is for the service that its alias names.
func setPolicy(k *key, text string, aliases []string) error {
	if text == "" {
		k.trust = nil // no default policy names another account
		k.policy = DefaultPolicy(k.store.account, k.store.region)
		if k.manager == types.KeyManagerTypeAws {
			service := "kms"
			if len(aliases) > 0 {
				service = strings.TrimPrefix(aliases[0], "alias/aws/")
			}
			k.policy = managedPolicy(k.store.scope, service)
		}
		return nil
	}
	t, err := parsePolicy(text)
	if err != nil {
		return err
	}
	k.policy, k.trust = text, t
	return nil
}

// parsePolicy checks the form of a policy and gathers what it lets others do.
func parsePolicy(text string) ([]trust, error) {
	var doc struct {
		Version   string
		Statement oneOrMany[struct {
			Effect    string
			Principal principals
			Action    oneOrMany[string]
			NotAction oneOrMany[string]
			Resource  oneOrMany[string]
			Condition map[string]json.RawMessage
		}]
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("the policy is not a policy document: %w", err)
	}
	if len(doc.Statement) == 0 {
		return nil, fmt.Errorf("the policy has no statement")
	}
	var out []trust
	for _, st := range doc.Statement {
		if st.Effect != "Allow" && st.Effect != "Deny" {
			return nil, fmt.Errorf("a statement has the effect %q", st.Effect)
		}
		if len(st.Action) == 0 && len(st.NotAction) == 0 {
			return nil, fmt.Errorf("a statement has no action")
		}
		if st.Effect == "Allow" && len(st.Condition) == 0 && len(st.Action) > 0 && len(st.Principal) > 0 {
			out = append(out, trust{principals: st.Principal, actions: st.Action})
		}
	}
	return out, nil
}

// oneOrMany is a list that the JSON of policies may give as a single value.
type oneOrMany[T any] []T

func (l *oneOrMany[T]) UnmarshalJSON(b []byte) error {
	var many []T
	if json.Unmarshal(b, &many) == nil {
		*l = many
		return nil
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*l = []T{one}
	return nil
}

// principals are the AWS principals of a statement.
type principals []string

func (p *principals) UnmarshalJSON(b []byte) error {
	var all string
	if json.Unmarshal(b, &all) == nil {
		*p = principals{all}
		return nil
	}
	var kinds map[string]oneOrMany[string]
	if err := json.Unmarshal(b, &kinds); err != nil {
		return err
	}
	*p = principals(kinds["AWS"])
	return nil
}

// trusts tells whether the key policy lets a principal of another account do
// the action, as far as a statement without conditions does.
func (k *key) trusts(who principal, action string) bool {
	root := rootARN(scope{who.account, k.store.region})
	for _, t := range k.trust {
		named := slices.ContainsFunc(t.principals, func(p string) bool {
			return p == "*" || p == who.account || p == root || p == who.arn || p == roleOf(who.arn)
		})
		if named && slices.ContainsFunc(t.actions, func(a string) bool { return wildcard(strings.ToLower(a), strings.ToLower(action)) }) {
			return true
		}
	}
	return false
}

// roleOf returns the ARN of the role of an assumed-role session, or "".
func roleOf(arn string) string {
	head, session, ok := strings.Cut(arn, ":assumed-role/")
	if !ok {
		return ""
	}
	role, _, _ := strings.Cut(session, "/")
	return strings.Replace(head, ":sts:", ":iam:", 1) + ":role/" + role
}

// wildcard matches s against a pattern in which * is anything and ? any one
// character.
func wildcard(pattern, s string) bool {
	for len(pattern) > 0 {
		switch {
		case pattern[0] == '*':
			for i := 0; i <= len(s); i++ {
				if wildcard(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case len(s) == 0 || pattern[0] != '?' && pattern[0] != s[0]:
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return len(s) == 0
}

func checkPolicyName(name *string) error {
	if name != nil && *name != policyName {
		return fail(codeNotFound, "No such policy exists")
	}
	return nil
}

func getKeyPolicy(c *call, in *kms.GetKeyPolicyInput) (*kms.GetKeyPolicyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	return &kms.GetKeyPolicyOutput{Policy: aws.String(k.policy), PolicyName: aws.String(policyName)}, nil
}

func listKeyPolicies(c *call, in *kms.ListKeyPoliciesInput) (*kms.ListKeyPoliciesOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	names, next, truncated, err := page(c, []string{policyName}, self, in.Limit, in.Marker, k.arn)
	if err != nil {
		return nil, err
	}
	return &kms.ListKeyPoliciesOutput{PolicyNames: names, NextMarker: next, Truncated: truncated}, nil
}

// putPolicy gives the key a policy from a request. Unless told to bypass the
// check, it refuses one that would lock the caller out: no statement without
// conditions lets the account or the caller change the policy again.
func (c *call) putPolicy(k *key, text string, bypass bool) error {
	if text == "" {
		return setPolicy(k, "", nil)
	}
	next := key{store: k.store}
	if err := setPolicy(&next, text, nil); err != nil {
		return fail(codeMalformedPolicy, "%s", err)
	}
	if !bypass && !next.trusts(c.caller, "kms:PutKeyPolicy") {
		return fail(codeMalformedPolicy, "The new key policy will not allow you to update the key policy in the future.")
	}
	k.policy, k.trust = next.policy, next.trust
	return nil
}

func putKeyPolicy(c *call, in *kms.PutKeyPolicyInput) (*kms.PutKeyPolicyOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyName(in.PolicyName); err != nil {
		return nil, err
	}
	if err := c.putPolicy(k, *in.Policy, in.BypassPolicyLockoutSafetyCheck); err != nil {
		return nil, err
	}
	return &kms.PutKeyPolicyOutput{}, nil
}
