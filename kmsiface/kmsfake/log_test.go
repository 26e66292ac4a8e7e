package kmsfake_test

import (
	"context"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// record is a CloudTrail record, read without knowledge of how it was written.
type record map[string]any

func parseRecord(t *testing.T, text string) record {
	t.Helper()
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return r
}

// str reads a member by its path.
func (r record) str(path string) string {
	var v any = map[string]any(r)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	return s
}

// arns are the resources of a record.
func (r record) arns() []string {
	var out []string
	list, _ := r["resources"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		arn, _ := m["ARN"].(string)
		out = append(out, arn)
	}
	return out
}

// look returns the records that a lookup finds in a place, the newest first.
func look(t *testing.T, srv *kmsfake.Server, account, region string, key trailtypes.LookupAttributeKey, value string) []record {
	t.Helper()
	in := &trail.LookupEventsInput{}
	if key != "" {
		in.LookupAttributes = []trailtypes.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
	}
	var out []record
	p := trail.NewLookupEventsPaginator(srv.CloudTrail(account, region), in)
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			out = append(out, parseRecord(t, *e.CloudTrailEvent))
		}
	}
	return out
}

// lastEvent returns the newest record of an operation of KMS.
func lastEvent(t *testing.T, srv *kmsfake.Server, account, region, operation string) record {
	t.Helper()
	found := look(t, srv, account, region, trailtypes.LookupAttributeKeyEventName, operation)
	if len(found) == 0 {
		t.Fatalf("no event of %s in %s %s", operation, account, region)
	}
	return found[0]
}

const (
	oregon   = "us-west-2"
	aliceKey = "EXAMPLE_KEY_ID"
	first    = "1234abcd-12ab-34cd-56ef-1234567890ab"
	second2  = "0987dcba-09fe-87dc-65ba-ab0987654321"
	material = "123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"
)

func keyARN(id string) string { return "arn:aws:kms:" + oregon + ":" + account + ":key/" + id }

