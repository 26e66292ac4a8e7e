package cloudtrail_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/cloudtrail"
)

func fieldSel(name string, edit func(*types.AdvancedFieldSelector)) types.AdvancedFieldSelector {
	f := types.AdvancedFieldSelector{Field: &name}
	edit(&f)
	return f
}

func equal(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.Equals = values })
}

func notEqual(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.NotEquals = values })
}

func startsWith(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.StartsWith = values })
}

func notStartsWith(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.NotStartsWith = values })
}

func endsWith(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.EndsWith = values })
}

func notEndsWith(name string, values ...string) types.AdvancedFieldSelector {
	return fieldSel(name, func(f *types.AdvancedFieldSelector) { f.NotEndsWith = values })
}

// advanced is the answer with advanced selectors, each of its fields.
func advanced(selectors ...[]types.AdvancedFieldSelector) *trail.GetEventSelectorsOutput {
	out := &trail.GetEventSelectorsOutput{AdvancedEventSelectors: []types.AdvancedEventSelector{}}
	for _, fields := range selectors {
		out.AdvancedEventSelectors = append(out.AdvancedEventSelectors, types.AdvancedEventSelector{FieldSelectors: fields})
	}
	return out
}

// management is an advanced selector of management events with more fields.
func management(fields ...types.AdvancedFieldSelector) []types.AdvancedFieldSelector {
	return slices.Concat([]types.AdvancedFieldSelector{equal("eventCategory", "Management")}, fields)
}

func basic(selectors ...types.EventSelector) *trail.GetEventSelectorsOutput {
	return &trail.GetEventSelectorsOutput{EventSelectors: append([]types.EventSelector{}, selectors...)}
}

func basicSel(rw types.ReadWriteType, exclude ...string) types.EventSelector {
	return types.EventSelector{IncludeManagementEvents: aws.Bool(true), ReadWriteType: rw, ExcludeManagementEventSources: exclude}
}

// word is a set of answers in order of kind: uses, public keys, grants, changes.
func word(m map[cloudtrail.EventKind]cloudtrail.Recorded) string {
	var s []string
	for _, k := range []cloudtrail.EventKind{cloudtrail.KindUses, cloudtrail.KindPublicKey, cloudtrail.KindGrants, cloudtrail.KindChanges} {
		s = append(s, string(m[k]))
	}
	if s = slices.Compact(s); len(s) == 1 && len(m) == 4 {
		return s[0]
	}
	return strings.Join([]string{string(m[cloudtrail.KindUses]), string(m[cloudtrail.KindPublicKey]), string(m[cloudtrail.KindGrants]), string(m[cloudtrail.KindChanges])}, " ")
}

