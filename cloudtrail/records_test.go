package cloudtrail_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// kmsRecord is a record of KMS at noon with the members given.
func kmsRecord(op string, members ...string) string {
	return fmt.Sprintf(`{"eventTime":"2026-03-01T12:00:00Z","eventSource":"kms.amazonaws.com","eventName":%q,"awsRegion":"us-west-2","recipientAccountId":"111122223333"%s}`,
		op, strings.Join(append([]string{""}, members...), ","))
}

func scanRecords(t *testing.T, records ...string) *cloudtrail.LogHistory {
	t.Helper()
	return scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(records...)))})
}

func TestAnEventBelongsToTheKeysThatItNamesByARN(t *testing.T) {
	const (
		alias   = "arn:aws:kms:us-west-2:111122223333:alias/app"
		china   = "arn:aws-cn:kms:cn-north-1:444455556666:key/0987dcba-09fe-87dc-65ba-ab0987654321"
		govern  = "arn:aws-us-gov:kms:us-gov-west-1:444455556666:key/mrk-1"
		replica = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	)
	resources := func(arns ...string) string {
		var rs []string
		for _, a := range arns {
			rs = append(rs, fmt.Sprintf(`{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":%q}`, a))
		}
		return `"resources":[` + strings.Join(rs, ",") + `]`
	}
	for name, tt := range map[string]struct {
		record string
		want   []string
	}{
		"in its resources": {kmsRecord("Decrypt", resources(keyARN)), []string{keyARN}},
		"in its resources, and not what the request says":            {kmsRecord("Decrypt", resources(keyARN), `"requestParameters":{"keyId":"`+otherARN+`"}`), []string{keyARN}},
		"two keys in its resources":                                  {kmsRecord("ReEncrypt", resources(keyARN, otherARN)), []string{keyARN, otherARN}},
		"one key twice":                                              {kmsRecord("Decrypt", resources(keyARN, keyARN)), []string{keyARN}},
		"beside an alias":                                            {kmsRecord("Decrypt", resources(alias, keyARN)), []string{keyARN}},
		"beside an empty one":                                        {kmsRecord("Decrypt", resources("", keyARN)), []string{keyARN}},
		"in lower case":                                              {kmsRecord("Decrypt", `"resources":[{"arn":"`+keyARN+`"}]`), []string{keyARN}},
		"of China":                                                   {kmsRecord("Decrypt", resources(china)), []string{china}},
		"of GovCloud":                                                {kmsRecord("Decrypt", resources(govern)), []string{govern}},
		"of China, from its own event source":                        {strings.Replace(kmsRecord("Decrypt", resources(china)), "amazonaws.com", "amazonaws.com.cn", 1), []string{china}},
		"of another Region than that of the event":                   {kmsRecord("Decrypt", resources(replica)), []string{replica}},
		"resources null, in the request":                             {kmsRecord("Decrypt", `"resources":null`, `"requestParameters":{"keyId":"`+keyARN+`"}`), []string{keyARN}},
		"resources empty, in the request":                            {kmsRecord("Decrypt", `"resources":[]`, `"requestParameters":{"keyId":"`+keyARN+`"}`), []string{keyARN}},
		"resources hold an alias only, in the request":               {kmsRecord("Decrypt", resources(alias), `"requestParameters":{"keyId":"`+keyARN+`"}`), []string{keyARN}},
		"no resources at all, source and destination in the request": {kmsRecord("ReEncrypt", `"requestParameters":{"destinationKeyId":"`+otherARN+`","sourceKeyId":"`+keyARN+`"}`), []string{keyARN, otherARN}},
		"resources hold one of the two of ReEncrypt":                 {kmsRecord("ReEncrypt", resources(keyARN), `"requestParameters":{"destinationKeyId":"`+otherARN+`"}`), []string{keyARN, otherARN}},
		"only in the error message":                                  {kmsRecord("Decrypt", `"errorCode":"DisabledException"`, `"errorMessage":"`+keyARN+` is disabled."`), []string{keyARN}},
		"in the error message, behind that of the caller": {kmsRecord("Decrypt", `"errorCode":"AccessDenied"`,
			`"errorMessage":"User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: kms:Decrypt on resource: `+keyARN+` because no resource-based policy allows it"`), []string{keyARN}},
		"escaped":                                {kmsRecord("Decrypt", `"resources":[{"ARN":"arn:aws:kms:us-west-2:111122223333:key\/1234abcd-12ab-34cd-56ef-1234567890\u0061b"}]`), []string{keyARN}},
		"an alias in the request":                {kmsRecord("Decrypt", `"requestParameters":{"keyId":"`+alias+`"}`), nil},
		"a bare key ID":                          {kmsRecord("Decrypt", `"requestParameters":{"keyId":"1234abcd-12ab-34cd-56ef-1234567890ab"}`), nil},
		"no more than in an encryption context":  {kmsRecord("Decrypt", `"requestParameters":{"encryptionContext":{"keyId":"`+keyARN+`"}}`), nil},
		"resources of another type":              {kmsRecord("Decrypt", `"resources":{"ARN":"`+keyARN+`"}`), nil},
		"in the text of another service's event": {`{"eventTime":"2026-03-01T12:00:00Z","eventSource":"s3.amazonaws.com","x":"\"eventSource\":\"kms.amazonaws.com\"",` + resources(keyARN) + `}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := scanRecords(t, tt.record)
			var got []string
			for arn := range h.Keys() {
				got = append(got, arn)
			}
			slices.Sort(tt.want)
			if !slices.Equal(got, tt.want) || len(h.Gaps()) > 0 {
				t.Errorf("%v, want %v; gaps %v", got, tt.want, h.Gaps())
			}
			if n := h.Stats().Unattributed; strings.Contains(tt.record, "kms.") && (n == 1) != (len(tt.want) == 0) && !strings.Contains(tt.record, "s3.") {
				t.Errorf("%d unattributed", n)
			}
		})
	}
}

func TestWhatCountsAsUseAndAsRefusal(t *testing.T) {
	const on = `"resources":[{"ARN":"` + keyARN + `"}]`
	failed := func(code, message string) string {
		return fmt.Sprintf(`"errorCode":%q,"errorMessage":%q`, code, message)
	}
	for name, tt := range map[string]struct {
		record                  string
		use, refusal, publicKey bool
		other                   bool // neither counted nor kept
	}{
		"a success is use":                                {record: kmsRecord("Decrypt", on), use: true},
		"an empty error code is success":                  {record: kmsRecord("Sign", on, `"errorCode":""`), use: true},
		"an error code of null is success":                {record: kmsRecord("Sign", on, `"errorCode":null`), use: true},
		"ML-KEM is use":                                   {record: kmsRecord("Decapsulate", on), use: true},
		"DescribeKey is none":                             {record: kmsRecord("DescribeKey", on)},
		"GetKeyLastUsage is none":                         {record: kmsRecord("GetKeyLastUsage", on)},
		"CreateGrant is none":                             {record: kmsRecord("CreateGrant", on)},
		"GetPublicKey is kept apart":                      {record: kmsRecord("GetPublicKey", on), publicKey: true},
		"a failed GetPublicKey is not":                    {record: kmsRecord("GetPublicKey", on, failed("AccessDenied", ""))},
		"denied is neither use nor refusal":               {record: kmsRecord("Decrypt", on, failed("AccessDenied", "not authorized"))},
		"denied, as KMS spells it":                        {record: kmsRecord("Decrypt", on, failed("AccessDeniedException", ""))},
		"a dry run is not use":                            {record: kmsRecord("Encrypt", on, failed("DryRunOperationException", ""))},
		"disabled is a refusal":                           {record: kmsRecord("Decrypt", on, failed("DisabledException", keyARN+" is disabled.")), refusal: true},
		"disabled, passed on by a service":                {record: kmsRecord("Decrypt", on, failed("KMS.DisabledException", "")), refusal: true},
		"pending deletion as DisabledException":           {record: kmsRecord("Decrypt", on, failed("DisabledException", keyARN+" is pending deletion.")), refusal: true},
		"pending deletion as KMSInvalidStateException":    {record: kmsRecord("Decrypt", on, failed("KMSInvalidStateException", keyARN+" is pending deletion.")), refusal: true},
		"pending import":                                  {record: kmsRecord("Encrypt", on, failed("KMSInvalidStateException", keyARN+" is pending import.")), refusal: true},
		"unavailable":                                     {record: kmsRecord("Encrypt", on, failed("KMSInvalidStateException", keyARN+" is unavailable.")), refusal: true},
		"an invalid state without a message":              {record: kmsRecord("Encrypt", on, failed("KMSInvalidStateException", "")), refusal: true},
		"still being created is none":                     {record: kmsRecord("Encrypt", on, failed("KMSInvalidStateException", keyARN+" is Creating.")), refusal: false},
		"CreateGrant on a disabled key":                   {record: kmsRecord("CreateGrant", on, failed("DisabledException", "")), refusal: true},
		"DescribeKey cannot be refused":                   {record: kmsRecord("DescribeKey", on, failed("DisabledException", "")), refusal: false},
		"network activity would count a call twice":       {record: kmsRecord("Decrypt", on, `"eventCategory":"NetworkActivity"`), other: true},
		"an event of a VPC endpoint too":                  {record: kmsRecord("Decrypt", on, `"eventType":"AwsVpceEvent"`), other: true},
		"an insight too":                                  {record: kmsRecord("Decrypt", on, `"eventCategory":"Insight"`), other: true},
		"what is no management event":                     {record: kmsRecord("Decrypt", on, `"managementEvent":false`), other: true},
		"a management event that says so":                 {record: kmsRecord("Decrypt", on, `"eventCategory":"Management","managementEvent":true`), use: true},
		"the last of two error codes counts: success":     {record: kmsRecord("Decrypt", on, `"errorCode":"DisabledException"`, `"errorCode":""`), use: true},
		"the last of two event sources counts: KMS":       {record: `{"eventSource":"s3.amazonaws.com",` + kmsRecord("Decrypt", on)[1:], use: true},
		"the last of two event sources counts: not KMS":   {record: strings.TrimSuffix(kmsRecord("Decrypt", on), "}") + `,"eventSource":"s3.amazonaws.com"}`, other: true},
		"an event source that is written with escapes":    {record: strings.Replace(kmsRecord("Decrypt", on), `"kms.`, `"\u006bms\u002e`, 1), use: true},
		"a member whose name is written with escapes":     {record: strings.Replace(kmsRecord("Decrypt", on), `"eventName"`, `"event\u004eame"`, 1), use: true},
		"quotes and braces in texts are no structure":     {record: kmsRecord("Decrypt", `"a":"}\"{","b":{"c":"]}\\\""}`, on), use: true},
		"a record of hundreds of kilobytes":               {record: kmsRecord("Decrypt", `"a":{"b":"`+strings.Repeat(`x}\"`, 200_000)+`"}`, on), use: true},
		"a text that reads like another event's source":   {record: kmsRecord("Decrypt", on, `"x":{"eventSource":"s3.amazonaws.com","errorCode":"DisabledException"}`), use: true},
		"spaces and line breaks wherever they may be":     {record: "\n { \"eventSource\" :\t\"kms.amazonaws.com\" , \"eventName\": \"Decrypt\",\r\n \"eventTime\" : \"2026-03-01T12:00:00Z\" , \"resources\" : [ { \"ARN\" : \"" + keyARN + "\" } ] } ", use: true},
		"an operation that this version does not know":    {record: kmsRecord("Transmogrify", on)},
		"a time with a fraction and an offset":            {record: strings.Replace(kmsRecord("Decrypt", on), "2026-03-01T12:00:00Z", "2026-03-01T14:00:00.000+02:00", 1), use: true},
		"the 29th of February":                            {record: strings.Replace(kmsRecord("Decrypt", on), "2026-03-01T12", "2024-02-29T12", 1), use: true},
		"members that are not of the type that is usual":  {record: kmsRecord("Decrypt", on, `"userIdentity":[1],"requestParameters":"x","sourceIPAddress":7,"eventID":{}`), use: true},
		"an encryption context with values of other kind": {record: kmsRecord("Decrypt", on, `"requestParameters":{"encryptionContext":{"a":1,"b":null}}`), use: true},
	} {
		t.Run(name, func(t *testing.T) {
			h := scanRecords(t, tt.record)
			r, ok := h.Key(keyARN)
			if ok == tt.other {
				t.Fatalf("known: %v", ok)
			}
			if (r.First != nil) != tt.use || (r.Last != nil) != tt.use || (len(r.Refusals) == 1) != tt.refusal || (r.PublicKey != nil) != tt.publicKey {
				t.Errorf("%+v", r)
			}
			if tt.use && r.Last.At.Hour() != 12 {
				t.Errorf("at %v", r.Last.At)
			}
			if len(h.Gaps()) > 0 {
				t.Errorf("gaps %v", h.Gaps())
			}
		})
	}
}

func TestALookupEventsAnswerIsReadLikeALogFile(t *testing.T) {
	inner := strings.ReplaceAll(strings.ReplaceAll(use("1"), `\`, `\\`), `"`, `\"`)
	event := `{"EventId":"1","EventName":"Decrypt","EventSource":"kms.amazonaws.com","EventTime":1772366400.0,"CloudTrailEvent":"` + inner + `","Resources":[{"ResourceName":"x"}]}`
	for name, content := range map[string]string{
		"as the AWS CLI prints it": `{"Events":[` + event + `],"NextToken":"t"}`,
		"its events only":          `[` + event + `]`,
		"one of its events":        event,
		"one event a line":         event + "\n" + event + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := scan(t, fstest.MapFS{"a.json": file([]byte(content))})
			if r, _ := h.Key(keyARN); r.Last == nil || r.Last.EventID != "1" || r.Operations["Decrypt"] != 1 || len(h.Gaps()) > 0 {
				t.Errorf("%+v, gaps %v", r, h.Gaps())
			}
		})
	}
}