// The records are those that AWS publishes, one page for each operation, under
// https://docs.aws.amazon.com/kms/latest/developerguide/understanding-kms-entries.html.
// What AWS's pages do not agree on among themselves is as the newest of them have
// it: the version, the Region, resources with their type. IDs are the server's.
func TestEventsAreThoseOfAWSsExamples(t *testing.T) {
	context2 := map[string]string{"Department": "Engineering", "Project": "Alpha"}
	type world struct {
		srv   *kmsfake.Server
		clock *kmsfake.Clock
		c     *kms.Client
	}
	ctx := context.Background()
	for _, tt := range []struct {
		name string
		at   time.Time
		call func(w world) // the last call is the one
		want string        // besides userIdentity and what all records have
	}{
		{"Decrypt", time.Date(2025, 5, 20, 20, 45, 0, 0, time.UTC), func(w world) {
			blob := must(w.c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(first), Plaintext: []byte("x"), EncryptionContext: context2})).CiphertextBlob
			must(w.c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, KeyId: aws.String(keyARN(first)), EncryptionContext: context2}))
		}, `{"eventTime": "2025-05-20T20:45:00Z", "eventName": "Decrypt",
			"requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": "` + keyARN(first) + `",
				"encryptionContext": {"Department": "Engineering", "Project": "Alpha"}},
			"responseElements": null, "additionalEventData": {"keyMaterialId": "` + material + `"}, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"Decrypt without a key", time.Date(2025, 5, 20, 20, 45, 0, 0, time.UTC), func(w world) {
			blob := must(w.c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(first), Plaintext: []byte("x")})).CiphertextBlob
			must(w.c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob}))
		}, `{"eventTime": "2025-05-20T20:45:00Z", "eventName": "Decrypt", "requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
			"responseElements": null, "additionalEventData": {"keyMaterialId": "` + material + `"}, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"Decrypt failure", time.Date(2022, 11, 24, 18, 57, 43, 0, time.UTC), func(w world) {
			blob := must(w.c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(second2), Plaintext: []byte("x"), EncryptionContext: context2})).CiphertextBlob
			_, _ = w.c.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: blob, KeyId: aws.String(keyARN(first)), EncryptionContext: context2})
		}, `{"eventTime": "2022-11-24T18:57:43Z", "eventName": "Decrypt", "errorCode": "IncorrectKeyException",
			"errorMessage": "The key ID in the request does not identify a CMK that can perform this operation.",
			"requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": "` + keyARN(first) + `",
				"encryptionContext": {"Department": "Engineering", "Project": "Alpha"}},
			"responseElements": null, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"Encrypt", time.Date(2025, 5, 20, 20, 46, 16, 0, time.UTC), func(w world) {
			must(w.c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(keyARN(first)), Plaintext: []byte("x"), EncryptionContext: map[string]string{"Department": "Engineering"}}))
		}, `{"eventTime": "2025-05-20T20:46:16Z", "eventName": "Encrypt",
			"requestParameters": {"encryptionContext": {"Department": "Engineering"}, "keyId": "` + keyARN(first) + `", "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
			"responseElements": null, "additionalEventData": {"keyMaterialId": "` + material + `"}, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"GenerateDataKey", time.Date(2025, 5, 20, 20, 46, 16, 0, time.UTC), func(w world) {
			must(w.c.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: aws.String(first), KeySpec: types.DataKeySpecAes256, EncryptionContext: context2}))
		}, `{"eventTime": "2025-05-20T20:46:16Z", "eventName": "GenerateDataKey",
			"requestParameters": {"keyId": "` + first + `", "keySpec": "AES_256", "encryptionContext": {"Department": "Engineering", "Project": "Alpha"}},
			"responseElements": null, "additionalEventData": {"keyMaterialId": "` + material + `"}, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"ReEncrypt", time.Date(2025, 5, 22, 19, 34, 55, 0, time.UTC), func(w world) {
			blob := must(w.c.Encrypt(ctx, &kms.EncryptInput{KeyId: aws.String(first), Plaintext: []byte("x"), EncryptionContext: context2})).CiphertextBlob
			must(w.c.ReEncrypt(ctx, &kms.ReEncryptInput{
				CiphertextBlob: blob, SourceEncryptionContext: context2, DestinationKeyId: aws.String(second2),
				DestinationEncryptionContext: map[string]string{"Level": "3A"},
			}))
		}, `{"eventTime": "2025-05-22T19:34:55Z", "eventName": "ReEncrypt",
			"requestParameters": {"sourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT", "sourceEncryptionContext": {"Project": "Alpha", "Department": "Engineering"},
				"destinationKeyId": "` + second2 + `", "destinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT", "destinationEncryptionContext": {"Level": "3A"}},
			"responseElements": null, "additionalEventData": {"destinationKeyMaterialId": "` + material + `", "sourceKeyMaterialId": "` + material + `"}, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"},
				{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(second2) + `"}]}`},
		{"GenerateRandom", time.Date(2014, 11, 4, 0, 52, 37, 0, time.UTC), func(w world) {
			must(w.c.GenerateRandom(ctx, &kms.GenerateRandomInput{NumberOfBytes: aws.Int32(8)}))
		}, `{"eventTime": "2014-11-04T00:52:37Z", "eventName": "GenerateRandom", "requestParameters": null, "responseElements": null, "readOnly": true, "resources": []}`},
		{"ListAliases", time.Date(2014, 11, 4, 0, 51, 45, 0, time.UTC), func(w world) {
			must(w.c.ListAliases(ctx, &kms.ListAliasesInput{Limit: aws.Int32(5)}))
		}, `{"eventTime": "2014-11-04T00:51:45Z", "eventName": "ListAliases", "requestParameters": {"limit": 5}, "responseElements": null, "readOnly": true, "resources": []}`},
		{"GetKeyLastUsage", time.Date(2026, 4, 27, 17, 11, 6, 0, time.UTC), func(w world) {
			must(w.c.GetKeyLastUsage(ctx, &kms.GetKeyLastUsageInput{KeyId: aws.String(first)}))
		}, `{"eventTime": "2026-04-27T17:11:06Z", "eventName": "GetKeyLastUsage", "requestParameters": {"keyId": "` + first + `"}, "responseElements": null, "readOnly": true,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"DisableKey", time.Date(2014, 11, 4, 0, 52, 43, 0, time.UTC), func(w world) {
			must(w.c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: aws.String(first)}))
		}, `{"eventTime": "2014-11-04T00:52:43Z", "eventName": "DisableKey", "requestParameters": {"keyId": "` + first + `"},
			"responseElements": {"keyId": "` + keyARN(first) + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"CancelKeyDeletion", time.Date(2020, 7, 27, 21, 53, 17, 0, time.UTC), func(w world) {
			must(w.c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: aws.String(first)}))
			must(w.c.CancelKeyDeletion(ctx, &kms.CancelKeyDeletionInput{KeyId: aws.String(first)}))
		}, `{"eventTime": "2020-07-27T21:53:17Z", "eventName": "CancelKeyDeletion", "requestParameters": {"keyId": "` + first + `"},
			"responseElements": {"keyId": "` + keyARN(first) + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"ScheduleKeyDeletion", time.Date(2021, 10, 26, 23, 25, 25, 0, time.UTC), func(w world) {
			must(w.c.ScheduleKeyDeletion(ctx, &kms.ScheduleKeyDeletionInput{KeyId: aws.String(keyARN(first)), PendingWindowInDays: aws.Int32(7)}))
		}, `{"eventTime": "2021-10-26T23:25:25Z", "eventName": "ScheduleKeyDeletion", "requestParameters": {"keyId": "` + keyARN(first) + `", "pendingWindowInDays": 7},
			"responseElements": {"keyId": "` + keyARN(first) + `", "deletionDate": "Nov 2, 2021, 11:25:25 PM", "keyState": "PendingDeletion", "pendingWindowInDays": 7}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"CreateAlias", time.Date(2022, 8, 14, 23, 8, 31, 0, time.UTC), func(w world) {
			must(w.c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/ExampleAlias"), TargetKeyId: aws.String(first)}))
		}, `{"eventTime": "2022-08-14T23:08:31Z", "eventName": "CreateAlias", "requestParameters": {"aliasName": "alias/ExampleAlias", "targetKeyId": "` + first + `"},
			"responseElements": {"keyId": "` + keyARN(first) + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"},
				{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-west-2:111122223333:alias/ExampleAlias"}]}`},
		{"DeleteAlias", time.Date(2014, 11, 4, 0, 52, 27, 0, time.UTC), func(w world) {
			must(w.c.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: aws.String("alias/my_alias"), TargetKeyId: aws.String(first)}))
			must(w.c.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: aws.String("alias/my_alias")}))
		}, `{"eventTime": "2014-11-04T00:52:27Z", "eventName": "DeleteAlias", "requestParameters": {"aliasName": "alias/my_alias"},
			"responseElements": {"keyId": "` + keyARN(first) + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-west-2:111122223333:alias/my_alias"},
				{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"CreateGrant", time.Date(2014, 11, 4, 0, 53, 12, 0, time.UTC), func(w world) {
			must(w.c.CreateGrant(ctx, &kms.CreateGrantInput{
				KeyId: aws.String(keyARN(first)), GranteePrincipal: aws.String("arn:aws:iam::111122223333:role/r"),
				Constraints: &types.GrantConstraints{EncryptionContextSubset: map[string]string{"ContextKey1": "Value1"}},
				Operations:  []types.GrantOperation{"Encrypt", "RetireGrant"},
			}))
		}, `{"eventTime": "2014-11-04T00:53:12Z", "eventName": "CreateGrant",
			"requestParameters": {"keyId": "` + keyARN(first) + `", "constraints": {"encryptionContextSubset": {"ContextKey1": "Value1"}},
				"operations": ["Encrypt", "RetireGrant"], "granteePrincipal": "arn:aws:iam::111122223333:role/r"},
			"responseElements": {"grantId": "` + material + `", "keyId": "` + keyARN(first) + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"RetireGrant", time.Date(2022, 9, 1, 19, 39, 33, 0, time.UTC), func(w world) {
			g := must(w.c.CreateGrant(ctx, &kms.CreateGrantInput{KeyId: aws.String(first), GranteePrincipal: aws.String("arn:aws:iam::111122223333:role/r"), Operations: []types.GrantOperation{"Encrypt"}}))
			must(w.c.RetireGrant(ctx, &kms.RetireGrantInput{GrantToken: g.GrantToken}))
		}, `{"eventTime": "2022-09-01T19:39:33Z", "eventName": "RetireGrant", "requestParameters": null, "responseElements": null,
			"additionalEventData": {"grantId": "` + material + `"}, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
		{"PutKeyPolicy", time.Date(2022, 9, 1, 20, 6, 16, 0, time.UTC), func(w world) {
			must(w.c.PutKeyPolicy(ctx, &kms.PutKeyPolicyInput{KeyId: aws.String(first), Policy: aws.String(kmsfake.DefaultPolicy(account, oregon))}))
		}, `{"eventTime": "2022-09-01T20:06:16Z", "eventName": "PutKeyPolicy",
			"requestParameters": {"keyId": "` + first + `", "policyName": "default", "bypassPolicyLockoutSafetyCheck": false,
				"policy": "{\n  \"Version\" : \"2012-10-17\",\n  \"Id\" : \"key-default-1\",\n  \"Statement\" : [ {\n    \"Sid\" : \"Enable IAM User Permissions\",\n    \"Effect\" : \"Allow\",\n    \"Principal\" : {\n      \"AWS\" : \"arn:aws:iam::111122223333:root\"\n    },\n    \"Action\" : \"kms:*\",\n    \"Resource\" : \"*\"\n  } ]\n}"},
			"responseElements": null, "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN(first) + `"}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			clock := kmsfake.NewClock(tt.at)
			srv := kmsfake.New(func(o *kmsfake.Options) { o.Now, o.Quotas = clock.Now, map[string]float64{} })
			for _, id := range []string{first, second2} {
				srv.MustAddKey(kmsfake.Key{Account: account, Region: oregon, ID: id, Created: tt.at.AddDate(-1, 0, 0)})
			}
			if err := srv.AddPrincipal(aliceKey, "arn:aws:iam::111122223333:user/Alice", func(c *kmsfake.Caller) { c.SourceIP = "192.0.2.0" }); err != nil {
				t.Fatal(err)
			}
			tt.call(world{srv, clock, srv.Client(account, oregon, once, func(o *kms.Options) { o.Credentials = kmsfake.CredentialsFor(aliceKey) })})
			operation, _, _ := strings.Cut(tt.name, " ")
			got := lastEvent(t, srv, account, oregon, operation)
			want := parseRecord(t, `{"eventVersion": "1.11",
				"userIdentity": {"type": "IAMUser", "principalId": "EX_PRINCIPAL_ID", "arn": "arn:aws:iam::111122223333:user/Alice", "accountId": "111122223333",
					"accessKeyId": "EXAMPLE_KEY_ID", "userName": "Alice"},
				"eventSource": "kms.amazonaws.com", "awsRegion": "us-west-2", "sourceIPAddress": "192.0.2.0",
				"eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333", "eventCategory": "Management"}`)
			maps.Copy(want, parseRecord(t, tt.want))
			for _, unique := range []string{"requestID", "eventID", "userAgent"} {
				if got.str(unique) == "" {
					t.Errorf("no %s", unique)
				}
				delete(got, unique)
			}
			replaceIDs(got)
			if !reflect.DeepEqual(got, want) {
				g, _ := json.MarshalIndent(got, "", " ")
				w, _ := json.MarshalIndent(want, "", " ")
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// replaceIDs puts AWS's examples in the place of IDs that the server made up.
func replaceIDs(v any) {
	m, ok := v.(map[string]any)
	if r, is := v.(record); is {
		m, ok = r, true
	}
	if !ok {
		return
	}
	for name, value := range m {
		s, isText := value.(string)
		switch {
		case name == "principalId":
			m[name] = "EX_PRINCIPAL_ID"
		case isText && (strings.HasSuffix(name, "aterialId") || name == "grantId") && len(s) == len(material):
			m[name] = material
		default:
			replaceIDs(value)
		}
	}
}

// https://docs.aws.amazon.com/kms/latest/developerguide/ct-createkey.html
func TestTheEventOfCreateKeyDescribesTheKey(t *testing.T) {
	clock := kmsfake.NewClock(time.Date(2022, 8, 10, 22, 38, 27, 0, time.UTC))
	srv := kmsfake.New(func(o *kmsfake.Options) { o.Now, o.Quotas = clock.Now, map[string]float64{} })
	made := must(srv.Client(account, oregon).CreateKey(t.Context(), &kms.CreateKeyInput{Origin: types.OriginTypeExternal})).KeyMetadata
	got := lastEvent(t, srv, account, oregon, "CreateKey")
	want := parseRecord(t, strings.ReplaceAll(`{
		"requestParameters": {"description": "", "origin": "EXTERNAL", "bypassPolicyLockoutSafetyCheck": false, "multiRegion": false,
			"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keySpec": "SYMMETRIC_DEFAULT", "keyUsage": "ENCRYPT_DECRYPT"},
		"responseElements": {"keyMetadata": {"aWSAccountId": "111122223333", "keyId": "1234abcd-12ab-34cd-56ef-1234567890ab",
			"arn": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "creationDate": "Aug 10, 2022, 10:38:27 PM",
			"enabled": false, "description": "", "keyUsage": "ENCRYPT_DECRYPT", "keyState": "PendingImport", "origin": "EXTERNAL", "keyManager": "CUSTOMER",
			"customerMasterKeySpec": "SYMMETRIC_DEFAULT", "keySpec": "SYMMETRIC_DEFAULT", "encryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "multiRegion": false}},
		"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}]}`,
		first, *made.KeyId))
	response, _ := got["responseElements"].(map[string]any)
	metadata, _ := response["keyMetadata"].(map[string]any)
	delete(metadata, "currentKeyMaterialId") // the example is older
	for name, value := range want {
		if !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s\n%v\nwant\n%v", name, got[name], value)
		}
	}
}

// The texts are those on which AWS's own alarm for the use of a key that is
// pending deletion goes, and what the key state table says:
// https://docs.aws.amazon.com/kms/latest/developerguide/deleting-keys-creating-cloudwatch-alarm.html.
func TestRefusalsAreLoggedWithTheKeyAndAWSsText(t *testing.T) {
	for _, tt := range []struct {
		name, code, message string
		disabledWhenPending bool
		state               types.KeyState
	}{
		{"a disabled key", "DisabledException", " is disabled.", false, types.KeyStateDisabled},
		{"a key pending deletion", "KMSInvalidStateException", " is pending deletion.", false, types.KeyStatePendingDeletion},
		{"a key pending deletion, the other error", "DisabledException", " is pending deletion.", true, types.KeyStatePendingDeletion},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv, _ := fake(func(o *kmsfake.Options) { o.DisabledWhenPending = tt.disabledWhenPending })
			arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Aliases: []string{"a"}})
			c := srv.Client(account, region, once)
			blob := must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})).CiphertextBlob
			if err := srv.SetState(arn, tt.state); err != nil {
				t.Fatal(err)
			}
			_, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: blob, EncryptionContext: map[string]string{"a": "b"}})
			wantCode(t, err, tt.code)
			_, err = c.CreateGrant(t.Context(), &kms.CreateGrantInput{KeyId: &arn, GranteePrincipal: aws.String("arn:aws:iam::111122223333:root"), Operations: []types.GrantOperation{"Decrypt"}})
			wantCode(t, err, tt.code)
			for _, operation := range []string{"Decrypt", "CreateGrant"} {
				r := lastEvent(t, srv, account, region, operation)
				if r.str("errorCode") != tt.code || r.str("errorMessage") != arn+tt.message || len(r.arns()) != 1 || r.arns()[0] != arn || r["responseElements"] != nil {
					t.Errorf("%v", r)
				}
			}
			if r := lastEvent(t, srv, account, region, "Decrypt"); r.str("requestParameters.encryptionContext.a") != "b" {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestADeniedCallIsLoggedWithoutItsParameters(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "DescribeKey" })
	_, err := srv.Client(account, region, once).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
	wantCode(t, err, "AccessDeniedException")
	r := lastEvent(t, srv, account, region, "DescribeKey")
	if r.str("errorCode") != "AccessDenied" || r["requestParameters"] != nil || r["resources"] != nil || !strings.Contains(r.str("errorMessage"), arn) {
		t.Errorf("%v", r)
	}
}

