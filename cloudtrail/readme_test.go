package cloudtrail_test

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/kmsusage/usage/cloudtrail"
)

func TestTheREADMEsPolicyAllowsWhatReadingCloudTrailCalls(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)<!-- policy: cloudtrail -->\\s*```json\\n(.*?)\\n```").FindSubmatch(readme)
	if found == nil {
		t.Fatal("README.md has no policy for CloudTrail")
	}
	var policy struct {
		Statement []struct{ Action []string }
	}
	if err := json.Unmarshal(found[1], &policy); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, reader := range []reflect.Type{reflect.TypeFor[cloudtrail.EventReader](), reflect.TypeFor[cloudtrail.TrailReader]()} {
		for m := range reader.Methods() {
			want = append(want, "cloudtrail:"+m.Name)
		}
	}
	slices.Sort(want)
	if len(policy.Statement) != 1 || !slices.Equal(policy.Statement[0].Action, want) {
		t.Errorf("the policy allows %+v, want %q", policy.Statement, want)
	}
}
