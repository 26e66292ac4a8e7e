package kmsiface_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/kmsiface"
	"github.com/kmsusage/usage/kmsiface/kmsmock"
)

// The compiler shows that every mock satisfies the interface it stands for.
var (
	_ kmsiface.Inspector            = (*kmsmock.MockInspector)(nil)
	_ kmsiface.KeyDescriber         = (*kmsmock.MockKeyDescriber)(nil)
	_ kmsiface.LastUsageGetter      = (*kmsmock.MockLastUsageGetter)(nil)
	_ kmsiface.KeyPolicyGetter      = (*kmsmock.MockKeyPolicyGetter)(nil)
	_ kmsiface.Changer              = (*kmsmock.MockChanger)(nil)
	_ kmsiface.KeyDisabler          = (*kmsmock.MockKeyDisabler)(nil)
	_ kmsiface.KeyEnabler           = (*kmsmock.MockKeyEnabler)(nil)
	_ kmsiface.DeletionScheduler    = (*kmsmock.MockDeletionScheduler)(nil)
	_ kmsiface.DeletionCanceler     = (*kmsmock.MockDeletionCanceler)(nil)
	_ kmsiface.PrimaryRegionUpdater = (*kmsmock.MockPrimaryRegionUpdater)(nil)
	_ kmsiface.Tagger               = (*kmsmock.MockTagger)(nil)
	_ kmsiface.KeyPolicyPutter      = (*kmsmock.MockKeyPolicyPutter)(nil)
)

// pairs holds each interface of the package with its mock. That it is complete
// is a test of its own.
var pairs = map[string]struct{ iface, mock reflect.Type }{
	"Inspector":            pair[kmsiface.Inspector, *kmsmock.MockInspector](),
	"KeyDescriber":         pair[kmsiface.KeyDescriber, *kmsmock.MockKeyDescriber](),
	"LastUsageGetter":      pair[kmsiface.LastUsageGetter, *kmsmock.MockLastUsageGetter](),
	"KeyPolicyGetter":      pair[kmsiface.KeyPolicyGetter, *kmsmock.MockKeyPolicyGetter](),
	"Changer":              pair[kmsiface.Changer, *kmsmock.MockChanger](),
	"KeyDisabler":          pair[kmsiface.KeyDisabler, *kmsmock.MockKeyDisabler](),
	"KeyEnabler":           pair[kmsiface.KeyEnabler, *kmsmock.MockKeyEnabler](),
	"DeletionScheduler":    pair[kmsiface.DeletionScheduler, *kmsmock.MockDeletionScheduler](),
	"DeletionCanceler":     pair[kmsiface.DeletionCanceler, *kmsmock.MockDeletionCanceler](),
	"PrimaryRegionUpdater": pair[kmsiface.PrimaryRegionUpdater, *kmsmock.MockPrimaryRegionUpdater](),
	"Tagger":               pair[kmsiface.Tagger, *kmsmock.MockTagger](),
	"KeyPolicyPutter":      pair[kmsiface.KeyPolicyPutter, *kmsmock.MockKeyPolicyPutter](),
}

func pair[I, M any]() struct{ iface, mock reflect.Type } {
	return struct{ iface, mock reflect.Type }{reflect.TypeFor[I](), reflect.TypeFor[M]()}
}

// reads reports whether AWS names an operation as one that changes nothing.
func reads(method string) bool {
	return strings.HasPrefix(method, "Get") ||
		strings.HasPrefix(method, "List") ||
		strings.HasPrefix(method, "Describe")
}

func methods(t reflect.Type) []string {
	var names []string
	for m := range t.Methods() {
		names = append(names, m.Name)
	}
	return names
}

func TestNoMethodOfInspectorChangesAnything(t *testing.T) {
	names := methods(reflect.TypeFor[kmsiface.Inspector]())
	if len(names) == 0 {
		t.Fatal("Inspector has no methods: nothing was checked")
	}
	for _, name := range names {
		if !reads(name) {
			t.Errorf("Inspector has %s, which is not a Get, List or Describe operation", name)
		}
	}
}

func TestEveryMethodOfChangerChangesSomething(t *testing.T) {
	names := methods(reflect.TypeFor[kmsiface.Changer]())
	if len(names) == 0 {
		t.Fatal("Changer has no methods: nothing was checked")
	}
	for _, name := range names {
		if reads(name) {
			t.Errorf("Changer has %s, which only reads and belongs to Inspector", name)
		}
	}
}

func TestInspectorAndChangerShareNoMethod(t *testing.T) {
	changes := methods(reflect.TypeFor[kmsiface.Changer]())
	for _, name := range methods(reflect.TypeFor[kmsiface.Inspector]()) {
		if slices.Contains(changes, name) {
			t.Errorf("%s is a method of both Inspector and Changer", name)
		}
	}
}

func TestTheClientOfTheSDKSatisfiesEveryInterface(t *testing.T) {
	client := reflect.TypeFor[*kms.Client]()
	for name, p := range pairs {
		if !client.Implements(p.iface) {
			t.Errorf("*kms.Client does not implement %s", name)
		}
	}
}

func TestEveryMockSatisfiesItsInterface(t *testing.T) {
	for name, p := range pairs {
		if got, want := p.mock.Elem().Name(), "Mock"+name; got != want {
			t.Errorf("%s is paired with %s, want %s", name, got, want)
		}
		if !p.mock.Implements(p.iface) {
			t.Errorf("%v does not implement %s", p.mock, name)
		}
	}
}

func TestEverySmallInterfaceIsPartOfExactlyOneSide(t *testing.T) {
	inspector, changer := reflect.TypeFor[kmsiface.Inspector](), reflect.TypeFor[kmsiface.Changer]()
	for name, p := range pairs {
		if inspector.Implements(p.iface) == changer.Implements(p.iface) {
			t.Errorf("%s must be part of Inspector or of Changer, and not of both", name)
		}
	}
}

func TestEveryInterfaceOfThePackageHasAMock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if ts, ok := n.(*ast.TypeSpec); ok {
				if _, ok := ts.Type.(*ast.InterfaceType); ok {
					declared = append(declared, ts.Name.Name)
				}
			}
			return true
		})
	}
	slices.Sort(declared)
	tested := slices.Sorted(maps.Keys(pairs))
	if !slices.Equal(declared, tested) {
		t.Errorf("kmsiface declares %v\nmocks are listed for %v", declared, tested)
	}
}