func TestACallWhoseKeyIsNotFoundHasNoResources(t *testing.T) {
	srv, _ := fake()
	_, err := srv.Client(account, region, once).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String(first)})
	wantCode(t, err, "NotFoundException")
	r := lastEvent(t, srv, account, region, "DescribeKey")
	if v, there := r["resources"]; !there || v != nil || r.str("requestParameters.keyId") != first || r.str("errorCode") != "NotFoundException" {
		t.Errorf("%v", r)
	}
}

func TestWhatNeverReachedTheServiceIsNotLogged(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region})
	for _, tt := range []struct {
		name  string
		fault *kmsfake.Fault
		want  string // error code of the event; - for none
	}{
		{"a cut connection", kmsfake.Cut(), "-"},
		{"a load balancer's answer", kmsfake.Status(503), "-"},
		{"an internal failure", kmsfake.InternalFailure(), "KMSInternalException"},
		{"a throttle", kmsfake.Throttle(), "ThrottlingException"},
		{"a denial", kmsfake.Deny(), "AccessDenied"},
		{"a malformed answer of a call carried out", kmsfake.Malformed(), ""},
		{"an error of the test's own", kmsfake.Fail(400, "DisabledException", arn+" is disabled."), "DisabledException"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(look(t, srv, account, region, trailtypes.LookupAttributeKeyEventName, "DescribeKey"))
			srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
				if c.Operation == "DescribeKey" {
					return tt.fault
				}
				return nil
			})
			_, _ = srv.Client(account, region, once).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			found := look(t, srv, account, region, trailtypes.LookupAttributeKeyEventName, "DescribeKey")
			if tt.want == "-" {
				if len(found) != before {
					t.Errorf("logged: %v", found[0])
				}
				return
			}
			if len(found) != before+1 || found[0].str("errorCode") != tt.want {
				t.Fatalf("%d events, the last %v", len(found)-before, found[0])
			}
			if named := len(found[0].arns()) == 1 && found[0].arns()[0] == arn; named != (tt.want != "AccessDenied") {
				t.Errorf("resources %v", found[0]["resources"])
			}
		})
	}
}

