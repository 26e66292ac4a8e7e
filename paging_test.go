package usage_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// Page sizes at most: 1000 of ListKeys and ListKeyRotations, 100 of ListAliases
// and ListGrants, 50 of ListResourceTags. As few calls as that allows.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html
func TestListsAreReadToTheirLastPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) {
			k.Tags = map[string]string{}
			for n := range 250 {
				k.Aliases = append(k.Aliases, fmt.Sprintf("name-%03d", n))
				k.Grants = append(k.Grants, kmsfake.Grant{Name: fmt.Sprintf("grant-%03d", n), GranteePrincipal: "arn:aws:iam::111122223333:role/R", Operations: []types.GrantOperation{types.GrantOperationDecrypt}})
				k.Tags[fmt.Sprintf("tag-%03d", n)] = strconv.Itoa(n)
			}
			for n := range 1500 {
				k.Rotations = append(k.Rotations, longAgo.Add(time.Duration(n)*time.Hour))
			}
		})
		f := mustInspectOne(t, srv.Client(home, ohio))
		wantGaps(t, f, nil)
		if len(f.Aliases) != 250 || len(f.Grants) != 250 || len(f.Tags) != 250 || len(f.Rotations) != 1500 {
			t.Errorf("read %d aliases, %d grants, %d tags and %d rotations; want 250, 250, 250 and 1500",
				len(f.Aliases), len(f.Grants), len(f.Tags), len(f.Rotations))
		}
		if !slices.IsSorted(f.Aliases) || f.Aliases[0] != "alias/name-000" {
			t.Errorf("aliases are not in order: %v", f.Aliases)
		}
		names := map[string]bool{}
		for _, g := range f.Grants {
			names[g.Name] = true
		}
		if len(names) != 250 {
			t.Errorf("%d different grants, want 250", len(names))
		}
		want := map[string]int{"ListKeys": 1, "DescribeKey": 1, "GetKeyLastUsage": 1, "GetKeyPolicy": 1, "ListAliases": 3, "ListGrants": 3, "ListResourceTags": 5, "ListKeyRotations": 2}
		if got := attempts(srv); !maps.Equal(got, want) {
			t.Errorf("calls = %v, want %v", got, want)
		}
	})
}

func TestThousandsOfKeysAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		arns := fill(t, srv, home, ohio, 2345)
		fs := mustCollect(t, srv.Client(home, ohio), listingOnly)
		if got := arnsOf(fs); !slices.Equal(got, arns) {
			t.Errorf("found %d keys, want %d", len(got), len(arns))
		}
		if got := attempts(srv); !maps.Equal(got, map[string]int{"ListKeys": 3}) {
			t.Errorf("calls = %v, want three pages", got)
		}
	})
}

// "KMS does not return more than the specified number of items, but it might
// return fewer": none, too.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html
func TestAnEmptyPageIsNotTheLast(t *testing.T) {
	arns := manyARNs(3)
	lists := map[string][][]types.KeyListEntry{
		"first":  {{}, entries(arns...)},
		"middle": {entries(arns[:1]...), {}, entries(arns[1:]...)},
		"last":   {entries(arns...), {}},
	}
	for where, pages := range lists {
		t.Run(where, func(t *testing.T) {
			c := &stub{listKeys: func(in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
				i := pageOf(in.Marker)
				out := &kms.ListKeysOutput{Keys: pages[i]}
				out.NextMarker, out.Truncated = follows(i, len(pages))
				return out, nil
			}}
			if got := arnsOf(mustCollect(t, c)); !slices.Equal(got, arns) {
				t.Errorf("found %v, want %v", got, arns)
			}
		})
	}
}

func pageOf(marker *string) int {
	if marker == nil {
		return 0
	}
	i, err := strconv.Atoi(*marker)
	if err != nil {
		panic(err)
	}
	return i
}

func follows(i, of int) (*string, bool) {
	if i+1 == of {
		return nil, false
	}
	return aws.String(strconv.Itoa(i + 1)), true
}

// markers gives the marker after each page: of a list that never ends.
type markers func(page int) *string

