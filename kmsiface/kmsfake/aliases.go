package kmsfake

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// alias is a name for a key. One that AWS has predefined may have no key yet.
type alias struct {
	name             string // with the prefix alias/
	key              *key
	created, updated time.Time
}

func (st *store) addAlias(name string, k *key, now time.Time) {
	st.aliases[name] = &alias{name: name, key: k, created: now, updated: now}
	st.aliasNames.add(name)
	if k != nil {
		k.aliases = insertSorted(k.aliases, name)
	}
}

func (st *store) dropAlias(name string) {
	if k := st.aliases[name].key; k != nil {
		k.aliases = slices.DeleteFunc(k.aliases, func(s string) bool { return s == name })
	}
	delete(st.aliases, name)
	st.aliasNames.remove(name)
}

func insertSorted(s []string, v string) []string {
	i, _ := slices.BinarySearch(s, v)
	return slices.Insert(s, i, v)
}

// AddPredefinedAlias adds an alias such as aws/ebs that AWS has created but not
// yet given a key: ListAliases shows it without TargetKeyId, and DescribeKey
// creates its AWS managed key.
func (s *Server) AddPredefinedAlias(account, region, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = "alias/" + strings.TrimPrefix(name, "alias/")
	st, err := s.place(account, region)
	if err != nil {
		return fmt.Errorf("kmsfake: cannot predefine %q: %w", name, err)
	}
	if !aliasPattern.MatchString(name) || !strings.HasPrefix(name, "alias/aws/") || st.aliases[name] != nil {
		return fmt.Errorf("kmsfake: cannot predefine %q in %s %s", name, account, region)
	}
	st.addAlias(name, nil, s.now())
	return nil
}

func listAliases(c *call, in *kms.ListAliasesInput) (*kms.ListAliasesOutput, error) {
	st := c.srv.store(c.scope())
	names, subject := st.aliasNames.all(), ""
	if in.KeyId != nil {
		k, err := c.key(in.KeyId)
		if err != nil {
			return nil, err
		}
		names, subject = k.aliases, k.arn
	}
	names, next, truncated, err := page(c, names, self, in.Limit, in.Marker, subject)
	if err != nil {
		return nil, err
	}
	out := &kms.ListAliasesOutput{Aliases: make([]types.AliasListEntry, 0, len(names)), NextMarker: next, Truncated: truncated}
	for _, name := range names {
		a := st.aliases[name]
		e := types.AliasListEntry{
			AliasName:       aws.String(name),
			AliasArn:        aws.String(st.arn(name)),
			CreationDate:    aws.Time(a.created),
			LastUpdatedDate: aws.Time(a.updated),
		}
		if a.key != nil {
			e.TargetKeyId = aws.String(a.key.id)
		}
		out.Aliases = append(out.Aliases, e)
	}
	return out, nil
}

// mostAliases is how many aliases a key can have.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html
const mostAliases = 50

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

// checkAliasName refuses names that a customer cannot give.
func checkAliasName(name string) error {
	rest, ok := strings.CutPrefix(name, "alias/")
	switch {
	case !aliasPattern.MatchString(name):
		return invalidMember(name, "aliasName", "Member must satisfy regular expression pattern: "+aliasPattern.String())
	case !ok, rest == "", strings.Contains(rest, ":"), strings.HasPrefix(rest, "aws/"):
		return fail(codeInvalidAliasName, "Invalid alias name %s", name)
	}
	return nil
}

func createAlias(c *call, in *kms.CreateAliasInput) (*kms.CreateAliasOutput, error) {
	if err := checkAliasName(*in.AliasName); err != nil {
		return nil, err
	}
	k, err := c.key(in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	switch {
	case k.store.aliases[*in.AliasName] != nil:
		return nil, fail(codeAlreadyExists, "An alias with the name %s already exists", k.store.arn(*in.AliasName))
	case len(k.aliases) >= mostAliases:
		return nil, fail(codeLimitExceeded, "%s has %d aliases already", k.arn, mostAliases)
	}
	k.store.addAlias(*in.AliasName, k, c.now)
	c.note(k.store.arn(*in.AliasName))
	return &kms.CreateAliasOutput{}, nil
}

// alias finds an alias to change in the caller's account and Region.
func (c *call) alias(name string) (*alias, error) {
	if err := checkAliasName(name); err != nil {
		return nil, err
	}
	a := c.srv.store(c.scope()).aliases[name]
	if a == nil {
		return nil, fail(codeNotFound, "Alias %s is not found.", c.scope().arn(name))
	}
	return a, nil
}

// updateAlias minds the state of the key that the alias is to name, not of that
// which it has named.
func updateAlias(c *call, in *kms.UpdateAliasInput) (*kms.UpdateAliasOutput, error) {
	a, err := c.alias(*in.AliasName)
	if err != nil {
		return nil, err
	}
	k, err := c.key(in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	switch {
	case isAsymmetric(k.spec) != isAsymmetric(a.key.spec), isHMAC(k.spec) != isHMAC(a.key.spec), k.usage != a.key.usage:
		return nil, invalid("Alias %s cannot be changed from a KMS key of spec %s and usage %s to one of spec %s and usage %s", a.name, a.key.spec, a.key.usage, k.spec, k.usage)
	case k != a.key && len(k.aliases) >= mostAliases:
		return nil, fail(codeLimitExceeded, "%s has %d aliases already", k.arn, mostAliases)
	}
	a.key.aliases = slices.DeleteFunc(slices.Clone(a.key.aliases), func(s string) bool { return s == a.name })
	k.aliases = insertSorted(k.aliases, a.name)
	a.key, a.updated = k, c.now
	c.note(k.store.arn(a.name))
	return &kms.UpdateAliasOutput{}, nil
}

func deleteAlias(c *call, in *kms.DeleteAliasInput) (*kms.DeleteAliasOutput, error) {
	a, err := c.alias(*in.AliasName)
	if err != nil {
		return nil, err
	}
	c.note(c.scope().arn(a.name))
	c.note(a.key.arn)
	c.srv.store(c.scope()).dropAlias(a.name)
	return &kms.DeleteAliasOutput{}, nil
}
