package kmsfake_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

const ireland = "eu-west-1"

func mustAddTrail(t *testing.T, srv *kmsfake.Server, tr kmsfake.Trail) string {
	t.Helper()
	arn, err := srv.AddTrail(tr)
	if err != nil {
		t.Fatal(err)
	}
	return arn
}

// fourTrails: one of a Region, one of all Regions, one of the organization to
// which the other account belongs, and one in another Region.
func fourTrails(t *testing.T) (srv *kmsfake.Server, single, all, organization, elsewhere string) {
	t.Helper()
	srv, _ = fake()
	single = mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "single", Prefix: "p"})
	all = mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "all", MultiRegion: true, KMSKeyID: "arn:aws:kms:us-east-1:111122223333:key/" + first})
	organization = mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "org", MultiRegion: true, Organization: "o-exampleorgid", Members: []string{other}, Bucket: "central"})
	elsewhere = mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: ireland, Name: "elsewhere"})
	return srv, single, all, organization, elsewhere
}

// The rules are those of
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html.
func TestDescribeTrailsShowsTrailsAndTheirShadows(t *testing.T) {
	srv, single, all, organization, elsewhere := fourTrails(t)
	for _, tt := range []struct {
		name, account, region string
		in                    trail.DescribeTrailsInput
		want                  []string
		code                  string
	}{
		{"at home", account, region, trail.DescribeTrailsInput{}, []string{all, organization, single}, ""},
		{"at home without shadows", account, region, trail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{all, organization, single}, ""},
		{"elsewhere", account, ireland, trail.DescribeTrailsInput{}, []string{elsewhere, all, organization}, ""},
		{"elsewhere without shadows", account, ireland, trail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{elsewhere}, ""},
		{"in a member account", other, ireland, trail.DescribeTrailsInput{}, []string{organization}, ""},
		{"in a member account without shadows", other, region, trail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, nil, ""},
		{"in a stranger's account", "999988887777", region, trail.DescribeTrailsInput{}, nil, ""},
		{"in another partition", account, "cn-north-1", trail.DescribeTrailsInput{}, nil, ""},
		{"by name", account, region, trail.DescribeTrailsInput{TrailNameList: []string{"single", "unknown"}}, []string{single}, ""},
		{"by name, of another Region", account, ireland, trail.DescribeTrailsInput{TrailNameList: []string{"all"}}, nil, ""},
		{"by ARN, of another Region only", account, ireland, trail.DescribeTrailsInput{TrailNameList: []string{single}}, []string{single}, ""},
		{"by ARN, of another Region only, without shadows", account, ireland, trail.DescribeTrailsInput{TrailNameList: []string{single}, IncludeShadowTrails: aws.Bool(false)}, nil, ""},
		{"by ARN, of another account", other, region, trail.DescribeTrailsInput{TrailNameList: []string{single}}, nil, ""},
		{"by ARN, of another partition", account, "cn-north-1", trail.DescribeTrailsInput{TrailNameList: []string{single}}, nil, ""},
		{"by ARN, of another Region", account, ireland, trail.DescribeTrailsInput{TrailNameList: []string{all}}, []string{all}, ""},
		{"by something else", account, region, trail.DescribeTrailsInput{TrailNameList: []string{"a"}}, nil, "InvalidTrailNameException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := srv.CloudTrail(tt.account, tt.region, onceTrail).DescribeTrails(t.Context(), &tt.in)
			wantCode(t, err, tt.code)
			var got []string
			if err == nil {
				for _, tr := range out.TrailList {
					got = append(got, *tr.TrailARN)
				}
			}
			want := slices.Sorted(slices.Values(tt.want))
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
	list := must(srv.CloudTrail(account, region).DescribeTrails(t.Context(), &trail.DescribeTrailsInput{TrailNameList: []string{"all", "org"}})).TrailList
	a, o := list[0], list[1]
	switch {
	case *a.Name != "all" || *a.HomeRegion != region || !*a.IsMultiRegionTrail || *a.IsOrganizationTrail || *a.S3BucketName != "logs-"+account || a.S3KeyPrefix != nil,
		*a.KmsKeyId != "arn:aws:kms:us-east-1:111122223333:key/"+first || *a.HasCustomEventSelectors || *a.TrailARN != "arn:aws:cloudtrail:us-east-1:111122223333:trail/all":
		t.Errorf("%+v", a)
	case !*o.IsOrganizationTrail || *o.S3BucketName != "central" || o.KmsKeyId != nil:
		t.Errorf("%+v", o)
	}
}

func TestTrailsAreFoundByNameAtHomeAndByARNElsewhere(t *testing.T) {
	srv, single, all, organization, _ := fourTrails(t)
	for _, tt := range []struct {
		name, account, region, ref string
		code, message              string
	}{
		{"by name", account, region, "single", "", ""},
		{"by ARN", account, region, single, "", ""},
		{"a shadow by ARN", account, ireland, all, "", ""},
		{"the organization's by ARN", other, ireland, organization, "", ""},
		{"a shadow by name", account, ireland, "all", "TrailNotFoundException", "Unknown trail: arn:aws:cloudtrail:eu-west-1:111122223333:trail/all for the user: 111122223333"},
		{"a trail of another Region only", account, ireland, single, "TrailNotFoundException", "Unknown trail: " + single + " for the user: 111122223333"},
		{"another account's", other, region, single, "TrailNotFoundException", "Unknown trail: " + single + " for the user: 444455556666"},
		{"no name", account, region, "", "InvalidTrailNameException", "Trail name cannot be blank!"},
		{"two periods", account, region, "my..trail", "InvalidTrailNameException", ""},
		{"too short", account, region, "ab", "InvalidTrailNameException", ""},
		{"too long", account, region, strings.Repeat("a", 129), "InvalidTrailNameException", ""},
		{"the ARN of something else", account, region, "arn:aws:s3:::bucket", "CloudTrailARNInvalidException", "Invalid trail ARN: arn:aws:s3:::bucket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ct := srv.CloudTrail(tt.account, tt.region, onceTrail)
			_, err := ct.GetTrailStatus(t.Context(), &trail.GetTrailStatusInput{Name: &tt.ref})
			_, err2 := ct.GetEventSelectors(t.Context(), &trail.GetEventSelectorsInput{TrailName: &tt.ref})
			for _, err := range []error{err, err2} {
				wantCode(t, err, tt.code)
				if tt.message != "" {
					wantError(t, err, tt.code, tt.message)
				}
			}
		})
	}
}

func TestImpossibleTrailsAreRefused(t *testing.T) {
	good := kmsfake.Trail{Account: account, HomeRegion: region, Name: "good"}
	for name, spoil := range map[string]func(*kmsfake.Trail){
		"no account":      func(tr *kmsfake.Trail) { tr.Account = "1" },
		"no Region":       func(tr *kmsfake.Trail) { tr.HomeRegion = "" },
		"no name":         func(tr *kmsfake.Trail) { tr.Name = "" },
		"members of none": func(tr *kmsfake.Trail) { tr.Members = []string{other} },
		"a member that is no account": func(tr *kmsfake.Trail) {
			tr.Organization, tr.Members = "o-exampleorgid", []string{other, "junk"}
		},
		"an organization's name": func(tr *kmsfake.Trail) { tr.Organization = "my-org" },
		"an IP address":          func(tr *kmsfake.Trail) { tr.Name = "192.168.5.4" },
		"a bad bucket":           func(tr *kmsfake.Trail) { tr.Bucket = "B A D" },
		"a short bucket":         func(tr *kmsfake.Trail) { tr.Bucket = "b" },
		"two periods in it":      func(tr *kmsfake.Trail) { tr.Bucket = "a..b" },
		"an address for one":     func(tr *kmsfake.Trail) { tr.Bucket = "192.168.5.4" },
		"a slash after a prefix": func(tr *kmsfake.Trail) { tr.Prefix = "x/" },
		"a slash before it":      func(tr *kmsfake.Trail) { tr.Prefix = "/x" },
		"a slash alone":          func(tr *kmsfake.Trail) { tr.Prefix = "/" },
		"a long prefix":          func(tr *kmsfake.Trail) { tr.Prefix = strings.Repeat("x", 201) },
		"no key":                 func(tr *kmsfake.Trail) { tr.KMSKeyID = "junk" },
		"an alias":               func(tr *kmsfake.Trail) { tr.KMSKeyID = "arn:aws:kms:us-east-1:111122223333:alias/logs" },
		"made in the future":     func(tr *kmsfake.Trail) { tr.Created = august.Add(1) },
		"a name taken":           func(tr *kmsfake.Trail) { tr.Name = "taken" },
		"a strange source": func(tr *kmsfake.Trail) {
			tr.EventSelectors = []trailtypes.EventSelector{{ExcludeManagementEventSources: []string{"s3.amazonaws.com"}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv, _ := fake()
			mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "taken"})
			mustAddTrail(t, srv, good)
			bad := good
			bad.Name = "bad"
			spoil(&bad)
			if arn, err := srv.AddTrail(bad); err == nil {
				t.Errorf("made %s", arn)
			}
		})
	}
}

