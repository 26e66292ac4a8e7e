package usage_test

import (
	"os/exec"
	"strings"
	"testing"
)

// deps lists what building a package of this module links in, tests left out.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", pkg).CombinedOutput()
	if err != nil {
		t.Fatalf("go list -deps %s: %v\n%s", pkg, err, out)
	}
	return strings.Fields(string(out))
}

func TestImportersOfTheRootGetNothingHeavy(t *testing.T) {
	for _, dep := range deps(t, ".") {
		service, isService := strings.CutPrefix(dep, "github.com/aws/aws-sdk-go-v2/service/")
		switch {
		case isService && !strings.HasPrefix(service, "kms") && !strings.HasPrefix(service, "internal/"):
			t.Errorf("imports another AWS service: %s", dep)
		case strings.HasPrefix(dep, "github.com/aws/aws-sdk-go-v2/config"),
			strings.HasPrefix(dep, "github.com/aws/aws-sdk-go-v2/credentials"),
			strings.HasPrefix(dep, "go.uber.org/"),
			strings.HasPrefix(dep, "pgregory.net/"),
			strings.HasPrefix(dep, module+"/cloudtrail"),
			strings.HasPrefix(dep, module+"/kmsiface/"),
			strings.HasPrefix(dep, module+"/retire"),
			strings.HasPrefix(dep, module+"/report"):
			t.Errorf("imports %s", dep)
		}
	}
}

const module = "github.com/kmsusage/usage"

func TestImportsPointOneWay(t *testing.T) {
	pkgs, err := exec.Command("go", "list", "./internal/...", "./kmsiface/...").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, pkgs)
	}
	for pkg := range strings.FieldsSeq(string(pkgs)) {
		for _, dep := range deps(t, pkg) {
			if dep == module {
				t.Errorf("%s imports the root package", pkg)
			}
		}
	}
}