// "Cross-account operations on KMS keys are logged in both the caller account
// and the KMS key owner account. However, cross-account AWS KMS requests that are
// rejected because access is denied are logged only in the caller's account."
// https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
func TestACallOnAnotherAccountsKeyIsLoggedInBoth(t *testing.T) {
	srv, _ := fake()
	open := srv.MustAddKey(kmsfake.Key{Account: other, Region: region, Policy: `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + other + `"},"Action":"kms:*","Resource":"*"},
		{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"kms:*","Resource":"*"}]}`})
	shut := srv.MustAddKey(kmsfake.Key{Account: other, Region: region})
	c := srv.Client(account, region, once)
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &open, Plaintext: []byte("x")}))
	mine, theirs := lastEvent(t, srv, account, region, "Encrypt"), lastEvent(t, srv, other, region, "Encrypt")
	switch {
	case mine.str("sharedEventID") == "" || mine.str("sharedEventID") != theirs.str("sharedEventID"),
		mine.str("eventID") == theirs.str("eventID"), mine.str("requestID") != theirs.str("requestID"),
		mine.str("recipientAccountId") != account, theirs.str("recipientAccountId") != other:
		t.Errorf("%v\n%v", mine, theirs)
	case theirs.str("userIdentity.type") != "AWSAccount" || theirs.str("userIdentity.accountId") != account || theirs.str("userIdentity.arn") != "":
		t.Errorf("the owner is told of %v", theirs["userIdentity"])
	}
	// KMS's record, in the owner's account, has the event of that account.
	if u := lastUsage(t, srv.Client(other, region), open).KeyLastUsage; aws.ToString(u.CloudTrailEventId) != theirs.str("eventID") || aws.ToString(u.KmsRequestId) != theirs.str("requestID") {
		t.Errorf("last usage %v, event %s", aws.ToString(u.CloudTrailEventId), theirs.str("eventID"))
	}
	// The owner cannot find who it was by name or access key.
	for key, value := range map[trailtypes.LookupAttributeKey]string{"Username": "kmsfake", "AccessKeyId": "AKIA0000" + account} {
		if n := len(look(t, srv, other, region, key, value)); key == "AccessKeyId" && n != 0 {
			t.Errorf("%s finds %d", key, n)
		}
		if n := len(look(t, srv, account, region, key, value)); n == 0 {
			t.Errorf("%s finds nothing in the caller's account", key)
		}
	}

	_, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &shut, Plaintext: []byte("x")})
	wantCode(t, err, "AccessDeniedException")
	if r := lastEvent(t, srv, account, region, "Encrypt"); r.str("errorCode") != "AccessDenied" || r.str("sharedEventID") != "" {
		t.Errorf("%v", r)
	}
	if n := len(look(t, srv, other, region, trailtypes.LookupAttributeKeyEventName, "Encrypt")); n != 1 {
		t.Errorf("%d events in the owner's account", n)
	}
}

// https://docs.aws.amazon.com/kms/latest/developerguide/ct-update-primary-region.html,
// https://docs.aws.amazon.com/kms/latest/developerguide/ct-replicate-key.html
func TestChangesOfSetsAreLoggedInBothRegions(t *testing.T) {
	const tokyo = "ap-northeast-1"
	srv, _ := fake()
	c := srv.Client(account, region)
	arn := *must(c.CreateKey(t.Context(), &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})).KeyMetadata.Arn
	there := kmsfake.InRegion(arn, tokyo)
	must(c.ReplicateKey(t.Context(), &kms.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String(tokyo)}))
	here, made := lastEvent(t, srv, account, region, "ReplicateKey"), lastEvent(t, srv, account, tokyo, "CreateKey")
	if here.arns()[0] != arn || here.str("responseElements.replicaKeyMetadata.arn") != there || made.str("requestID") != here.str("requestID") ||
		made.arns()[0] != there || made.str("responseElements.keyMetadata.arn") != there || made.str("userIdentity.invokedBy") != "kms.amazonaws.com" {
		t.Errorf("%v\n%v", here, made)
	}
	must(c.UpdatePrimaryRegion(t.Context(), &kms.UpdatePrimaryRegionInput{KeyId: &arn, PrimaryRegion: aws.String(tokyo)}))
	here, made = lastEvent(t, srv, account, region, "UpdatePrimaryRegion"), lastEvent(t, srv, account, tokyo, "UpdatePrimaryRegion")
	if here.str("responseElements.keyId") != arn || made.str("requestParameters.keyId") != there || made.str("requestParameters.primaryRegion") != tokyo ||
		made.str("requestID") != here.str("requestID") || made.str("eventID") == here.str("eventID") || made["readOnly"] != false {
		t.Errorf("%v\n%v", here, made)
	}
}

// https://docs.aws.amazon.com/kms/latest/developerguide/ct-delete-key.html
func TestADeletionByKMSIsLoggedAsTheServicesOwn(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, State: types.KeyStatePendingDeletion})
	if err := srv.Delete(arn); err != nil {
		t.Fatal(err)
	}
	r := lastEvent(t, srv, account, region, "DeleteKey")
	identity := map[string]any{"accountId": account, "invokedBy": "AWS Internal"}
	if r.str("eventType") != "AwsServiceEvent" || r.str("responseElements.keyId") != arn || !reflect.DeepEqual(r["userIdentity"], identity) || r.arns()[0] != arn || r.str("sourceIPAddress") != "AWS Internal" {
		t.Errorf("%v", r)
	}
}

func TestTheEventOfAUseNamesTheCustomKeyStore(t *testing.T) {
	srv, _ := fake()
	store := must(srv.AddKeyStore(kmsfake.KeyStore{Account: account, Region: region, Type: types.CustomKeyStoreTypeExternalKeyStore}))
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, CustomKeyStoreID: store, XksKeyID: "abc01234567890fe"})
	must(srv.Client(account, region).Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")}))
	want := map[string]any{"customKeyStoreId": store, "xksKeyId": "abc01234567890fe"}
	if r := lastEvent(t, srv, account, region, "Encrypt"); !reflect.DeepEqual(r["additionalEventData"], want) {
		t.Errorf("%v", r)
	}
}

func TestAServiceCallsOnBehalfOfAPrincipal(t *testing.T) {
	srv, _ := fake()
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: august.AddDate(-1, 0, 0)})
	const session = "arn:aws:sts::111122223333:assumed-role/aws:ec2-infrastructure/i-0abc"
	if err := srv.AddPrincipal("ASIAEC2", session, func(c *kmsfake.Caller) { c.InvokedBy = "ec2.amazonaws.com" }); err != nil {
		t.Fatal(err)
	}
	c := srv.Client(account, region, func(o *kms.Options) { o.Credentials = kmsfake.CredentialsFor("ASIAEC2") })
	must(c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("x")}))
	if err := srv.Use(arn, "Decrypt", august.Add(-time.Hour), func(o *kmsfake.UseOptions) {
		o.Principal, o.InvokedBy, o.EncryptionContext = session, "ec2.amazonaws.com", map[string]string{"aws:ebs:id": "vol-1"}
	}); err != nil {
		t.Fatal(err)
	}
	for _, operation := range []string{"Encrypt", "Decrypt"} {
		r := lastEvent(t, srv, account, region, operation)
		if r.str("userIdentity.invokedBy") != "ec2.amazonaws.com" || r.str("sourceIPAddress") != "ec2.amazonaws.com" || r.str("userAgent") != "ec2.amazonaws.com" ||
			r.str("userIdentity.arn") != session || r.str("userIdentity.type") != "AssumedRole" || r.str("userIdentity.sessionContext.sessionIssuer.userName") != "aws:ec2-infrastructure" ||
			r.str("userIdentity.sessionContext.sessionIssuer.arn") != "arn:aws:iam::111122223333:role/aws:ec2-infrastructure" {
			t.Errorf("%v", r)
		}
	}
	r := lastEvent(t, srv, account, region, "Decrypt")
	if r.str("requestParameters.encryptionContext.aws:ebs:id") != "vol-1" || r.str("requestParameters.keyId") != "" || r.str("eventTime") != "2026-08-01T11:00:00Z" {
		t.Errorf("%v", r)
	}
	if n := len(look(t, srv, account, region, trailtypes.LookupAttributeKeyUsername, "i-0abc")); n != 2 {
		t.Errorf("%d found by the session's name", n)
	}
	if err := srv.Use(arn, "Decrypt", august, func(o *kmsfake.UseOptions) { o.Principal = "Alice" }); err == nil {
		t.Error("Alice is no ARN")
	}

	// A principal of another account has an event of its own.
	if err := srv.Use(arn, "GenerateDataKey", august, func(o *kmsfake.UseOptions) { o.Principal = "arn:aws:iam::" + other + ":user/Bob" }); err != nil {
		t.Fatal(err)
	}
	theirs, mine := lastEvent(t, srv, account, region, "GenerateDataKey"), lastEvent(t, srv, other, region, "GenerateDataKey")
	if u := lastUsage(t, c, arn).KeyLastUsage; *u.CloudTrailEventId != theirs.str("eventID") || theirs.str("eventID") == mine.str("eventID") {
		t.Errorf("last usage %s", *u.CloudTrailEventId)
	}
	if theirs.str("userIdentity.type") != "AWSAccount" || mine.str("userIdentity.userName") != "Bob" || mine.str("sharedEventID") != theirs.str("sharedEventID") || mine.str("sharedEventID") == "" {
		t.Errorf("%v\n%v", mine, theirs)
	}
}

// The types are those of
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html.
func TestTheIdentityFollowsFromTheARN(t *testing.T) {
	for arn, want := range map[string][3]string{ // type, user name of lookups, prefix of the principal ID
		"arn:aws:iam::111122223333:user/division/Alice":           {"IAMUser", "Alice", "AIDA"},
		"arn:aws:sts::111122223333:assumed-role/Reader/session-1": {"AssumedRole", "session-1", "AROA"},
		"arn:aws:iam::111122223333:root":                          {"Root", "root", account},
		"arn:aws:iam::111122223333:role/service-role/Reader":      {"Role", "Reader", "AROA"},
		"arn:aws:sts::111122223333:federated-user/Bob":            {"Unknown", "Bob", "AIDA"},
	} {
		srv, _ := fake()
		if err := srv.AddPrincipal("AK", arn); err != nil {
			t.Fatal(err)
		}
		must(srv.Client(account, region, func(o *kms.Options) { o.Credentials = kmsfake.CredentialsFor("AK") }).ListKeys(t.Context(), &kms.ListKeysInput{}))
		found := look(t, srv, account, region, trailtypes.LookupAttributeKeyUsername, want[1])
		if len(found) != 1 || found[0].str("userIdentity.type") != want[0] || found[0].str("userIdentity.arn") != arn || !strings.HasPrefix(found[0].str("userIdentity.principalId"), want[2]) {
			t.Errorf("%s: %v", arn, found)
		}
	}
}

func TestAUseWithoutACallIsLoggedEvenBeforeTrackingBegan(t *testing.T) {
	start := time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC)
	clock := kmsfake.NewClock(start.AddDate(0, 1, 0))
	srv := kmsfake.New(func(o *kmsfake.Options) { o.Now = clock.Now })
	arn := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: start.AddDate(-1, 0, 0), LastUsed: start.Add(-time.Hour)})
	used := srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: start.AddDate(-1, 0, 0), LastUsed: start.Add(time.Hour)})
	c := srv.Client(account, region)
	if u := lastUsage(t, c, arn).KeyLastUsage; u.Timestamp != nil {
		t.Errorf("KMS knows of %v", u.Timestamp)
	}
	if found := look(t, srv, account, region, trailtypes.LookupAttributeKeyResourceName, arn); len(found) != 2 || found[1].str("eventName") != "Decrypt" || found[1].str("eventTime") != "2026-04-22T23:00:00Z" {
		t.Errorf("%v", found)
	}
	u := lastUsage(t, c, used).KeyLastUsage
	found := look(t, srv, account, region, trailtypes.LookupAttributeKeyEventId, *u.CloudTrailEventId)
	if len(found) != 1 || found[0].str("requestID") != *u.KmsRequestId || found[0].arns()[0] != used || found[0].str("eventName") != "Decrypt" {
		t.Errorf("%v", found)
	}
}

// The event that GetKeyLastUsage names is that of the use, for every operation
// that KMS tracks.
func TestTheEventOfTheLastUseIsFound(t *testing.T) {
	for _, op := range types.KeyLastUsageTrackingOperation("").Values() {
		t.Run(string(op), func(t *testing.T) {
			srv, clock := fake()
			c := srv.Client(account, region)
			arn := useOnce(t, srv, c, clock, string(op))
			u := lastUsage(t, c, arn).KeyLastUsage
			found := look(t, srv, account, region, trailtypes.LookupAttributeKeyEventId, *u.CloudTrailEventId)
			if len(found) != 1 || found[0].str("eventName") != string(op) || found[0].str("requestID") != *u.KmsRequestId || found[0].str("errorCode") != "" {
				t.Fatalf("%v", found)
			}
			if at, err := time.Parse(time.RFC3339, found[0].str("eventTime")); err != nil || !at.Equal(u.Timestamp.Truncate(time.Second)) {
				t.Errorf("at %v, used at %v", at, u.Timestamp)
			}
		})
	}
}

func TestTheWholeWayInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := kmsfake.New(func(o *kmsfake.Options) { o.LogDelay = 5 * time.Minute })
		ctx := t.Context()
		c := srv.Client(account, region, once)
		id := must(c.CreateKey(ctx, &kms.CreateKeyInput{})).KeyMetadata.KeyId
		arn := must(c.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: id})).KeyMetadata.Arn
		must(c.DisableKey(ctx, &kms.DisableKeyInput{KeyId: id}))
		time.Sleep(90 * time.Second)
		_, err := c.Encrypt(ctx, &kms.EncryptInput{KeyId: id, Plaintext: []byte("x")})
		wantCode(t, err, "DisabledException")
		time.Sleep(4 * time.Minute)
		if found := look(t, srv, account, region, trailtypes.LookupAttributeKeyResourceName, *arn); len(found) != 3 {
			t.Errorf("after five and a half minutes: %d events", len(found))
		}
		time.Sleep(time.Minute)
		found := look(t, srv, account, region, trailtypes.LookupAttributeKeyResourceName, *arn)
		if len(found) != 4 || found[0].str("errorCode") != "DisabledException" || found[0].str("eventTime") != "2000-01-01T00:01:30Z" {
			t.Errorf("%v", found)
		}
	})
}
