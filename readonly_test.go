package usage_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// readOperations is all that inspecting may ever call. None of them changes
// anything: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html
// gives each the access level List or Read.
var readOperations = []string{
	"DescribeKey", "GetKeyLastUsage", "GetKeyPolicy", "ListAliases",
	"ListGrants", "ListKeyRotations", "ListKeys", "ListResourceTags",
}

// inspectEverything reads an account of every kind of key to the last reading
// and returns the operations that were called.
func inspectEverything(t *testing.T) []string {
	t.Helper()
	srv := kmsfake.New(unlimited)
	add := func(k kmsfake.Key) {
		k.Account, k.Region, k.Created = home, ohio, longAgo
		if _, err := srv.AddKey(k); err != nil {
			t.Fatal(err)
		}
	}
	for _, spec := range types.KeySpec("").Values() {
		if spec != types.KeySpecSm2 { // in China only
			add(kmsfake.Key{Spec: spec})
		}
	}
	for _, state := range []types.KeyState{types.KeyStateDisabled, types.KeyStatePendingDeletion} {
		add(kmsfake.Key{State: state})
	}
	add(kmsfake.Key{MultiRegion: true, ReplicaRegions: []string{"eu-west-1"}})
	add(kmsfake.Key{Origin: types.OriginTypeExternal, State: types.KeyStatePendingImport})
	add(kmsfake.Key{Origin: types.OriginTypeAwsCloudhsm, CustomKeyStoreID: "cks-1234567890abcdef0", State: types.KeyStateUnavailable})
	add(kmsfake.Key{Manager: types.KeyManagerTypeAws, Aliases: []string{"aws/ebs"}})
	if err := srv.AddPredefinedAlias(home, ohio, "aws/s3"); err != nil {
		t.Fatal(err)
	}
	before := srv.Keys()
	mustCollect(t, srv.Client(home, ohio), hurried, func(o *usage.InspectOptions) { o.Readings.AWSManaged = true })
	if after := srv.Keys(); !reflect.DeepEqual(before, after) {
		t.Error("the keys are not as they were before they were read")
	}
	return slices.Sorted(maps.Keys(attempts(srv)))
}

func TestInspectingCallsReadOperationsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		if got := inspectEverything(t); !slices.Equal(got, readOperations) {
			t.Errorf("called %v, want %v", got, readOperations)
		}
	})
}

func TestAnInspectorHasNoMethodThatChangesAnything(t *testing.T) {
	inspector := reflect.TypeFor[kmsiface.Inspector]()
	var got []string
	for m := range inspector.Methods() {
		got = append(got, m.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, readOperations) {
		t.Errorf("kmsiface.Inspector has %v, want %v", got, readOperations)
	}
	for m := range reflect.TypeFor[kmsiface.Changer]().Methods() {
		if slices.Contains(got, m.Name) {
			t.Errorf("%s changes and is in Inspector", m.Name)
		}
	}
}

// The root package knows of kms what reading needs and nothing else: a change of
// a key cannot be hidden in it.
func TestTheRootPackageMentionsNothingThatChangesKeys(t *testing.T) {
	allowed := map[string]map[string]bool{
		"github.com/aws/aws-sdk-go-v2/service/kms": {"Options": true},
		"github.com/kmsusage/usage/kmsiface":       {"Inspector": true},
	}
	for _, op := range readOperations {
		allowed["github.com/aws/aws-sdk-go-v2/service/kms"][op+"Input"] = true
		allowed["github.com/aws/aws-sdk-go-v2/service/kms"][op+"Output"] = true
	}
	changes := map[string]bool{}
	for m := range reflect.TypeFor[*kms.Client]().Methods() {
		if !slices.Contains(readOperations, m.Name) && m.Name != "Options" {
			changes[m.Name] = true
		}
	}
	files, seen := rootFiles(t), map[string]bool{}
	for name, file := range files {
		imported := map[string]string{} // local name -> path
		for _, imp := range file.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			local := path[strings.LastIndex(path, "/")+1:]
			if imp.Name != nil {
				local = imp.Name.Name
			}
			if local == "." || local == "_" {
				t.Errorf("%s imports %s as %s", name, path, local)
			}
			imported[local] = path
		}
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok {
				if names, restricted := allowed[imported[x.Name]]; restricted {
					seen[sel.Sel.Name] = true
					if !names[sel.Sel.Name] {
						t.Errorf("%s mentions %s.%s", name, x.Name, sel.Sel.Name)
					}
					return true
				}
			}
			if changes[sel.Sel.Name] {
				t.Errorf("%s mentions a method or field %s", name, sel.Sel.Name)
			}
			return true
		})
	}
	// That the search finds what is there:
	for _, op := range readOperations {
		if !seen[op+"Input"] {
			t.Errorf("kms.%sInput is not mentioned in %d files: was everything looked at?", op, len(files))
		}
	}
}

// rootFiles parses the root package without its tests.
func rootFiles(t *testing.T) map[string]*ast.File {
	t.Helper()
	names, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if out[name], err = parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// inspectPolicy finds the IAM policy for reading in the README: the JSON block
// directly after the mark.
var inspectPolicy = regexp.MustCompile("(?s)<!-- policy: inspect -->\\s*```json\\n(.*?)\\n```")

func TestTheREADMEsPolicyAllowsWhatInspectingCallsAndNothingElse(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := inspectPolicy.FindAllSubmatch(readme, -1)
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d JSON blocks after <!-- policy: inspect -->, want one", len(blocks))
	}
	var policy struct {
		Version   string
		Statement []struct {
			Sid      string
			Effect   string
			Action   list
			Resource list
		}
	}
	d := json.NewDecoder(strings.NewReader(string(blocks[0][1])))
	d.DisallowUnknownFields() // a condition would change what it allows
	if err := d.Decode(&policy); err != nil {
		t.Fatalf("the policy: %v", err)
	}
	if policy.Version != "2012-10-17" {
		t.Errorf("Version = %q", policy.Version)
	}
	var allowed []string
	for _, s := range policy.Statement {
		if s.Effect != "Allow" || len(s.Resource) == 0 {
			t.Errorf("statement %+v, want an Allow with a Resource", s)
		}
		for _, a := range s.Action {
			allowed = append(allowed, a)
			// "Required permissions: kms:ListKeys (IAM policy)", kms:ListAliases likewise:
			// they have no resource to be limited to.
			// https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html
			if (a == "kms:ListKeys" || a == "kms:ListAliases") && !slices.Equal(s.Resource, []string{"*"}) {
				t.Errorf("%s on %v, want *", a, s.Resource)
			}
		}
	}
	slices.Sort(allowed)
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		var want []string
		for _, op := range inspectEverything(t) {
			want = append(want, "kms:"+op)
		}
		if !slices.Equal(allowed, want) {
			t.Errorf("the policy allows\n%v, inspecting calls\n%v", allowed, want)
		}
	})
}

// list is one string or several, as IAM writes them.
type list []string

func (l *list) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = list{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// A read can be told from a change also by what a trail shows of it: not one call
// of an inspection uses a key.
func TestInspectingIsNoUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 5)
		mustCollect(t, srv.Client(home, ohio))
		time.Sleep(2 * time.Hour) // past KMS's lag
		for _, f := range mustCollect(t, srv.Client(home, ohio)) {
			if !f.LastUsage.Use.At.Equal(ago(200)) {
				t.Errorf("last used at %v: the inspection counts as use", f.LastUsage.Use.At)
			}
		}
	})
}