func TestRecordsAreReadInEveryShapeThatFilesHave(t *testing.T) {
	one, two := use("1"), use("2")
	for name, content := range map[string]string{
		"as CloudTrail delivers them":       wrapped(one, two),
		"with other members before":         `{"x":{"Records":[` + one + `]},"Records":[` + one + `,` + two + `]}`,
		"with other members behind":         `{"Records":[` + one + `,` + two + `],"x":[1,{"y":"]}"}],"z":null}`,
		"in two arrays of one name":         `{"Records":[` + one + `],"Records":[` + two + `]}`,
		"an array":                          `[` + one + `,` + two + `]`,
		"JSON lines":                        one + "\n" + two + "\n",
		"JSON lines without a break at end": one + "\r\n" + two,
		"one behind the other":              one + two,
		"several files in one":              wrapped(one) + wrapped(two),
	} {
		for ext, content := range map[string][]byte{".json": []byte(content), ".json.gz": packed(content)} {
			t.Run(name+" in "+ext, func(t *testing.T) {
				h := scan(t, fstest.MapFS{"a" + ext: file(content)})
				if r, _ := h.Key(keyARN); r.Operations["Decrypt"] != 2 || len(h.Gaps()) > 0 {
					t.Errorf("%+v, gaps %v", r, h.Gaps())
				}
			})
		}
	}
}