func TestTheStatusTellsWhetherATrailLogsAndDelivers(t *testing.T) {
	srv, clock := fake()
	created := august.AddDate(0, -1, 0)
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "well", Created: created})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "stopped", Created: created, Stopped: true})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "failing", DeliveryError: "AccessDenied"})
	ct := srv.CloudTrail(account, region)
	status := func(name string) *trail.GetTrailStatusOutput {
		return must(ct.GetTrailStatus(t.Context(), &trail.GetTrailStatusInput{Name: &name}))
	}
	if s := status("well"); !*s.IsLogging || !s.StartLoggingTime.Equal(created) || s.StopLoggingTime != nil || !s.LatestDeliveryTime.Equal(clock.Now()) || s.LatestDeliveryError != nil {
		t.Errorf("%+v", s)
	}
	if s := status("stopped"); *s.IsLogging || !s.StopLoggingTime.Equal(created) || s.LatestDeliveryTime != nil {
		t.Errorf("%+v", s)
	}
	must(ct.StopLogging(t.Context(), &trail.StopLoggingInput{Name: aws.String("stopped")}))
	if s := status("stopped"); *s.IsLogging || s.LatestDeliveryTime != nil {
		t.Errorf("stopped again: %+v", s)
	}
	launched := time.Date(2013, 11, 13, 0, 0, 0, 0, time.UTC)
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "ever"})
	if s := status("ever"); !*s.IsLogging || !s.StartLoggingTime.Equal(launched) || s.StopLoggingTime != nil || !s.LatestDeliveryTime.Equal(clock.Now()) {
		t.Errorf("%+v", s)
	}
	never := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: ireland, Name: "never", Stopped: true})
	if s := must(srv.CloudTrail(account, ireland).GetTrailStatus(t.Context(), &trail.GetTrailStatusInput{Name: &never})); *s.IsLogging || !s.StartLoggingTime.Equal(launched) || !s.StopLoggingTime.Equal(launched) || s.LatestDeliveryTime != nil {
		t.Errorf("%+v", s)
	}
	if s := status("failing"); !*s.IsLogging || aws.ToString(s.LatestDeliveryError) != "AccessDenied" || s.LatestDeliveryTime != nil {
		t.Errorf("%+v", s)
	}
	at := clock.Advance(time.Hour)
	must(ct.StopLogging(t.Context(), &trail.StopLoggingInput{Name: aws.String("well")}))
	clock.Advance(time.Hour)
	if s := status("well"); *s.IsLogging || !s.StopLoggingTime.Equal(at) || !s.LatestDeliveryTime.Equal(at) {
		t.Errorf("%+v", s)
	}
	at = clock.Advance(time.Hour)
	must(ct.StartLogging(t.Context(), &trail.StartLoggingInput{Name: aws.String("well")}))
	if s := status("well"); !*s.IsLogging || !s.StartLoggingTime.Equal(at) {
		t.Errorf("%+v", s)
	}
}