var endless = map[string]markers{
	"the same marker twice":                func(int) *string { return aws.String("A") },
	"A, B and A again":                     func(page int) *string { return aws.String(string("AB"[page%2])) },
	"a circle that leaves the first out":   func(page int) *string { return aws.String(string("ABC"[min(page, 1)+max(0, page-1)%2])) },
	"a marker that comes back much later":  func(page int) *string { return aws.String(strconv.Itoa(page % 40)) },
	"a truncated page without a marker":    func(int) *string { return nil },
	"a truncated page, its marker empty":   func(int) *string { return aws.String("") },
	"without a marker after several pages": func(page int) *string { return map[bool]*string{true: aws.String(strconv.Itoa(page))}[page < 3] },
}

// counted tells how often it was called before, and gives up where a reader
// that goes round for ever would not.
func counted(t *testing.T, m markers) func() *string {
	t.Helper()
	n := -1
	return func() *string {
		if n++; n > 1000 {
			t.Error("a thousand pages were asked for")
			return nil
		}
		return m(n)
	}
}

func TestAListOfKeysThatNeverEndsIsAnErrorAfterTheKeysSeen(t *testing.T) {
	for name, m := range endless {
		t.Run(name, func(t *testing.T) {
			arns := manyARNs(2)
			marker := counted(t, m)
			c := &stub{listKeys: func(*kms.ListKeysInput) (*kms.ListKeysOutput, error) {
				return &kms.ListKeysOutput{Keys: entries(arns...), Truncated: true, NextMarker: marker()}, nil
			}}
			fs, err := usage.Collect(usage.Inspect(t.Context(), c))
			if got := arnsOf(fs); !slices.Equal(got, arns) {
				t.Errorf("found %v, want the two keys that were listed, each once", got)
			}
			es := targetErrors(t, err)
			if len(es) != 1 || es[0].Op != "ListKeys" || !errors.Is(err, usage.ErrMalformed) {
				t.Fatalf("err = %v, want one TargetError of ListKeys that is ErrMalformed", err)
			}
			if es[0].Account != home || es[0].Region != ohio || es[0].Listed != 2 || es[0].Read != 2 {
				t.Errorf("error = %+v, want two keys listed and read", es[0])
			}
		})
	}
}

func TestOtherListsThatNeverEndAreGaps(t *testing.T) {
	kept := map[string]func(usage.Finding) int{
		"ListAliases":      func(f usage.Finding) int { return len(f.Aliases) },
		"ListGrants":       func(f usage.Finding) int { return len(f.Grants) },
		"ListResourceTags": func(f usage.Finding) int { return len(f.Tags) },
		"ListKeyRotations": func(f usage.Finding) int { return len(f.Rotations) },
	}
	for op, count := range kept {
		for name, m := range endless {
			t.Run(op+": "+name, func(t *testing.T) {
				marker := counted(t, m)
				c := &stub{keys: manyARNs(1)}
				id := c.keys[0][strings.LastIndex(c.keys[0], "/")+1:]
				switch op {
				case "ListAliases":
					c.listAliases = func(*kms.ListAliasesInput) (*kms.ListAliasesOutput, error) {
						return &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{{AliasName: aws.String("alias/a"), TargetKeyId: &id}}, Truncated: true, NextMarker: marker()}, nil
					}
				case "ListGrants":
					c.listGrants = func(*kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
						return &kms.ListGrantsOutput{Grants: []types.GrantListEntry{{GrantId: aws.String("g")}}, Truncated: true, NextMarker: marker()}, nil
					}
				case "ListResourceTags":
					c.listTags = func(*kms.ListResourceTagsInput) (*kms.ListResourceTagsOutput, error) {
						return &kms.ListResourceTagsOutput{Tags: []types.Tag{{TagKey: aws.String("k"), TagValue: aws.String("v")}}, Truncated: true, NextMarker: marker()}, nil
					}
				case "ListKeyRotations":
					c.listRotations = func(*kms.ListKeyRotationsInput) (*kms.ListKeyRotationsOutput, error) {
						return &kms.ListKeyRotationsOutput{Rotations: []types.RotationsListEntry{{RotationDate: aws.Time(ago(9))}}, Truncated: true, NextMarker: marker()}, nil
					}
				}
				f := mustInspectOne(t, c)
				wantGaps(t, f, map[string]usage.GapReason{op: usage.Malformed})
				if g, _ := f.Gap(op); !errors.Is(g.Err, usage.ErrMalformed) {
					t.Errorf("gap error = %v, want ErrMalformed", g.Err)
				}
				if count(f) == 0 {
					t.Error("what the pages held before is lost; it is evidence")
				}
			})
		}
	}
}