func TestSelectorsAreEvaluatedForEveryKindOfKMSEvents(t *testing.T) {
	var everyUse []string
	for _, op := range kmstypes.KeyLastUsageTrackingOperation("").Values() {
		everyUse = append(everyUse, string(op))
	}
	const kms = "kms.amazonaws.com"
	for name, tt := range map[string]struct {
		out  *trail.GetEventSelectorsOutput
		want string // of all kinds, or uses, public keys, grants and changes
	}{
		"basic: everything":                            {basic(basicSel(types.ReadWriteTypeAll)), "all"},
		"basic: with an empty list of exclusions":      {basic(basicSel(types.ReadWriteTypeAll, []string{}...)), "all"},
		"basic: reads only":                            {basic(basicSel(types.ReadWriteTypeReadOnly)), "all all none none"},
		"basic: writes only":                           {basic(basicSel(types.ReadWriteTypeWriteOnly)), "none none all all"},
		"basic: without KMS":                           {basic(basicSel(types.ReadWriteTypeAll, kms)), "none"},
		"basic: without KMS and another":               {basic(basicSel(types.ReadWriteTypeAll, "rdsdata.amazonaws.com", kms)), "none"},
		"basic: without another service":               {basic(basicSel(types.ReadWriteTypeAll, "rdsdata.amazonaws.com")), "all"},
		"basic: no management events":                  {basic(types.EventSelector{IncludeManagementEvents: aws.Bool(false), ReadWriteType: types.ReadWriteTypeAll}), "none"},
		"basic: nobody says whether management events": {basic(types.EventSelector{ReadWriteType: types.ReadWriteTypeAll}), "unknown"},
		"basic: nobody says whether reads or writes":   {basic(types.EventSelector{IncludeManagementEvents: aws.Bool(true)}), "unknown"},
		"basic: a type that the SDK does not know":     {basic(basicSel("DestroyOnly")), "unknown"},
		"basic: two that complete each other":          {basic(basicSel(types.ReadWriteTypeReadOnly), basicSel(types.ReadWriteTypeWriteOnly)), "all"},
		"basic: one without KMS and one that reads":    {basic(basicSel(types.ReadWriteTypeAll, kms), basicSel(types.ReadWriteTypeReadOnly)), "all all none none"},
		"basic: one not understood and one of writes":  {basic(basicSel("Odd"), basicSel(types.ReadWriteTypeWriteOnly)), "unknown unknown all all"},
		"basic: an empty list":                         {basic(), "none"},
		"advanced: everything":                         {advanced(management()), "all"},
		"advanced: an empty list":                      {advanced(), "none"},
		"advanced: data events only":                   {advanced([]types.AdvancedFieldSelector{equal("eventCategory", "Data"), equal("resources.type", "AWS::S3::Object")}), "none"},
		"advanced: data events and management events":  {advanced([]types.AdvancedFieldSelector{equal("eventCategory", "Data"), equal("resources.type", "AWS::S3::Object")}, management()), "all"},
		"advanced: network activity of KMS only":       {advanced([]types.AdvancedFieldSelector{equal("eventCategory", "NetworkActivity"), equal("eventSource", kms)}), "none"},
		"advanced: reads only":                         {advanced(management(equal("readOnly", "true"))), "all all none none"},
		"advanced: writes only":                        {advanced(management(equal("readOnly", "false"))), "none none all all"},
		"advanced: reads and writes by two selectors":  {advanced(management(equal("readOnly", "true")), management(equal("readOnly", "false"))), "all"},
		"advanced: reads or writes by two values":      {advanced(management(equal("readOnly", "true", "false"))), "all"},
		"advanced: without KMS":                        {advanced(management(notEqual("eventSource", kms))), "none"},
		"advanced: without another service":            {advanced(management(notEqual("eventSource", "rdsdata.amazonaws.com"))), "all"},
		"advanced: writes, and reads without KMS":      {advanced(management(equal("readOnly", "false")), management(equal("readOnly", "true"), notEqual("eventSource", kms))), "none none all all"},
		"advanced: KMS alone":                          {advanced(management(equal("eventSource", kms))), "all"},
		"advanced: another service alone":              {advanced(management(equal("eventSource", "ec2.amazonaws.com"))), "none"},
		"advanced: sources that begin like KMS":        {advanced(management(startsWith("eventSource", "s3", "kms."))), "all"},
		"advanced: sources that do not begin like KMS": {advanced(management(notStartsWith("eventSource", "kms"))), "none"},
		"advanced: sources that end like KMS":          {advanced(management(endsWith("eventSource", ".amazonaws.com"))), "all"},
		"advanced: sources that do not end like KMS":   {advanced(management(notEndsWith("eventSource", "s.amazonaws.com"))), "none"},
		"advanced: some uses by name":                  {advanced(management(equal("eventName", "Decrypt", "Encrypt"))), "some none none none"},
		"advanced: all uses by name":                   {advanced(management(equal("eventName", everyUse...))), "all none none none"},
		"advanced: all but one use":                    {advanced(management(notEqual("eventName", "Decrypt"))), "some all all all"},
		"advanced: without names that begin so":        {advanced(management(notStartsWith("eventName", "Generate"))), "some all all all"},
		"advanced: names that end so":                  {advanced(management(endsWith("eventName", "Grant"))), "none none all none"},
		"advanced: chosen by one operator, not the other": {advanced(management(fieldSel("eventName", func(f *types.AdvancedFieldSelector) {
			f.StartsWith, f.NotEquals = []string{"Get", "Create"}, []string{"CreateKey"}
		}))), "none all all none"},
		"advanced: chosen by either of two operators": {advanced(management(fieldSel("eventName", func(f *types.AdvancedFieldSelector) {
			f.Equals, f.EndsWith = []string{"GetPublicKey"}, []string{"Grant"}
		}))), "none all all none"},
		"advanced: one field twice":                     {advanced(management(notEqual("eventName", "CreateGrant"), notEqual("eventName", "GetPublicKey"))), "all none none all"},
		"advanced: calls of the API alone":              {advanced(management(equal("eventType", "AwsApiCall"))), "all"},
		"advanced: without events of services":          {advanced(management(notEqual("eventType", "AwsServiceEvent"))), "all"},
		"advanced: events of services alone":            {advanced(management(equal("eventType", "AwsServiceEvent"))), "none"},
		"advanced: without one principal":               {advanced(management(notEqual("userIdentity.arn", "arn:aws:iam::111122223333:role/noisy"))), "some"},
		"advanced: reads without one principal":         {advanced(management(equal("readOnly", "true"), notStartsWith("userIdentity.arn", "arn:"))), "some some none none"},
		"advanced: not from the console":                {advanced(management(notEqual("sessionCredentialFromConsole", "true"))), "some"},
		"advanced: from the console, and everything":    {advanced(management(equal("sessionCredentialFromConsole", "true")), management()), "all"},
		"advanced: a field that nobody knows":           {advanced(management(equal("moonPhase", "full"))), "unknown"},
		"advanced: a field without a name":              {advanced(management(types.AdvancedFieldSelector{Equals: []string{"x"}})), "unknown"},
		"advanced: a field that nobody knows, of reads": {advanced(management(equal("moonPhase", "full"), equal("readOnly", "true"))), "unknown unknown none none"},
		"advanced: that, for certain principals":        {advanced(management(equal("moonPhase", "full"), equal("userIdentity.arn", "x"))), "some"},
		"advanced: that, or everything":                 {advanced(management(equal("moonPhase", "full")), management()), "all"},
		"advanced: that, or nothing":                    {advanced(management(equal("moonPhase", "full")), management(notEqual("eventSource", kms))), "unknown"},
		"advanced: the resource of a data event":        {advanced(management(startsWith("resources.ARN", "arn:aws:kms:"))), "unknown"},
		"advanced: an operator that nobody knows":       {advanced(management(fieldSel("readOnly", func(*types.AdvancedFieldSelector) {}))), "unknown"},
		"advanced: no category":                         {advanced([]types.AdvancedFieldSelector{equal("readOnly", "true")}), "unknown unknown none none"},
		"advanced: no field":                            {advanced(nil), "unknown"},
		"advanced: the category in another spelling":    {advanced([]types.AdvancedFieldSelector{equal("eventCategory", "management")}), "none"},
		"advanced: a boolean in another spelling":       {advanced(management(equal("readOnly", "True"))), "none"},
		"advanced, and an empty list of basic ones":     {&trail.GetEventSelectorsOutput{EventSelectors: []types.EventSelector{}, AdvancedEventSelectors: advanced(management()).AdvancedEventSelectors}, "all"},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			c.selectors[mainTrail] = tt.out
			got := mustRead(t, c)
			if w := word(got.Trails[0].Records); w != tt.want {
				t.Errorf("%s, want %s", w, tt.want)
			}
			spots := got.BlindSpots()
			if (tt.want == "all") != (len(spots) == 0) || spots == nil {
				t.Errorf("blind spots %q", spots)
			}
			for _, s := range spots {
				if !strings.HasPrefix(s, "trail main ") {
					t.Errorf("%q does not name the trail", s)
				}
			}
			if len(got.Gaps) != 0 {
				t.Errorf("gaps %v", got.Gaps)
			}
		})
	}
}