func TestSelectorsAreAnsweredAsTheyAreSet(t *testing.T) {
	srv, _ := fake()
	basic := []trailtypes.EventSelector{{ReadWriteType: trailtypes.ReadWriteTypeWriteOnly, IncludeManagementEvents: aws.Bool(true), DataResources: []trailtypes.DataResource{}, ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}
	advanced := []trailtypes.AdvancedEventSelector{{Name: aws.String("management without KMS"), FieldSelectors: []trailtypes.AdvancedFieldSelector{
		{Field: aws.String("eventCategory"), Equals: []string{"Management"}}, {Field: aws.String("eventSource"), NotEquals: []string{"kms.amazonaws.com"}},
	}}}
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "none"})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "basic", EventSelectors: basic})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "advanced", AdvancedEventSelectors: advanced})
	ct := srv.CloudTrail(account, region, onceTrail)
	everything := []trailtypes.EventSelector{{ReadWriteType: trailtypes.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true), DataResources: []trailtypes.DataResource{}, ExcludeManagementEventSources: []string{}}}
	check := func(name string, basic []trailtypes.EventSelector, advanced []trailtypes.AdvancedEventSelector) {
		t.Helper()
		out := must(ct.GetEventSelectors(t.Context(), &trail.GetEventSelectorsInput{TrailName: &name}))
		if !reflect.DeepEqual(out.EventSelectors, basic) || !reflect.DeepEqual(out.AdvancedEventSelectors, advanced) || !strings.HasSuffix(*out.TrailARN, "/"+name) {
			t.Errorf("%s: %+v", name, out)
		}
	}
	check("none", everything, nil)
	check("basic", basic, nil)
	check("advanced", nil, advanced)
	must(ct.PutEventSelectors(t.Context(), &trail.PutEventSelectorsInput{TrailName: aws.String("basic"), AdvancedEventSelectors: advanced}))
	check("basic", nil, advanced)
	must(ct.PutEventSelectors(t.Context(), &trail.PutEventSelectorsInput{TrailName: aws.String("advanced"), EventSelectors: []trailtypes.EventSelector{{}}}))
	check("advanced", everything, nil)

	// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
	management := advanced[0].FieldSelectors[0]
	with := func(fields ...trailtypes.AdvancedFieldSelector) []trailtypes.AdvancedEventSelector {
		return []trailtypes.AdvancedEventSelector{{FieldSelectors: fields}}
	}
	many := make([]string, 498)
	for i := range many {
		many[i] = "x"
	}
	for name, in := range map[string]trail.PutEventSelectorsInput{
		"none":                {},
		"both":                {EventSelectors: basic, AdvancedEventSelectors: advanced},
		"six":                 {EventSelectors: slices.Repeat(basic, 6)},
		"a wrong type":        {EventSelectors: []trailtypes.EventSelector{{ReadWriteType: "read-only"}}},
		"no category":         {AdvancedEventSelectors: []trailtypes.AdvancedEventSelector{{FieldSelectors: advanced[0].FieldSelectors[1:]}}},
		"an empty condition":  {AdvancedEventSelectors: []trailtypes.AdvancedEventSelector{{FieldSelectors: []trailtypes.AdvancedFieldSelector{{Field: aws.String("eventCategory")}}}}},
		"501 values":          {AdvancedEventSelectors: append(slices.Clone(advanced), trailtypes.AdvancedEventSelector{FieldSelectors: append(slices.Clone(advanced[0].FieldSelectors[:1]), trailtypes.AdvancedFieldSelector{Field: aws.String("eventName"), Equals: many})})},
		"two categories":      {AdvancedEventSelectors: with(trailtypes.AdvancedFieldSelector{Field: aws.String("eventCategory"), Equals: []string{"Management", "Data"}})},
		"an unknown category": {AdvancedEventSelectors: with(trailtypes.AdvancedFieldSelector{Field: aws.String("eventCategory"), Equals: []string{"Junk"}})},
		"an unknown field":    {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String("junk"), Equals: []string{"x"}})},
		"no field":            {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String(""), Equals: []string{"x"}})},
		"a field of others":   {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String("resources.ARN"), Equals: []string{"x"}})},
		"readOnly begins":     {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String("readOnly"), StartsWith: []string{"t"}})},
		"readOnly is not":     {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String("readOnly"), Equals: []string{"true"}, NotEquals: []string{"false"}})},
		"readOnly perhaps":    {AdvancedEventSelectors: with(management, trailtypes.AdvancedFieldSelector{Field: aws.String("readOnly"), Equals: []string{"maybe"}})},
		"a source to exclude": {EventSelectors: []trailtypes.EventSelector{{ExcludeManagementEventSources: []string{"ec2.amazonaws.com"}}}},
	} {
		in.TrailName = aws.String("none")
		_, err := ct.PutEventSelectors(t.Context(), &in)
		t.Run(name, func(t *testing.T) { wantCode(t, err, "InvalidEventSelectorsException") })
	}
	check("none", everything, nil)
}

