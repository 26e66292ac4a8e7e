package main

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestTheDemoTellsWhoUsedAKeyLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := runWith(t.Context(), "-events -all")
		r.want(t, exitOK, "476 keys in 2 accounts", " by Admin", "Out of sight: CloudTrail beyond 90 days, refusals that it does not record, IAM policies,")
		mustFit(t, r.stdout, tableWidth)
	})
}

func TestEventsOverHTTP(t *testing.T) {
	srv, url := served(t, "us-east-1", "eu-west-1")
	environment(t, administrator)
	if _, err := srv.AddTrail(kmsfake.Trail{Account: "111122223333", HomeRegion: "us-east-1", Name: "audit", Bucket: "logs", KMSKeyID: srv.Keys()[0].ARN}); err != nil {
		t.Fatal(err)
	}
	r := runWith(t.Context(), "-events -quota 1000 -json -regions us-east-1,eu-west-1 -endpoint "+url)
	r.want(t, exitOK, `"source":"cloudtrail-event-history"`, `"code":"needed-by"`, "trail/audit")

	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "LookupEvents" || c.Operation == "DescribeTrails" })
	r = runWith(t.Context(), "-events -quota 1000 -json -regions us-east-1 -endpoint "+url)
	r.want(t, exitOK, `"op":"History:cloudtrail-trails","reason":"denied"`)
	if !strings.Contains(r.stdout, `"class":"Unused"`) {
		t.Error("the keys were not judged")
	}
	r = runWith(t.Context(), "-events -quota 1000 -regions us-east-1 -endpoint "+url)
	r.want(t, exitOK, "DescribeTrails was not read: denied", "Not seen: denied DescribeTrails of 3 keys, LookupEvents of 1 key.")
	if strings.Contains(r.stdout, "History:") {
		t.Errorf("it names a source as the library does:\n%s", r.stdout)
	}
}