func TestSelectorsThatAreNoAnswerAreAGapAndUnknown(t *testing.T) {
	for name, out := range map[string]*trail.GetEventSelectorsOutput{
		"nothing at all":           nil,
		"neither list":             {},
		"both lists":               {EventSelectors: basic(basicSel(types.ReadWriteTypeAll)).EventSelectors, AdvancedEventSelectors: advanced(management()).AdvancedEventSelectors},
		"those of another trail":   {EventSelectors: basic(basicSel(types.ReadWriteTypeAll)).EventSelectors, TrailARN: aws.String(mainTrail + "2")},
		"neither list, but an ARN": {TrailARN: aws.String(mainTrail)},
		"those of an empty ARN":    {TrailARN: aws.String("")},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			c.selectors[mainTrail] = out
			got := mustRead(t, c)
			wantGap(t, got, "GetEventSelectors", mainTrail, "malformed")
			if got.Trails[0].Records != nil || len(got.BlindSpots()) != 2 {
				t.Errorf("records %v, blind spots %q", got.Trails[0].Records, got.BlindSpots())
			}
			if got.Trails[0].Status == nil {
				t.Error("the status was not read")
			}
		})
	}
}

// In China the source of KMS events may have one more part.
func TestInChinaASelectorThatKnowsOneNameOfKMSOnlyIsUnknown(t *testing.T) {
	const arn = "arn:aws-cn:cloudtrail:cn-north-1:111122223333:trail/main"
	for name, tt := range map[string]struct {
		out  *trail.GetEventSelectorsOutput
		want string
	}{
		"everything":                   {advanced(management()), "all"},
		"without both names":           {advanced(management(notStartsWith("eventSource", "kms."))), "none"},
		"without one name":             {advanced(management(notEqual("eventSource", "kms.amazonaws.com"))), "unknown"},
		"basic: without one name":      {basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com")), "none"},
		"basic: without the other one": {basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com.cn")), "none"},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(d *types.Trail) { d.TrailARN, d.HomeRegion = aws.String(arn), aws.String("cn-north-1") })
			c.selectors[arn], c.status[arn] = tt.out, logging()
			got, err := cloudtrail.ReadTrails(context.Background(), c, "111122223333", "cn-north-1", atNow)
			if err != nil {
				t.Fatal(err)
			}
			if w := word(got.Trails[0].Records); w != tt.want {
				t.Errorf("%s, want %s", w, tt.want)
			}
		})
	}
}