func TestTrailsAreMadeAndChangedByCalls(t *testing.T) {
	srv, clock := fake()
	ctx := t.Context()
	key := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"logs"}})
	ct := srv.CloudTrail(account, region, onceTrail)
	name := aws.String("made")
	made := must(ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: name, S3BucketName: aws.String("bucket"), KmsKeyId: aws.String("alias/logs"), IsMultiRegionTrail: aws.Bool(true)}))
	if *made.TrailARN != "arn:aws:cloudtrail:us-east-1:111122223333:trail/made" || *made.KmsKeyId != key || !*made.IsMultiRegionTrail {
		t.Errorf("%+v", made)
	}
	if s := must(ct.GetTrailStatus(ctx, &trail.GetTrailStatusInput{Name: name})); *s.IsLogging || s.StartLoggingTime != nil || s.LatestDeliveryTime != nil {
		t.Errorf("a new trail logs: %+v", s)
	}
	must(ct.StartLogging(ctx, &trail.StartLoggingInput{Name: name}))
	clock.Advance(time.Second)
	must(ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: made.TrailARN, IsMultiRegionTrail: aws.Bool(false), S3BucketName: aws.String("other"), S3KeyPrefix: aws.String("p"), KmsKeyId: aws.String("")}))
	tr := must(ct.DescribeTrails(ctx, &trail.DescribeTrailsInput{})).TrailList[0]
	if *tr.IsMultiRegionTrail || *tr.S3BucketName != "other" || *tr.S3KeyPrefix != "p" || tr.KmsKeyId != nil {
		t.Errorf("%+v", tr)
	}
	if r := lastEvent(t, srv, account, region, "UpdateTrail"); r.str("eventSource") != "cloudtrail.amazonaws.com" || r.str("requestParameters.name") != *made.TrailARN || r["readOnly"] != false || r.str("responseElements.trailARN") != *made.TrailARN {
		t.Errorf("%v", r)
	}
	if found := look(t, srv, account, region, trailtypes.LookupAttributeKeyResourceName, "made"); len(found) != 3 { // GetTrailStatus, StartLogging, CreateTrail
		t.Errorf("%d events of the trail", len(found))
	}
	if found := look(t, srv, account, region, trailtypes.LookupAttributeKeyResourceType, "AWS::CloudTrail::Trail"); len(found) != 4 {
		t.Errorf("%d events of trails", len(found))
	}

	mustAddTrail(t, srv, kmsfake.Trail{Account: other, HomeRegion: region, Name: "org", Organization: "o-exampleorgid", Members: []string{account}, MultiRegion: true})
	away := mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: ireland, Name: "away", MultiRegion: true})
	_, err := ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: name, S3BucketName: aws.String("bucket")})
	wantCode(t, err, "TrailAlreadyExistsException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("m..n"), S3BucketName: aws.String("bucket")})
	wantCode(t, err, "InvalidTrailNameException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("new"), S3BucketName: aws.String("")})
	wantCode(t, err, "InvalidS3BucketNameException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("new"), S3BucketName: aws.String("Bucket")})
	wantCode(t, err, "InvalidS3BucketNameException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("new"), S3BucketName: aws.String("bucket"), S3KeyPrefix: aws.String("x/")})
	wantCode(t, err, "InvalidS3PrefixException")
	_, err = ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: name, S3BucketName: aws.String("good-one"), S3KeyPrefix: aws.String("x/")})
	wantCode(t, err, "InvalidS3PrefixException")
	_, err = ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: name, S3BucketName: aws.String("")})
	wantCode(t, err, "InvalidS3BucketNameException")
	if tr := must(ct.DescribeTrails(ctx, &trail.DescribeTrailsInput{TrailNameList: []string{"made"}})).TrailList[0]; *tr.S3BucketName != "other" || *tr.S3KeyPrefix != "p" {
		t.Errorf("a refused change was made: %+v", tr)
	}
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("new"), S3BucketName: aws.String("bucket"), KmsKeyId: aws.String("alias/none")})
	wantCode(t, err, "KmsKeyNotFoundException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: aws.String("new"), S3BucketName: aws.String("bucket"), IsOrganizationTrail: aws.Bool(true)})
	wantCode(t, err, "UnsupportedOperationException")
	_, err = ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: name, IsOrganizationTrail: aws.Bool(true)})
	wantCode(t, err, "UnsupportedOperationException")
	_, err = ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: name, KmsKeyId: aws.String("none")})
	wantCode(t, err, "KmsKeyNotFoundException")
	orgARN := aws.String("arn:aws:cloudtrail:us-east-1:444455556666:trail/org")
	for ref, code := range map[*string]string{&away: "InvalidHomeRegionException", orgARN: "AccessDeniedException", aws.String("none"): "TrailNotFoundException"} {
		_, err = ct.UpdateTrail(ctx, &trail.UpdateTrailInput{Name: ref})
		wantCode(t, err, code)
		_, err = ct.DeleteTrail(ctx, &trail.DeleteTrailInput{Name: ref})
		wantCode(t, err, code)
		_, err = ct.StartLogging(ctx, &trail.StartLoggingInput{Name: ref})
		wantCode(t, err, code)
		_, err = ct.StopLogging(ctx, &trail.StopLoggingInput{Name: ref})
		wantCode(t, err, code)
		_, err = ct.PutEventSelectors(ctx, &trail.PutEventSelectorsInput{TrailName: ref, EventSelectors: []trailtypes.EventSelector{{}}})
		wantCode(t, err, code)
	}

	must(ct.DeleteTrail(ctx, &trail.DeleteTrailInput{Name: name}))
	_, err = ct.GetTrailStatus(ctx, &trail.GetTrailStatusInput{Name: name})
	wantCode(t, err, "TrailNotFoundException")
	_, err = ct.CreateTrail(ctx, &trail.CreateTrailInput{Name: name, S3BucketName: aws.String("again")})
	wantCode(t, err, "")
}