func TestFirstAndLastAreThoseInTimeWhateverTheOrder(t *testing.T) {
	event := func(id, when string) string { return strings.Replace(use(id), "2026-03-01T12:00:00Z", when, 1) }
	h := scanRecords(t, event("b", "2026-03-02T00:00:00Z"), event("a", "2026-03-01T00:00:00Z"), event("z", "2026-03-04T00:00:00Z"), event("c", "2026-03-03T00:00:00Z"))
	r, _ := h.Key(keyARN)
	if r.First.EventID != "a" || r.Last.EventID != "z" {
		t.Errorf("first %+v, last %+v", r.First, r.Last)
	}
}

func TestRefusalsAreTheNewestSinceTheTimeGivenAndTheRestIsCounted(t *testing.T) {
	var records []string
	for day := 1; day <= 20; day++ {
		records = append(records, fmt.Sprintf(`{"eventTime":"2026-03-%02dT12:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"%d","errorCode":"DisabledException","resources":[{"ARN":%q}]}`, day, day, keyARN))
	}
	records = append(records, records...) // everything twice
	h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(records...)))}, func(o *cloudtrail.ScanOptions) {
		o.Refusals, o.RefusedSince = 3, at("2026-03-11T00:00:00Z")
	})
	r, _ := h.Key(keyARN)
	var ids []string
	for _, e := range r.Refusals {
		ids = append(ids, e.EventID)
	}
	if !slices.Equal(ids, []string{"20", "19", "18"}) || r.Dropped.Refusals != 7 || r.Errors["DisabledException"] != 20 {
		t.Errorf("refusals %v, dropped %d, errors %v", ids, r.Dropped.Refusals, r.Errors)
	}
}