func TestAPageThatFailsLeavesAGapAndKeepsThePagesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 1, func(_ int, k *kmsfake.Key) {
			k.Tags = map[string]string{}
			for n := range 120 {
				k.Aliases = append(k.Aliases, fmt.Sprintf("name-%03d", n))
				k.Grants = append(k.Grants, kmsfake.Grant{GranteePrincipal: "arn:aws:iam::111122223333:role/R", Operations: []types.GrantOperation{types.GrantOperationDecrypt}})
				k.Tags[fmt.Sprintf("tag-%03d", n)] = "v"
			}
			for n := range 1200 {
				k.Rotations = append(k.Rotations, longAgo.Add(time.Duration(n)*time.Hour))
			}
		})
		var calls tally
		srv.Deny(func(c kmsfake.Call) bool { // the second page of each
			return strings.HasPrefix(c.Operation, "List") && c.Operation != "ListKeys" && calls.add(c.Operation) == 2
		})
		f := mustInspectOne(t, srv.Client(home, ohio))
		wantGaps(t, f, map[string]usage.GapReason{
			"ListAliases": usage.Denied, "ListGrants": usage.Denied, "ListResourceTags": usage.Denied, "ListKeyRotations": usage.Denied,
		})
		if len(f.Aliases) != 100 || len(f.Grants) != 100 || len(f.Tags) != 50 || len(f.Rotations) != 1000 {
			t.Errorf("kept %d aliases, %d grants, %d tags, %d rotations; want the first page of each",
				len(f.Aliases), len(f.Grants), len(f.Tags), len(f.Rotations))
		}
	})
}

// Markers that are all new, and nothing on the pages.
func TestAListOfEmptyPagesEnds(t *testing.T) {
	n := 0
	c := &stub{listKeys: func(*kms.ListKeysInput) (*kms.ListKeysOutput, error) {
		if n++; n > 10_000 {
			t.Error("ten thousand pages were asked for")
			return &kms.ListKeysOutput{Keys: entries()}, nil
		}
		return &kms.ListKeysOutput{Keys: entries(), Truncated: true, NextMarker: aws.String(strconv.Itoa(n))}, nil
	}}
	_, err := usage.Collect(usage.Inspect(t.Context(), c))
	if es := targetErrors(t, err); len(es) != 1 || es[0].Op != "ListKeys" || !errors.Is(err, usage.ErrMalformed) {
		t.Errorf("err = %v, want one TargetError of ListKeys that is ErrMalformed", err)
	}
}

// A key that moves between two pages is listed twice; it is read once.
func TestAKeyListedTwiceIsOneFinding(t *testing.T) {
	arns := manyARNs(3)
	pages := [][]string{{arns[0], arns[1], arns[1]}, {arns[1], arns[0], arns[2]}}
	c := &stub{listKeys: func(in *kms.ListKeysInput) (*kms.ListKeysOutput, error) {
		i := pageOf(in.Marker)
		out := &kms.ListKeysOutput{Keys: entries(pages[i]...)}
		out.NextMarker, out.Truncated = follows(i, len(pages))
		return out, nil
	}}
	var last usage.Progress
	fs := mustCollect(t, c, func(o *usage.InspectOptions) { o.Progress = func(p usage.Progress) { last = p } })
	if got := arnsOf(fs); !slices.Equal(got, arns) {
		t.Errorf("found %v, want %v", got, arns)
	}
	if n := c.calls.of("GetKeyLastUsage"); n != 3 {
		t.Errorf("GetKeyLastUsage was called %d times, want once a key", n)
	}
	if last.Listed != 3 || last.Done != 3 {
		t.Errorf("progress ends with %d listed and %d done, want 3 and 3", last.Listed, last.Done)
	}
}

func TestAnAliasListedTwiceIsOneAlias(t *testing.T) {
	c := &stub{keys: manyARNs(1)}
	id := c.keys[0][strings.LastIndex(c.keys[0], "/")+1:]
	c.listAliases = func(in *kms.ListAliasesInput) (*kms.ListAliasesOutput, error) {
		i := pageOf(in.Marker)
		out := &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{{AliasName: aws.String("alias/a"), TargetKeyId: &id}, {AliasName: aws.String("alias/" + strconv.Itoa(i)), TargetKeyId: &id}}}
		out.NextMarker, out.Truncated = follows(i, 2)
		return out, nil
	}
	if f := mustInspectOne(t, c); !slices.Equal(f.Aliases, []string{"alias/0", "alias/1", "alias/a"}) {
		t.Errorf("aliases = %v, want each once", f.Aliases)
	}
}

