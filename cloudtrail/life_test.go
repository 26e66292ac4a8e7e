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

// From the examples of AWS, without what nobody reads. A replica is told of in two
// Regions: ReplicateKey where the primary is, CreateKey where the replica is.
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-createkey.html
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-replicate-key.html
const (
	primaryARN = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	replicaARN = "arn:aws:kms:us-west-2:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"

	createKey = `{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"EX_PRINCIPAL_ID","arn":"arn:aws:iam::111122223333:user/Alice"},
		"eventTime":"2022-08-10T22:38:27Z","eventSource":"kms.amazonaws.com","eventName":"CreateKey","awsRegion":"us-west-2","requestParameters":{"description":"","origin":"EXTERNAL"},
		"responseElements":{"keyMetadata":{"AWSAccountId":"111122223333","keyId":"1234abcd-12ab-34cd-56ef-1234567890ab","arn":"` + keyARN + `","keyState":"PendingImport"}},
		"eventID":"36327b37-f4f6-40a9-92ab-48064ec905a2","readOnly":false,
		"resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"` + keyARN + `"}],"eventType":"AwsApiCall","managementEvent":true,"eventCategory":"Management"}`
	replicateKey = `{"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/Alice"},
		"eventTime":"2020-11-18T01:29:18Z","eventSource":"kms.amazonaws.com","eventName":"ReplicateKey","awsRegion":"us-east-1",
		"requestParameters":{"keyId":"mrk-1234abcd12ab34cd56ef1234567890ab","replicaRegion":"us-west-2"},
		"responseElements":{"replicaKeyMetadata":{"keyId":"mrk-1234abcd12ab34cd56ef1234567890ab","arn":"` + replicaARN + `","keyState":"Creating",
			"multiRegionConfiguration":{"primaryKey":{"arn":"` + primaryARN + `"}}}},
		"eventID":"fedcba44-6773-4f96-8763-1993aec9ae6a","resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"` + primaryARN + `"}]}`
)

func TestWhoMadeAKeyIsKept(t *testing.T) {
	const alice = "arn:aws:iam::111122223333:user/Alice"
	inReplica := strings.NewReplacer(keyARN, replicaARN, "2022-08-10T22:38:27Z", "2020-11-18T01:29:20Z", `"arn":"`+alice+`"`, `"invokedBy":"AWS Internal"`).Replace(createKey)
	for name, tt := range map[string]struct {
		records []string
		arn     string
		op, by  string // empty: not known
	}{
		"as AWS shows it":                       {[]string{createKey}, keyARN, "CreateKey", alice},
		"named by the answer only":              {[]string{strings.Replace(createKey, `"resources"`, `"x"`, 1)}, keyARN, "CreateKey", alice},
		"whatever else is known":                {[]string{use("1"), createKey, use("2")}, keyARN, "CreateKey", alice},
		"a CreateKey that failed made none":     {[]string{strings.Replace(createKey, "{", `{"errorCode":"AccessDenied",`, 1)}, keyARN, "", ""},
		"a replica, by the call for it":         {[]string{replicateKey}, replicaARN, "ReplicateKey", alice},
		"a replica, by what followed":           {[]string{inReplica}, replicaARN, "CreateKey", "EX_PRINCIPAL_ID"},
		"a replica, by both":                    {[]string{inReplica, replicateKey}, replicaARN, "ReplicateKey", alice},
		"replicating does not make the primary": {[]string{replicateKey}, primaryARN, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, ok := scanRecords(t, tt.records...).Key(tt.arn)
			if !ok {
				t.Fatal("the key is not known")
			}
			switch {
			case tt.op == "" && r.Created != nil:
				t.Errorf("created by %+v", r.Created)
			case tt.op != "" && (r.Created == nil || r.Created.Operation != tt.op || r.Created.Principal != tt.by):
				t.Errorf("created by %+v, want %s by %q", r.Created, tt.op, tt.by)
			}
		})
	}
}

func TestAReplicaThatIsOnlyCreatedCountsNoCalls(t *testing.T) {
	for keys, record := range map[int]string{2: replicateKey, 1: strings.Replace(replicateKey, `"resources"`, `"x"`, 1)} {
		h := scanRecords(t, record)
		r, _ := h.Key(replicaARN)
		if len(r.Operations) != 0 || r.First != nil || r.Created == nil || h.Stats().Keys != keys || h.Stats().Duplicates != 0 || h.Stats().Unattributed != 0 {
			t.Errorf("%+v, stats %+v", r, h.Stats())
		}
	}
}