func TestEncryptionContextsAreBoundedAndWhatIsDroppedIsCounted(t *testing.T) {
	record := func(i int) string {
		return kmsRecord("Decrypt", `"resources":[{"ARN":"`+keyARN+`"}]`, fmt.Sprintf(`"eventID":"%d","requestParameters":{"encryptionContext":{"object":"o%d","bucket":"b"}}`, i, i%50))
	}
	var forward, backward []string
	for i := range 200 {
		forward, backward = append(forward, record(i)), append(backward, record(199-i))
	}
	few := func(o *cloudtrail.ScanOptions) { o.Contexts = 5 }
	one, _ := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(forward...)))}, few).Key(keyARN)
	two, _ := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(backward...)))}, few).Key(keyARN)
	total := one.Dropped.Contexts
	for _, c := range one.Contexts {
		total += c.Count
		if c.Key == "object" && c.Count != 4 || c.Key == "bucket" && c.Count != 200 {
			t.Errorf("counted %+v", c)
		}
	}
	if len(one.Contexts) != 5 || total != 400 {
		t.Errorf("%d kept, %d in all; want 5 and 400", len(one.Contexts), total)
	}
	if !slices.Equal(one.Contexts, two.Contexts) || one.Dropped != two.Dropped {
		t.Errorf("in another order %v, not %v", two, one)
	}
}