func TestAGrantListedTwiceIsOneGrant(t *testing.T) {
	c := &stub{keys: manyARNs(1)}
	c.listGrants = func(in *kms.ListGrantsInput) (*kms.ListGrantsOutput, error) {
		i := pageOf(in.Marker)
		out := &kms.ListGrantsOutput{Grants: []types.GrantListEntry{{GrantId: aws.String("a")}, {GrantId: aws.String(strconv.Itoa(i))}}}
		out.NextMarker, out.Truncated = follows(i, 2)
		return out, nil
	}
	var ids []string
	for _, g := range mustInspectOne(t, c).Grants {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	if !slices.Equal(ids, []string{"0", "1", "a"}) {
		t.Errorf("grants = %v, want each once", ids)
	}
}

// What cannot be named cannot be read, and must not pass in silence either.
func TestEntriesThatNameNoKeyAreAnErrorAtTheEndAndHideNoOther(t *testing.T) {
	arns := manyARNs(2)
	for name, bad := range map[string]types.KeyListEntry{
		"an empty entry":           {},
		"an ID without an ARN":     {KeyId: aws.String("1234abcd-12ab-34cd-56ef-1234567890ab")},
		"an empty ARN":             {KeyArn: aws.String("")},
		"the ARN of an alias":      {KeyArn: aws.String("arn:aws:kms:us-east-2:111122223333:alias/a")},
		"the ARN of a table":       {KeyArn: aws.String("arn:aws:dynamodb:us-east-2:111122223333:table/T")},
		"an ARN without account":   {KeyArn: aws.String("arn:aws:kms:us-east-2::key/1234abcd-12ab-34cd-56ef-1234567890ab")},
		"something that is no ARN": {KeyArn: aws.String("key/1234abcd-12ab-34cd-56ef-1234567890ab")},
	} {
		t.Run(name, func(t *testing.T) {
			c := &stub{listKeys: func(*kms.ListKeysInput) (*kms.ListKeysOutput, error) {
				return &kms.ListKeysOutput{Keys: slices.Concat(entries(arns[0]), []types.KeyListEntry{bad}, entries(arns[1]))}, nil
			}}
			fs, err := usage.Collect(usage.Inspect(t.Context(), c))
			if got := arnsOf(fs); !slices.Equal(got, arns) {
				t.Errorf("found %v, want the two keys with an ARN", got)
			}
			es := targetErrors(t, err)
			if len(es) != 1 || es[0].Op != "ListKeys" || !errors.Is(err, usage.ErrMalformed) || es[0].Listed != 2 || es[0].Read != 2 {
				t.Errorf("err = %v, want one TargetError of ListKeys that is ErrMalformed, after two keys", err)
			}
		})
	}
}

// Keys that are made while the list is read come or not; the rest must.
func TestAListThatChangesWhileItIsReadLosesNoOtherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		arns := fill(t, srv, home, ohio, 3500)
		gone := arns[2000]
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "ListKeys" && calls.add(c.Operation) == 2 {
				if err := srv.Delete(gone); err != nil {
					t.Error(err)
				}
				fill(t, srv, home, ohio, 200)
			}
			return nil
		})
		fs := mustCollect(t, srv.Client(home, ohio), listingOnly)
		if lost := without(without(arns, arnsOf(fs)), []string{gone}); len(lost) > 0 {
			t.Errorf("lost %v", lost)
		}
	})
}

func TestGapsComeInOneOrder(t *testing.T) {
	want := []string{"ListAliases", "DescribeKey", "GetKeyLastUsage", "ListGrants", "GetKeyPolicy", "ListResourceTags", "ListKeyRotations"}
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New(unlimited)
		fill(t, srv, home, ohio, 20)
		srv.Deny(func(c kmsfake.Call) bool { return c.Operation != "ListKeys" })
		for _, f := range mustCollect(t, srv.Client(home, ohio), hurried) {
			var got []string
			for _, g := range f.Gaps {
				got = append(got, g.Op)
			}
			if !slices.Equal(got, want) {
				t.Errorf("gaps come as %v, want %v", got, want)
			}
			if reasons := slices.Collect(maps.Values(gapsOf(f))); slices.ContainsFunc(reasons, func(r usage.GapReason) bool { return r != usage.Denied }) {
				t.Errorf("reasons = %v", reasons)
			}
		}
	})
}