// A denial is one operation's, as a role that may read trails but not their
// selectors has it.
func TestReadingTrailsCanBeDeniedOperationByOperation(t *testing.T) {
	srv, single, _, _, _ := fourTrails(t)
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "GetEventSelectors" })
	ct := srv.CloudTrail(account, region, onceTrail)
	_, err := ct.GetEventSelectors(t.Context(), &trail.GetEventSelectorsInput{TrailName: &single})
	wantCode(t, err, "AccessDeniedException")
	_, err = ct.GetTrailStatus(t.Context(), &trail.GetTrailStatusInput{Name: &single})
	wantCode(t, err, "")
	if n := srv.Total("GetEventSelectors"); n.Denied != 1 {
		t.Errorf("%+v", n)
	}
	if r := lastEvent(t, srv, account, region, "GetEventSelectors"); r.str("errorCode") != "AccessDenied" {
		t.Errorf("%v", r)
	}
	_ = must(srv.Client(account, region).ListKeys(t.Context(), &kms.ListKeysInput{})) // KMS goes on
}

// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
func TestASixthTrailInARegionIsRefused(t *testing.T) {
	srv, _ := fake()
	ct := srv.CloudTrail(account, region, onceTrail)
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: ireland, Name: "shadow", MultiRegion: true})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: ireland, Name: "elsewhere"})
	create := func(name string) error {
		_, err := ct.CreateTrail(t.Context(), &trail.CreateTrailInput{Name: &name, S3BucketName: aws.String("bucket")})
		return err
	}
	for _, name := range []string{"two", "three", "four", "five"} {
		wantCode(t, create(name), "")
	}
	wantCode(t, create("six"), "MaximumNumberOfTrailsExceededException")
	if arn, err := srv.AddTrail(kmsfake.Trail{Account: account, HomeRegion: region, Name: "six"}); err == nil {
		t.Errorf("made %s", arn)
	}
	mustAddTrail(t, srv, kmsfake.Trail{Account: other, HomeRegion: region, Name: "six"})
	must(ct.DeleteTrail(t.Context(), &trail.DeleteTrailInput{Name: aws.String("five")}))
	wantCode(t, create("six"), "")
}