func TestServicesAreThoseOnWhoseBehalfACallWasMade(t *testing.T) {
	const on = `"resources":[{"ARN":"` + keyARN + `"}]`
	h := scanRecords(t,
		kmsRecord("Decrypt", on, `"userIdentity":{"type":"AWSService","invokedBy":"cloudtrail.amazonaws.com"},"sourceIPAddress":"cloudtrail.amazonaws.com"`),
		kmsRecord("Decrypt", on, `"userIdentity":{"arn":"a","invokedBy":"dynamodb.amazonaws.com"},"sourceIPAddress":"192.0.2.1"`),
		kmsRecord("Decrypt", on, `"userIdentity":{"arn":"a"},"sourceIPAddress":"AWS Internal"`),
		kmsRecord("Decrypt", on, `"userIdentity":{"arn":"a","invokedBy":"s3.amazonaws.com"},"sourceIPAddress":"AWS Internal"`),
		kmsRecord("Decrypt", on, `"userIdentity":{"arn":"a"},"sourceIPAddress":"192.0.2.1"`))
	r, _ := h.Key(keyARN)
	if !maps.Equal(r.Services, map[string]int{"cloudtrail.amazonaws.com": 1, "dynamodb.amazonaws.com": 1, "AWS Internal": 1, "s3.amazonaws.com": 1}) || r.Dropped != (usage.Dropped{}) {
		t.Errorf("services %v", r.Services)
	}
}

func TestFirstAndLastOnlyGivesTheSameUsesWithoutCounts(t *testing.T) {
	h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(use("1"), kmsRecord("Encrypt", `"resources":[{"ARN":"`+keyARN+`"}]`, `"errorCode":"DisabledException"`))))},
		func(o *cloudtrail.ScanOptions) { o.FirstAndLastOnly = true })
	r, _ := h.Key(keyARN)
	if r.Last == nil || r.Last.EventID != "1" || len(r.Refusals) != 1 || len(r.Operations) != 0 || len(r.Errors) != 0 {
		t.Errorf("%+v", r)
	}
}