func TestEveryBlindSpotOfSelectorsSaysWhatItIsOf(t *testing.T) {
	for name, tt := range map[string]struct {
		out   *trail.GetEventSelectorsOutput
		texts string
		whole bool
	}{
		"without KMS":             {basic(basicSel(types.ReadWriteTypeAll, "kms.amazonaws.com")), "trail main does not record uses of keys, calls of GetPublicKey; trail main does not record calls of CreateGrant, calls that create keys or switch them on or off", true},
		"writes only":             {basic(basicSel(types.ReadWriteTypeWriteOnly)), "trail main does not record uses of keys, calls of GetPublicKey", true},
		"advanced: writes only":   {advanced(management(equal("readOnly", "false"))), "trail main does not record uses of keys, calls of GetPublicKey", true},
		"reads only":              {basic(basicSel(types.ReadWriteTypeReadOnly)), "trail main does not record calls of CreateGrant, calls that create keys or switch them on or off", true},
		"one kind by name":        {advanced(management(notEqual("eventName", "GetPublicKey"))), "trail main does not record calls of GetPublicKey", false},
		"in part":                 {advanced(management(notEqual("userIdentity.arn", "x"))), "trail main records KMS events only in part", false},
		"a field that is unknown": {advanced(management(equal("moonPhase", "full"))), "trail main has selectors that are not understood: whether it records KMS events is not known", false},
	} {
		t.Run(name, func(t *testing.T) {
			c := oneTrail(func(*types.Trail) {})
			c.selectors[mainTrail] = tt.out
			spots := mustRead(t, c).Trails[0].BlindSpots
			var texts []string
			for _, s := range spots[:len(spots)-1] { // the last is of the time before the trail's start
				texts = append(texts, s.Text)
				if s.AllOrNone != tt.whole || !s.From.IsZero() || !s.To.IsZero() {
					t.Errorf("%+v", s)
				}
			}
			if got := strings.Join(texts, "; "); got != tt.texts {
				t.Errorf("%q, want %q", got, tt.texts)
			}
		})
	}
}