func TestSelectorsOfAddedTrailsAreCompletedAndTheServersOwn(t *testing.T) {
	srv, _ := fake()
	basic := []trailtypes.EventSelector{{ExcludeManagementEventSources: []string{"kms.amazonaws.com"}, DataResources: []trailtypes.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3"}}}}}
	advanced := []trailtypes.AdvancedEventSelector{{Name: aws.String("all"), FieldSelectors: []trailtypes.AdvancedFieldSelector{{Field: aws.String("eventCategory"), Equals: []string{"Management"}}}}}
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "basic", EventSelectors: basic})
	mustAddTrail(t, srv, kmsfake.Trail{Account: account, HomeRegion: region, Name: "advanced", AdvancedEventSelectors: advanced})
	if basic[0].IncludeManagementEvents != nil || basic[0].ReadWriteType != "" {
		t.Errorf("the caller's were completed: %+v", basic)
	}
	basic[0].ExcludeManagementEventSources[0], *basic[0].DataResources[0].Type, basic[0].DataResources[0].Values[0] = "x", "x", "x"
	basic[0].ReadWriteType = trailtypes.ReadWriteTypeReadOnly
	*advanced[0].Name, *advanced[0].FieldSelectors[0].Field, advanced[0].FieldSelectors[0].Equals[0] = "x", "x", "x"

	ct := srv.CloudTrail(account, region)
	got := must(ct.GetEventSelectors(t.Context(), &trail.GetEventSelectorsInput{TrailName: aws.String("basic")})).EventSelectors
	if want := []trailtypes.EventSelector{{
		ReadWriteType: trailtypes.ReadWriteTypeAll, IncludeManagementEvents: aws.Bool(true), ExcludeManagementEventSources: []string{"kms.amazonaws.com"},
		DataResources: []trailtypes.DataResource{{Type: aws.String("AWS::S3::Object"), Values: []string{"arn:aws:s3"}}},
	}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	got2 := must(ct.GetEventSelectors(t.Context(), &trail.GetEventSelectorsInput{TrailName: aws.String("advanced")})).AdvancedEventSelectors
	if f := got2[0].FieldSelectors[0]; *got2[0].Name != "all" || *f.Field != "eventCategory" || f.Equals[0] != "Management" {
		t.Errorf("%+v", got2)
	}
}