func TestAKeyIsOffSinceTheCallThatTheArchiveHolds(t *testing.T) {
	call := func(op, id, when string) string {
		return strings.Replace(kmsRecord(op, `"eventID":"`+id+`"`, `"requestParameters":{"keyId":"1234abcd-12ab-34cd-56ef-1234567890ab"}`,
			`"responseElements":{"keyId":"`+keyARN+`"}`, `"resources":[{"ARN":"`+keyARN+`"}]`), "12:00:00", when, 1)
	}
	disable, schedule, cancel, enable := call("DisableKey", "d", "01:00:00"), call("ScheduleKeyDeletion", "s", "02:00:00"), call("CancelKeyDeletion", "c", "03:00:00"), call("EnableKey", "e", "03:00:00")
	var toggled []string
	for i := range 100 {
		toggled = append(toggled, call("EnableKey", fmt.Sprint("e", i), fmt.Sprintf("04:%02d:%02d", i/2, i%2*30)), call("DisableKey", fmt.Sprint("d", i), fmt.Sprintf("04:%02d:%02d", i/2, i%2*30+10)))
	}
	for name, tt := range map[string]struct {
		records []string
		want    string
	}{
		"never":                              {[]string{use("1")}, ""},
		"disabled, then scheduled":           {[]string{schedule, disable}, "d"},
		"canceled: still disabled":           {[]string{schedule, disable, cancel}, "d"},
		"canceled and enabled in one second": {[]string{enable, cancel, schedule, disable}, ""},
		"everything twice":                   {[]string{disable, schedule, disable, schedule}, "d"},
		"named by the answer only":           {[]string{strings.Replace(disable, `"resources"`, `"x"`, 1)}, "d"},
		"a call that failed":                 {[]string{strings.Replace(disable, "{", `{"errorCode":"AccessDenied",`, 1)}, ""},
		"off and on all the time":            {toggled, "d99"},
	} {
		for _, little := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, first and last only %v", name, little), func(t *testing.T) {
				h := scan(t, fstest.MapFS{"a.json": file([]byte(wrapped(tt.records...)))}, func(o *cloudtrail.ScanOptions) { o.FirstAndLastOnly = little })
				r, _ := h.Key(keyARN)
				got := ""
				if r.Off != nil {
					got = r.Off.EventID
				}
				if got != tt.want {
					t.Errorf("off since %+v, want %q", r.Off, tt.want)
				}
			})
		}
	}
}

func TestEachKeyOfReEncryptHasTheEncryptionContextThatIsItsOwn(t *testing.T) {
	const contexts = `"sourceEncryptionContext":{"Project":"Alpha"},"destinationEncryptionContext":{"Level":"3A"}`
	source, destination := map[string]string{"Project": "Alpha"}, map[string]string{"Level": "3A"}
	resources := func(arns ...string) string {
		for i, a := range arns {
			arns[i] = `{"ARN":"` + a + `"}`
		}
		return `"resources":[` + strings.Join(arns, ",") + `]`
	}
	for name, tt := range map[string]struct {
		record string
		want   map[string]map[string]string // of the last use, by key
	}{
		"two keys, the source first": {
			kmsRecord("ReEncrypt", resources(keyARN, otherARN), `"requestParameters":{`+contexts+`}`),
			map[string]map[string]string{keyARN: source, otherARN: destination},
		},
		"the source in the request, the destination in the resources": {
			kmsRecord("ReEncrypt", resources(otherARN), `"requestParameters":{"sourceKeyId":"`+keyARN+`",`+contexts+`}`),
			map[string]map[string]string{keyARN: source, otherARN: destination},
		},
		"the destination in the request, the source in the resources": {
			kmsRecord("ReEncrypt", resources(keyARN), `"requestParameters":{"destinationKeyId":"`+otherARN+`",`+contexts+`}`),
			map[string]map[string]string{keyARN: source, otherARN: destination},
		},
		"one key is both": {
			kmsRecord("ReEncrypt", resources(keyARN, keyARN), `"requestParameters":{`+contexts+`}`),
			map[string]map[string]string{keyARN: source},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := scanRecords(t, tt.record)
			for arn, want := range tt.want {
				r, _ := h.Key(arn)
				if r.Last == nil || !maps.Equal(r.Last.Context, want) {
					t.Errorf("%s: %+v, want the context %v", arn, r.Last, want)
				}
				pairs := 1
				if len(tt.want) == 1 {
					pairs = 2 // new ciphertext bears the other
				}
				if len(r.Contexts) != pairs {
					t.Errorf("%s: contexts %v", arn, r.Contexts)
				}
			}
		})
	}
}

// What EBS sends first when a volume is attached names the volume.
func TestARefusedGrantTellsWhatItWasFor(t *testing.T) {
	r, _ := scanRecords(t, kmsRecord("CreateGrant", `"errorCode":"DisabledException"`, `"errorMessage":"`+keyARN+` is disabled."`, `"resources":[{"ARN":"`+keyARN+`"}]`,
		`"requestParameters":{"granteePrincipal":"arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0abc","constraints":{"encryptionContextSubset":{"aws:ebs:id":"vol-0123"}}}`)).Key(keyARN)
	if len(r.Refusals) != 1 || r.Refusals[0].Context["aws:ebs:id"] != "vol-0123" || !slices.Equal(r.Contexts, []usage.ContextSeen{{Key: "aws:ebs:id", Value: "vol-0123", Count: 1}}) {
		t.Errorf("%+v", r)
	}
}
