package sqltest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

const (
	account  = "111122223333"
	other    = "444455556666"
	region   = "us-west-2"
	key      = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	key2     = "arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
	china    = "arn:aws-cn:kms:cn-north-1:444455556666:key/mrk-0987dcba09fe87dc65baab0987654321"
	alias    = "arn:aws:kms:us-west-2:111122223333:alias/app"
	storeID  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	database = "logs"
)

// now is behind all events.
func now() time.Time { return time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC) }

// event is a record of KMS.
type event struct {
	op, id, at string
	members    map[string]any
}

func keyARN(i int) string {
	return fmt.Sprintf("arn:aws:kms:us-west-2:111122223333:key/00000000-0000-0000-0000-%012d", i)
}

func (e event) record() map[string]any {
	r := map[string]any{
		"eventVersion": "1.11", "eventSource": "kms.amazonaws.com", "eventName": e.op, "eventID": e.id, "eventTime": e.at,
		"awsRegion": region, "recipientAccountId": account, "eventType": "AwsApiCall", "managementEvent": true, "eventCategory": "Management",
		"sourceIPAddress": "192.0.2.1", "requestID": "r-" + e.id, "readOnly": true,
		"userIdentity": map[string]any{
			"type": "AssumedRole", "principalId": "AROA:s", "arn": "arn:aws:sts::111122223333:assumed-role/app/s",
			"sessionContext": map[string]any{"sessionIssuer": map[string]any{"arn": "arn:aws:iam::111122223333:role/app"}},
		},
		"responseElements": nil, "tlsDetails": map[string]any{"tlsVersion": "TLSv1.3"},
	}
	maps.Copy(r, e.members)
	return r
}

func on(arns ...string) []any {
	var all []any
	for _, a := range arns {
		all = append(all, map[string]any{"accountId": account, "type": "AWS::KMS::Key", "ARN": a})
	}
	return all
}

type members = map[string]any

func failed(code, message string, more ...members) members {
	m := members{"errorCode": code, "errorMessage": message}
	for _, n := range more {
		maps.Copy(m, n)
	}
	return m
}

// awkward are records as they should not be, and are. The first number of an ARN
// keeps the cases apart.
func awkward() []map[string]any {
	n := 0
	id := func() string { n++; return fmt.Sprintf("%08d-0000-4000-8000-000000000000", n) }
	at := func(minute int) string { return fmt.Sprintf("2026-03-01T12:%02d:%02dZ", minute, n%60) }
	var all []map[string]any
	add := func(e event) {
		if e.id == "" {
			e.id = id()
		}
		if e.at == "" {
			e.at = at(1)
		}
		all = append(all, e.record())
	}
	request := func(pairs ...string) members {
		m := members{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return members{"requestParameters": m}
	}

	// Which keys an event names.
	add(event{op: "ReEncrypt", members: members{"resources": on(key, key2)}})
	add(event{op: "ReEncrypt", members: members{"resources": on(keyARN(1)), "requestParameters": members{"destinationKeyId": keyARN(2), "sourceKeyId": alias}}})
	add(event{op: "ReEncrypt", members: request("destinationKeyId", keyARN(3), "sourceKeyId", keyARN(4))})
	add(event{op: "ReEncrypt", members: failed("DisabledException", keyARN(5)+" is disabled.")})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(6), keyARN(6))}})
	add(event{op: "Decrypt", members: members{"resources": on(alias, keyARN(7), "")}})
	add(event{op: "Decrypt", members: members{"resources": []any{members{"arn": keyARN(8)}}}})
	add(event{op: "Decrypt", members: members{"resources": nil, "requestParameters": members{"keyId": keyARN(9)}}})
	add(event{op: "Decrypt", members: members{"resources": []any{}, "requestParameters": members{"keyArn": keyARN(10)}}})
	add(event{op: "Decrypt", members: members{"resources": on(alias), "requestParameters": members{"targetKeyId": keyARN(11)}}})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(12)), "requestParameters": members{"keyId": keyARN(13)}}})
	add(event{op: "Decrypt", members: failed("DisabledException", keyARN(14)+" is disabled.")})
	add(event{op: "Decrypt", members: failed("AccessDenied", "User: arn:aws:sts::111122223333:assumed-role/r/s is not authorized to perform: kms:Decrypt on resource: "+keyARN(15)+" because no policy allows it, nor on "+keyARN(16)+".")})
	add(event{op: "Decrypt", members: members{"resources": on(china), "eventSource": "kms.amazonaws.com.cn", "awsRegion": region}})
	add(event{op: "Decrypt", members: members{"resources": on(key + " x")}}) // none
	add(event{op: "Decrypt", members: request("keyId", alias)})              // none
	add(event{op: "Decrypt", members: request("keyId", "1234abcd-12ab-34cd-56ef-1234567890ab")})
	add(event{op: "Decrypt", members: members{"requestParameters": members{"encryptionContext": members{"keyId": keyARN(17)}}}}) // none
	add(event{op: "Decrypt", members: members{"requestParameters": members{"keyId": members{"keyId": keyARN(17)}}}})             // none
	add(event{op: "Decrypt", members: members{"requestParameters": "x", "resources": on(keyARN(18))}})
	add(event{op: "Decrypt", members: members{"requestParameters": members{
		"encryptionContext": members{"aws:s3:arn": "arn:aws:s3:::bucket/it's \"here\"", "n": 1, "app": "ключ"},
	}, "resources": on(keyARN(19))}})

	// Who and on whose behalf.
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(20)), "userIdentity": members{"type": "AWSService", "invokedBy": "rds.amazonaws.com"}, "sourceIPAddress": "rds.amazonaws.com"}})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(20)), "userIdentity": members{"principalId": "AIDA", "invokedBy": "s3.amazonaws.com"}, "sourceIPAddress": "AWS Internal"}})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(20)), "userIdentity": nil, "sourceIPAddress": "AWS Internal"}})
	add(event{op: "Encrypt", members: members{"resources": on(keyARN(20)), "sourceIPAddress": "sqs.amazonaws.com.cn"}})

	// What counts.
	for _, m := range []members{
		failed("AccessDeniedException", ""), failed("KMS.DisabledException", "x"), failed("KMSInvalidStateException", key+" is pending deletion."),
		failed("KMSInvalidStateException", key+" is Creating."), failed("com.amazonaws.kms.KMSInvalidState", ""), failed("KeyUnavailableException", ""),
		failed("DryRunOperationException", ""), failed("Disabled", ""), failed("NotDisabledException", ""), failed("", ""),
	} {
		for _, op := range []string{"Decrypt", "CreateGrant", "DescribeKey", "GetPublicKey", "Decapsulate"} {
			m := maps.Clone(m)
			m["resources"] = on(keyARN(30))
			add(event{op: op, at: at(2), members: m})
		}
	}
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(31)), "eventCategory": "NetworkActivity"}})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(31)), "eventType": "AwsVpceEvent"}})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(31)), "eventSource": "s3.amazonaws.com"}})
	old := event{op: "Sign", id: id(), at: at(3), members: members{"resources": on(keyARN(32))}}.record()
	delete(old, "eventCategory") // as before 2021
	delete(old, "managementEvent")
	all = append(all, old)

	// Copies: of one account, and of two.
	copied := event{op: "Decrypt", id: id(), at: at(4), members: members{"resources": on(keyARN(40)), "sharedEventID": "shared-1"}}
	for range 3 {
		add(copied)
	}
	theirs := copied
	theirs.id = id()
	theirs.members = members{"resources": on(keyARN(40)), "sharedEventID": "shared-1", "userIdentity": members{"type": "AWSAccount", "principalId": "AROA:s", "accountId": other}}
	add(theirs)
	// The copy that names nobody is not shown, though its ID is the larger.
	named := event{op: "Decrypt", id: id(), at: at(5), members: members{"resources": on(keyARN(42)), "sharedEventID": "shared-2"}}
	add(named)
	unnamed := named
	unnamed.id = id()
	unnamed.members = members{"resources": on(keyARN(42)), "sharedEventID": "shared-2", "userIdentity": nil}
	add(unnamed)
	for i := range 20 { // more than are kept, each four times
		e := event{op: "Decrypt", id: id(), at: at(20 + i), members: failed("DisabledException", keyARN(41)+" is disabled.", members{"resources": on(keyARN(41)), "sharedEventID": fmt.Sprintf("shared-r%d", i)})}
		for range 3 {
			add(e)
		}
		e.id = id()
		add(e)
	}

	// Of one second the same is shown, and the first and the last are those in time.
	for _, minute := range []int{9, 7, 7, 8, 9} {
		all = append(all, event{op: "Decrypt", id: id(), at: fmt.Sprintf("2026-03-01T12:%02d:00Z", minute), members: members{"resources": on(keyARN(50))}}.record())
	}

	// Calls that switch keys off and on, and their creation.
	life := func(arn string, ops ...string) {
		for i, op := range ops {
			m := members{"resources": on(arn), "readOnly": false}
			if op == "failed DisableKey" {
				op = "DisableKey"
				m["errorCode"] = "AccessDenied"
			}
			all = append(all, event{op: op, id: id(), at: fmt.Sprintf("2026-03-01T13:%02d:00Z", i), members: m}.record())
		}
	}
	life(keyARN(60), "CreateKey", "Encrypt", "DisableKey", "EnableKey", "DisableKey", "ScheduleKeyDeletion", "CancelKeyDeletion")
	life(keyARN(61), "CreateKey", "DisableKey", "EnableKey")
	life(keyARN(62), "DisableKey", "DeleteImportedKeyMaterial", "ImportKeyMaterial")
	life(keyARN(63), "DisableKey", "ImportKeyMaterial")
	life(keyARN(64), "failed DisableKey")
	life(keyARN(65), "CancelKeyDeletion")
	life(keyARN(66), "DeleteExpiredKeyMaterial", "Decrypt")
	life(keyARN(67), "DeleteExpiredKeyMaterial", "ImportKeyMaterial")
	life(keyARN(68), "DisableKey", "EnableKey", "DisableKey", "EnableKey", "DisableKey", "EnableKey", "DisableKey", "EnableKey", "DisableKey")

	// What only the answer names.
	answered := func(arn string) members {
		return members{"resources": nil, "requestParameters": members{"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}, "responseElements": members{"keyId": arn}}
	}
	add(event{op: "ScheduleKeyDeletion", members: answered(keyARN(100))})
	add(event{op: "DisableKey", members: failed("AccessDenied", "", answered(keyARN(101)))}) // none
	add(event{op: "Decrypt", members: answered(keyARN(101))})                                // none
	add(event{op: "TagResource", members: answered(keyARN(101))})                            // none
	add(event{op: "DisableKey", members: answered(alias)})                                   // none
	add(event{op: "DisableKey", members: members{"resources": on(keyARN(102)), "responseElements": members{"keyId": keyARN(101)}}})
	add(event{op: "CreateKey", members: members{"responseElements": members{"keyMetadata": members{"arn": keyARN(103)}}}})
	add(event{op: "CreateKey", members: members{"responseElements": members{"keyMetadata": keyARN(101)}}}) // none
	add(event{op: "CreateKey", members: members{"resources": []any{}, "responseElements": "x"}})           // none
	// Replicas: by either call for it, by the earlier of both, and by the second of two.
	replicated := func(primary string, replica any, more ...members) members {
		m := members{"readOnly": false, "resources": on(primary), "responseElements": members{"replicaKeyMetadata": members{"arn": replica}}}
		for _, n := range more {
			maps.Copy(m, n)
		}
		return m
	}
	add(event{op: "ReplicateKey", members: replicated(keyARN(104), keyARN(105))})
	add(event{op: "ReplicateKey", at: at(6), members: replicated(keyARN(104), keyARN(106))})
	add(event{op: "CreateKey", at: at(7), members: members{"resources": on(keyARN(106))}})
	add(event{op: "ReplicateKey", at: at(7), members: replicated(keyARN(105), keyARN(106), members{"resources": nil})})
	add(event{op: "ReplicateKey", at: at(6), members: replicated(keyARN(105), keyARN(104))}) // after a promotion
	add(event{op: "ReplicateKey", members: replicated(keyARN(107), keyARN(101), failed("AccessDenied", ""))})
	add(event{op: "ReplicateKey", members: replicated(keyARN(107), nil)})

	// Which encryption context.
	context := func(name string) members { return members{"for": name} }
	reEncrypt := func(arns []any, source, destination any, more ...string) members {
		request := members{"sourceEncryptionContext": source, "destinationEncryptionContext": destination}
		for i := 0; i < len(more); i += 2 {
			request[more[i]] = more[i+1]
		}
		return members{"resources": arns, "requestParameters": request}
	}
	with := func(m members, name string, v any) members {
		if request, ok := m["requestParameters"].(members); ok {
			request[name] = v
		}
		return m
	}
	source, destination := context("source"), context("destination")
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(111), keyARN(110)), source, destination)})
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(112), keyARN(112), keyARN(113)), source, destination)})
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(114)), source, destination, "sourceKeyId", keyARN(115), "destinationKeyId", keyARN(114))})
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(116)), source, destination, "sourceKeyId", alias, "destinationKeyId", keyARN(117))})
	add(event{op: "ReEncrypt", members: reEncrypt(nil, source, destination, "sourceKeyId", keyARN(118), "destinationKeyId", keyARN(119))})
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(120)), source, destination)})
	add(event{op: "ReEncrypt", members: reEncrypt(on(keyARN(121)), nil, destination)})
	add(event{op: "ReEncrypt", members: with(reEncrypt(on(keyARN(122)), "x", []any{"x"}), "encryptionContext", context("both"))})
	add(event{op: "ReEncrypt", members: with(reEncrypt(on(keyARN(123), keyARN(124)), members{}, nil), "encryptionContext", context("both"))})
	refused := reEncrypt(nil, source, destination)
	maps.Copy(refused, failed("DisabledException", keyARN(125)+" is disabled."))
	add(event{op: "ReEncrypt", members: refused})
	blamed := reEncrypt(on(keyARN(130), keyARN(131)), source, destination)
	maps.Copy(blamed, failed("DisabledException", keyARN(131)+" is disabled."))
	add(event{op: "ReEncrypt", members: blamed})
	neither := reEncrypt(on(keyARN(132), keyARN(133)), source, destination)
	maps.Copy(neither, failed("DisabledException", "A key is disabled."))
	add(event{op: "ReEncrypt", members: neither})
	longContext := members{"x": strings.Repeat("y", 5000)}
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(134)), "requestParameters": members{"encryptionContext": longContext}}})
	add(event{op: "Decrypt", members: reEncrypt(on(keyARN(126)), source, destination)}) // not of ReEncrypt
	grant := func(arn string, request members, more ...members) members {
		m := members{"resources": on(arn), "requestParameters": request}
		for _, n := range more {
			maps.Copy(m, n)
		}
		return m
	}
	disabled := failed("DisabledException", "x")
	add(event{op: "CreateGrant", members: grant(keyARN(130), members{"constraints": members{"encryptionContextSubset": members{"aws:ebs:id": "vol-1"}}}, disabled)})
	add(event{op: "CreateGrant", members: grant(keyARN(131), members{"constraints": members{"encryptionContextEquals": context("equals")}}, disabled)})
	add(event{op: "CreateGrant", members: grant(keyARN(132), members{"constraints": members{"encryptionContextEquals": context("equals"), "encryptionContextSubset": context("subset")}}, disabled)})
	add(event{op: "CreateGrant", members: grant(keyARN(133), members{"constraints": members{"encryptionContextEquals": context("equals"), "encryptionContextSubset": nil}}, disabled)})
	add(event{op: "CreateGrant", members: grant(keyARN(134), members{"constraints": "x"}, disabled)})
	add(event{op: "CreateGrant", members: grant(keyARN(135), members{"constraints": members{"encryptionContextSubset": context("subset")}, "encryptionContext": context("itself")}, disabled)})
	add(event{op: "Decrypt", members: grant(keyARN(136), members{"constraints": members{"encryptionContextSubset": context("subset")}})})
	add(event{op: "Decrypt", members: grant(keyARN(137), members{"encryptionContext": members{"long": strings.Repeat("x", 33<<10)}})})
	add(event{op: "Decrypt", members: grant(keyARN(138), members{"encryptionContext": nil})})

	// What is no key, though it begins like one; what is still being made is not refused.
	add(event{op: "Decrypt", members: request("keyId", keyARN(140)+"\n")})
	add(event{op: "Decrypt", members: request("keyId", keyARN(140)+strings.Repeat("0", 2048))})
	add(event{op: "Decrypt", members: members{"resources": on(keyARN(140) + "\n"), "requestParameters": members{"keyId": keyARN(141)}}})
	for i, message := range []string{" is updating.", " IS CREATING", " may be creating", " is pending import, as updating it failed", ""} {
		add(event{op: "Decrypt", at: at(10 + i), members: failed("KMSInvalidStateException", keyARN(142)+message, members{"resources": on(keyARN(142))})})
	}
	add(event{op: "Decrypt", members: failed("DisabledException\n", "", members{"resources": on(keyARN(143))})})
	// More than is counted one by one.
	for i := range 40 {
		add(event{op: "Decrypt", members: failed(fmt.Sprintf("Error%dException", i), "", members{"resources": on(keyARN(144)), "sourceIPAddress": fmt.Sprintf("s%d.amazonaws.com", i%20)})})
		add(event{op: fmt.Sprint("Operation", 2*i), members: members{"resources": on(keyARN(144))}})
		add(event{op: fmt.Sprint("Operation", 2*i+1), members: members{"resources": on(keyARN(144))}})
	}
	// Without what every record has.
	for _, missing := range []string{"recipientAccountId", "awsRegion"} {
		r := event{op: "Sign", id: id(), at: at(15), members: members{"resources": on(keyARN(145))}}.record()
		delete(r, missing)
		all = append(all, r)
	}
	for _, missing := range []string{"sourceIPAddress", "requestID", "userIdentity", "readOnly", "eventType", "requestParameters", "responseElements"} {
		r := event{op: "Verify", id: id(), at: at(16), members: members{"resources": on(keyARN(146))}}.record()
		delete(r, missing)
		all = append(all, r)
	}
	return all
}

// wantOff is since when the keys of life are off: the time of the call.
var wantOff = map[string]string{
	keyARN(60): "2026-03-01T13:04:00Z", keyARN(63): "2026-03-01T13:00:00Z",
	keyARN(65): "2026-03-01T13:00:00Z", keyARN(66): "2026-03-01T13:00:00Z", keyARN(68): "2026-03-01T13:08:00Z",
}

func pack(tb testing.TB, records ...map[string]any) *fstest.MapFile {
	tb.Helper()
	plain, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := zip.Write(plain); err != nil {
		tb.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		tb.Fatal(err)
	}
	return &fstest.MapFile{Data: b.Bytes(), Mode: 0o444}
}

func logFile(account, region string, at time.Time) string {
	return fmt.Sprintf("AWSLogs/%[1]s/CloudTrail/%[2]s/%[3]s/%[1]s_CloudTrail_%[2]s_%[4]s_abcdefghijklmnop.json.gz",
		account, region, at.Format("2006/01/02"), at.Format("20060102T1504Z"))
}

// trailChanged are records of changes of trails.
func trailChanged() []map[string]any {
	change := func(at, op string, m members) map[string]any {
		r := event{op: op, id: "t-" + at, at: at, members: members{"eventSource": "cloudtrail.amazonaws.com", "recipientAccountId": other, "requestParameters": members{"name": "audit"}, "readOnly": false}}.record()
		maps.Copy(r, m)
		return r
	}
	return []map[string]any{
		change("2026-03-02T09:00:00Z", "StopLogging", nil),
		change("2026-03-02T08:00:00Z", "PutEventSelectors", members{"requestParameters": members{"trailName": "arn:aws:cloudtrail:us-west-2:444455556666:trail/audit"}}),
		change("2026-03-02T07:00:00Z", "StopLogging", members{"errorCode": "AccessDenied"}),
		change("2026-03-02T06:00:00Z", "StartLogging", nil),
	}
}

// testArchive is a generated archive, with awkward records beside it.
func testArchive(tb testing.TB) fs.FS {
	tb.Helper()
	// Twelve days, with a hole.
	generated, _ := archive.Spec{Files: 24, Records: 150, Keys: 30, Interval: 24 * time.Hour}.FS()
	all, ok := generated.(fstest.MapFS)
	if !ok {
		tb.Fatalf("%T", generated)
	}
	for path := range all {
		if strings.Contains(path, "/2026/03/06/") {
			delete(all, path)
		}
	}
	records := awkward()
	day := time.Date(2026, time.March, 1, 14, 0, 0, 0, time.UTC)
	all[logFile(account, region, day)] = pack(tb, records[:len(records)/2]...)
	all[logFile(account, region, day.Add(5*time.Minute))] = pack(tb, records[len(records)/2:]...)
	all[logFile(account, region, day.Add(24*time.Hour))] = pack(tb, records[:10]...) // once more
	// An event that came late is in a file of the next day.
	late := event{op: "Verify", id: "late", at: "2026-03-08T22:50:00Z", members: members{"resources": on(keyARN(70))}}.record()
	before := event{op: "Verify", id: "before", at: "2026-02-28T23:59:59Z", members: members{"resources": on(keyARN(71))}}.record()
	all[logFile(account, region, time.Date(2026, time.March, 1, 0, 5, 0, 0, time.UTC))] = pack(tb, before)
	all[logFile(account, region, time.Date(2026, time.February, 28, 12, 0, 0, 0, time.UTC))] = pack(tb, event{op: "DescribeKey", id: "described", at: "2026-02-28T11:00:00Z", members: members{"resources": on(keyARN(71))}}.record())
	all[logFile(account, region, time.Date(2026, time.March, 9, 0, 5, 0, 0, time.UTC))] = pack(tb, late)
	all[logFile(other, region, time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC))] = pack(tb, trailChanged()...)
	return all
}

// testArchiveOf is an archive of one file.
func testArchiveOf(tb testing.TB, records ...map[string]any) fs.FS {
	tb.Helper()
	return fstest.MapFS{logFile(account, region, time.Date(2026, time.March, 1, 14, 0, 0, 0, time.UTC)): pack(tb, records...)}
}

// athenaDB is a DuckDB with the archive in the table that AthenaTable.Create makes.
func athenaDB(tb testing.TB, table cloudtrail.AthenaTable, fsys fs.FS) *querier {
	tb.Helper()
	location := cloudtrail.AthenaLocation{Folder: bucket + "AWSLogs", Accounts: []string{account, other}, Regions: []string{region, "us-east-1", "eu-west-1"}}
	create, err := table.Create(location)
	if err != nil {
		tb.Fatal(err)
	}
	return createdDB(tb, create, database+`."`+table.Name+`"`, fsys)
}

// createdDB is a DuckDB with the archive in the table that a statement makes.
func createdDB(tb testing.TB, create, name string, fsys fs.FS) *querier {
	tb.Helper()
	db, err := open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := db.ExecContext(tb.Context(), "CREATE SCHEMA "+database); err != nil {
		tb.Fatal(err)
	}
	if err := loadAthena(tb.Context(), db, create, name, tb.TempDir(), fsys); err != nil {
		tb.Fatal(err)
	}
	return &querier{db: db, page: 100}
}

var table = cloudtrail.AthenaTable{Database: database, Name: "cloudtrail_logs", Account: "account", Region: "region"}

func quick(o *cloudtrail.QueryOptions) { o.Now, o.PollEvery, o.Complete = now, time.Microsecond, true }

// history is what both kinds of histories tell.
type history interface {
	Key(arn string) (usage.Record, bool)
	Coverage() []usage.Coverage
	Days() []cloudtrail.Days
	TrailChanges() []cloudtrail.TrailChange
}

// compare compares answers, field by field. It returns how many fields were there
// to be compared.
func compare(t *testing.T, got *cloudtrail.QueryHistory, want *cloudtrail.LogHistory, fields ...string) (seen map[string]int) {
	t.Helper()
	seen = map[string]int{}
	var gotKeys, wantKeys []string
	for arn := range got.Keys() {
		gotKeys = append(gotKeys, arn)
	}
	for arn := range want.Keys() {
		wantKeys = append(wantKeys, arn)
	}
	if !slices.Equal(gotKeys, wantKeys) {
		t.Errorf("keys %v, not %v", gotKeys, wantKeys)
	}
	for _, arn := range wantKeys {
		g, _ := got.Key(arn)
		w, _ := want.Key(arn)
		w.Contexts, w.Dropped.Contexts = nil, 0 // not asked for
		gv, wv := reflect.ValueOf(g), reflect.ValueOf(w)
		for i := range wv.NumField() {
			name := wv.Type().Field(i).Name
			if name == "Source" || len(fields) > 0 && !slices.Contains(fields, name) {
				continue
			}
			if !wv.Field(i).IsZero() {
				seen[name]++
			}
			if !reflect.DeepEqual(gv.Field(i).Interface(), wv.Field(i).Interface()) {
				t.Errorf("%s: %s is\n%+v, not\n%+v", arn, name, show(gv.Field(i)), show(wv.Field(i)))
			}
		}
	}
	return seen
}

func show(v reflect.Value) any {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		return v.Elem().Interface()
	}
	return v.Interface()
}

func scan(t *testing.T, fsys fs.FS, optFns ...func(*cloudtrail.ScanOptions)) *cloudtrail.LogHistory {
	t.Helper()
	h, err := cloudtrail.Scan(t.Context(), fsys, append([]func(*cloudtrail.ScanOptions){func(o *cloudtrail.ScanOptions) {
		o.Now, o.Workers = now, 1 // copies read at the same time may both be taken for the copy
	}}, optFns...)...)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Gaps()) > 0 {
		t.Fatalf("the scan has gaps: %v", h.Gaps())
	}
	return h
}

func TestAthenaAnswersAsTheScannerDoes(t *testing.T) {
	fsys := testArchive(t)
	q := athenaDB(t, table, fsys)
	got, err := table.Ask(t.Context(), q, quick)
	if err != nil {
		t.Fatal(err)
	}
	want := scan(t, fsys)
	seen := compare(t, got, want)
	for field, n := range map[string]int{"First": 30, "Last": 30, "Refusals": 5, "PublicKey": 1, "Off": 7, "Created": 6, "Operations": 50, "Errors": 20, "Services": 20, "Dropped": 1} {
		if seen[field] < n {
			t.Errorf("%s was compared for %d keys only", field, seen[field])
		}
	}
	sameCoverage(t, got, want)
	if len(got.Gaps()) > 0 || got.Stats().Keys < 60 {
		t.Errorf("gaps %v, %+v", got.Gaps(), got.Stats())
	}
	for _, statement := range q.ran {
		if !strings.Contains(statement, `FROM "logs"."cloudtrail_logs"`) {
			t.Errorf("ran %.200s", statement)
		}
	}
}

// daysOf are the days without the bucket, which the table knows too.
func daysOf(h history) []cloudtrail.Days {
	days := h.Days()
	for i := range days {
		days[i].Tree = strings.TrimPrefix(days[i].Tree, bucket)
	}
	return days
}

// joined is the coverage of a table as it is where the files of the day before are
// known to be there: only the folders tell that.
func joined(got, want []usage.Coverage, from time.Time) []usage.Coverage {
	firstDay := func(c usage.Coverage) bool {
		return c.From.Equal(from) && c.To.Before(from.Truncate(24*time.Hour).AddDate(0, 0, 1))
	}
	if len(got) == 0 && !slices.ContainsFunc(want, func(c usage.Coverage) bool { return !firstDay(c) }) {
		return want // nothing but what comes before the first file
	}
	for i := range min(len(got), len(want)) {
		if g := got[i].From; want[i].From.Equal(from) && g.After(from) && g.Before(from.Truncate(24*time.Hour).AddDate(0, 0, 1)) {
			got[i].From = from
		}
	}
	return got
}

// sameCoverage compares what is claimed of the archive.
func sameCoverage(t *testing.T, got, want history) {
	t.Helper()
	if g, w := got.Coverage(), want.Coverage(); !reflect.DeepEqual(g, w) || len(w) < 5 {
		t.Errorf("coverage is\n%v, not\n%v", g, w)
	}
	if g, w := daysOf(got), want.Days(); !reflect.DeepEqual(g, w) || len(w) < 3 {
		t.Errorf("days are\n%v, not\n%v", g, w)
	}
	if g, w := got.TrailChanges(), want.TrailChanges(); !reflect.DeepEqual(g, w) || len(w) != 2 {
		t.Errorf("changes are\n%v, not\n%v", g, w)
	}
}

func TestCallsThatSwitchKeysOffAndOnAndCreationAreFound(t *testing.T) {
	fsys := testArchive(t)
	got, err := table.Ask(t.Context(), athenaDB(t, table, fsys), quick)
	if err != nil {
		t.Fatal(err)
	}
	for i := 60; i <= 68; i++ {
		r, ok := got.Key(keyARN(i))
		if !ok {
			t.Fatalf("key %d is not known", i)
		}
		switch want := wantOff[keyARN(i)]; {
		case r.Off == nil && want != "", r.Off != nil && r.Off.At.Format(time.RFC3339) != want:
			t.Errorf("key %d is off since %+v, not %q", i, r.Off, want)
		case r.Off != nil && r.Off.Principal == "":
			t.Errorf("key %d was switched off by nobody: %+v", i, r.Off)
		}
		if (r.Created != nil) != (i < 62) || r.Created != nil && r.Created.Operation != "CreateKey" {
			t.Errorf("key %d was created by %+v", i, r.Created)
		}
	}
}

func TestWhatIsAskedForIsWhatIsAnswered(t *testing.T) {
	fsys := testArchive(t)
	q := athenaDB(t, table, fsys)
	day := func(d int) time.Time { return time.Date(2026, time.March, d, 0, 0, 0, 0, time.UTC) }
	var eu string
	for arn := range scan(t, fsys).Keys() {
		if strings.Contains(arn, ":eu-west-1:") {
			eu = arn
		}
	}
	for name, tt := range map[string]struct {
		ask    func(*cloudtrail.QueryOptions)
		scan   func(*cloudtrail.ScanOptions)
		keys   int // at least
		fields []string
	}{
		"a time": {
			func(o *cloudtrail.QueryOptions) { o.From, o.To = day(3).Add(time.Hour), day(8).Add(23*time.Hour) },
			func(o *cloudtrail.ScanOptions) { o.From, o.To = day(3).Add(time.Hour), day(8).Add(23*time.Hour) }, 20, nil,
		},
		"a Region": {
			func(o *cloudtrail.QueryOptions) { o.Regions = []string{"eu-west-1"} },
			func(o *cloudtrail.ScanOptions) { o.Regions = []string{"eu-west-1"} }, 10, nil,
		},
		"an account": {
			func(o *cloudtrail.QueryOptions) { o.Accounts = []string{account} },
			func(o *cloudtrail.ScanOptions) { o.Accounts = []string{account} }, 50, nil,
		},
		"first and last only": {
			func(o *cloudtrail.QueryOptions) { o.FirstAndLastOnly = true },
			func(o *cloudtrail.ScanOptions) { o.FirstAndLastOnly = true }, 50,
			[]string{"First", "Last", "PublicKey", "Refusals"},
		},
		"few refusals, since a time": {
			func(o *cloudtrail.QueryOptions) {
				o.Refusals, o.RefusedSince = 3, day(1).Add(12*time.Hour+30*time.Minute)
			},
			func(o *cloudtrail.ScanOptions) {
				o.Refusals, o.RefusedSince = 3, day(1).Add(12*time.Hour+30*time.Minute)
			}, 50, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := table.Ask(t.Context(), q, quick, tt.ask)
			if err != nil {
				t.Fatal(err)
			}
			want := scan(t, fsys, tt.scan)
			if tt.fields != nil {
				// Keys of which nothing of this kind is known are not in this answer.
				seen := 0
				for arn, w := range want.Keys() {
					g, _ := got.Key(arn)
					if !reflect.DeepEqual(g.First, w.First) || !reflect.DeepEqual(g.Last, w.Last) || !reflect.DeepEqual(g.PublicKey, w.PublicKey) || !reflect.DeepEqual(g.Refusals, w.Refusals) || len(g.Operations) > 0 {
						t.Errorf("%s is\n%+v, not\n%+v", arn, g, w)
					}
					seen++
				}
				if seen < tt.keys {
					t.Errorf("compared %d keys", seen)
				}
				return
			}
			compare(t, got, want)
			if got.Stats().Keys < tt.keys {
				t.Errorf("%d keys", got.Stats().Keys)
			}
			var o cloudtrail.ScanOptions
			tt.scan(&o)
			if w := want.Coverage(); len(w) == 0 || !reflect.DeepEqual(joined(got.Coverage(), w, o.From), w) {
				t.Errorf("coverage is\n%v, not\n%v", got.Coverage(), w)
			}
		})
	}
	t.Run("keys", func(t *testing.T) {
		got, err := table.Ask(t.Context(), q, quick, func(o *cloudtrail.QueryOptions) { o.Keys = []string{eu, keyARN(41), keyARN(60)} })
		if err != nil {
			t.Fatal(err)
		}
		want := scan(t, fsys)
		var keys []string
		for arn, g := range got.Keys() {
			keys = append(keys, arn)
			w, _ := want.Key(arn)
			if !reflect.DeepEqual(g.Last, w.Last) || !reflect.DeepEqual(g.Refusals, w.Refusals) || !maps.Equal(g.Operations, w.Operations) {
				t.Errorf("%s is\n%+v, not\n%+v", arn, g, w)
			}
		}
		if !slices.Equal(keys, []string{eu, keyARN(41), keyARN(60)}) || len(got.TrailChanges()) != 2 {
			t.Errorf("keys %v, changes %v", keys, got.TrailChanges())
		}
		sameCoverage(t, got, want)
	})
}

func TestRecordsThatCannotBeReadAreGapsOfTheirDay(t *testing.T) {
	at := time.Date(2026, time.March, 1, 14, 0, 0, 0, time.UTC)
	odd := func(when string) map[string]any {
		return event{op: "Decrypt", id: "odd " + when, at: when, members: members{"resources": on(key)}}.record()
	}
	fsys := fstest.MapFS{
		logFile(account, region, at):                     pack(t, event{op: "Decrypt", id: "1", at: "2026-03-01T12:00:00Z", members: members{"resources": on(key)}}.record()),
		logFile(account, region, at.Add(24*time.Hour)):   pack(t, odd("yesterday"), odd("2026-03-02T14:00:00+02:00"), map[string]any{"x": 1}),
		logFile(account, region, at.Add(2*24*time.Hour)): pack(t, odd("2027-03-01T12:00:00Z"), event{op: "Decrypt", id: "2", at: "2026-03-03T12:00:00Z"}.record()),
		"AWSLogs/elsewhere/a/b/c/d/e/f.json.gz":          pack(t, odd("never")),
	}
	got, err := table.Ask(t.Context(), athenaDB(t, table, fsys), quick)
	if err != nil {
		t.Fatal(err)
	}
	if r, _ := got.Key(key); r.Operations["Decrypt"] != 1 || r.Last.EventID != "1" {
		t.Errorf("%+v", r)
	}
	found := map[cloudtrail.GapReason]int{}
	for _, g := range got.Gaps() {
		found[g.Reason] += g.Count
	}
	if !maps.Equal(found, map[cloudtrail.GapReason]int{cloudtrail.NoTime: 3, cloudtrail.NoRecord: 1, cloudtrail.FutureTime: 1}) {
		t.Errorf("gaps %v", got.Gaps())
	}
	for _, c := range got.Coverage() {
		if len(c.BlindSpots) == 0 {
			t.Errorf("nothing is missing from %v to %v?", c.From, c.To)
		}
	}
	text := fmt.Sprint(got.Coverage())
	for _, want := range []string{
		"1 calls do not name all their keys", "coverage: no account no Region no day: a record of KMS or CloudTrail has no time",
		"coverage: 111122223333 us-west-2 2026/03/02: a record of KMS or CloudTrail has no time (and 1 more)",
		"coverage: 111122223333 us-west-2 2026/03/03: a KMS record is of the future",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("coverage lacks %q: %s", want, text)
		}
	}
	for when, want := range map[string]string{
		"2026-03-01T20:00:00Z": "2026/03/02: a record of KMS or CloudTrail has no time", // its end can be in the files of the next day
		"2026-03-02T12:00:00Z": "2026/03/02: a record of KMS or CloudTrail has no time",
		"2026-03-03T12:00:00Z": "2026/03/03: a KMS record is of the future",
	} {
		covered := 0
		for _, c := range got.Coverage() {
			if w := c.From.Format(time.RFC3339); w <= when && c.To.Format(time.RFC3339) > when {
				covered++
				if !strings.Contains(fmt.Sprint(c.BlindSpots), want) {
					t.Errorf("%s lacks %q: %v", when, want, c.BlindSpots)
				}
			}
		}
		if covered != 1 {
			t.Errorf("%s is covered %d times", when, covered)
		}
	}
}

func TestOfManyChangesOfTrailsAndMakingsOfAReplicaTheEarliestIsKept(t *testing.T) {
	var records []map[string]any
	for i := range 400 {
		records = append(records, event{op: "StopLogging", id: fmt.Sprint("t", i), at: fmt.Sprintf("2026-03-01T%02d:%02d:00Z", 1+i/60, i%60), members: members{"eventSource": "cloudtrail.amazonaws.com"}}.record(),
			event{op: "ReplicateKey", id: fmt.Sprint("r", i), at: fmt.Sprintf("2026-03-01T%02d:%02d:00Z", 1+i/60, i%60), members: members{"responseElements": members{"replicaKeyMetadata": members{"arn": key}}}}.record())
	}
	fsys := testArchiveOf(t, records...)
	got, err := table.Ask(t.Context(), athenaDB(t, table, fsys), quick)
	if err != nil {
		t.Fatal(err)
	}
	if changes := got.TrailChanges(); len(changes) != 256 || changes[0].EventID != "t0" {
		t.Errorf("%d changes, the first %+v", len(changes), changes[0])
	}
	if r, _ := got.Key(key); r.Created == nil || r.Created.EventID != "r0" {
		t.Errorf("created by %+v", r.Created)
	}
}

func TestChangesOfAnOrganizationsTrailAreFoundAmongManyOthers(t *testing.T) {
	change := func(at string) map[string]any {
		return event{op: "StopLogging", id: "t" + at, at: at, members: members{"eventSource": "cloudtrail.amazonaws.com"}}.record()
	}
	var own []map[string]any
	for i := range 300 {
		own = append(own, change(fmt.Sprintf("2026-03-01T%02d:%02d:00Z", 1+i/60, i%60)))
	}
	at := time.Date(2026, time.March, 1, 14, 0, 0, 0, time.UTC)
	inOrganization := func(account string) string {
		return strings.Replace(logFile(account, region, at), "AWSLogs/", "AWSLogs/o-abcde12345/", 1)
	}
	fsys := fstest.MapFS{
		logFile(account, region, at): pack(t, own...),
		inOrganization(account):      pack(t, change("2026-03-01T12:00:00Z")),
		inOrganization(other):        pack(t, event{op: "Decrypt", id: "1", at: "2026-03-01T11:00:00Z", members: members{"resources": on(china)}}.record()),
	}
	got, err := table.Ask(t.Context(), athenaDB(t, table, fsys), quick)
	if err != nil {
		t.Fatal(err)
	}
	if changes := got.TrailChanges(); len(changes) != 257 || !changes[256].Organization {
		t.Errorf("%d changes, the last %+v", len(changes), changes[len(changes)-1])
	}
}

func TestCloudTrailLakeAnswersAsTheScannerDoes(t *testing.T) {
	fsys := testArchive(t)
	db, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := loadLake(t.Context(), db, "store", t.TempDir(), fsys); err != nil {
		t.Fatal(err)
	}
	// In CloudTrail Lake the ID stands in the statement as it is.
	q := &querier{db: db, page: 1000, names: func(s string) string { return strings.ReplaceAll(s, "FROM "+storeID, "FROM store") }}
	got, err := cloudtrail.LakeStore{ID: storeID}.Ask(t.Context(), q, quick)
	if err != nil {
		t.Fatal(err)
	}
	want := scan(t, fsys)
	seen := compare(t, got, want)
	for field, n := range map[string]int{"First": 30, "Refusals": 5, "Operations": 50} {
		if seen[field] < n {
			t.Errorf("%s was compared for %d keys only", field, seen[field])
		}
	}
	if !reflect.DeepEqual(got.TrailChanges(), want.TrailChanges()) {
		t.Errorf("changes are\n%v, not\n%v", got.TrailChanges(), want.TrailChanges())
	}
	if got.Source() != cloudtrail.LakeSource || len(got.Gaps()) > 0 || len(got.Days()) < 3 {
		t.Errorf("%s, gaps %v, days %v", got.Source(), got.Gaps(), got.Days())
	}
	from, to := time.Date(2026, time.March, 3, 1, 0, 0, 0, time.UTC), time.Date(2026, time.March, 8, 23, 0, 0, 1, time.UTC)
	if got, err = (cloudtrail.LakeStore{ID: storeID}).Ask(t.Context(), q, quick, func(o *cloudtrail.QueryOptions) { o.From, o.To = from, to }); err != nil {
		t.Fatal(err)
	}
	compare(t, got, scan(t, fsys, func(o *cloudtrail.ScanOptions) { o.From, o.To = from, to }))
}

// partitionedBy is the statement that makes the table, partitioned in another way.
func partitionedBy(t *testing.T, columns ...string) string {
	t.Helper()
	create, err := table.Create(cloudtrail.AthenaLocation{Folder: bucket + "AWSLogs", Accounts: []string{account}, Regions: []string{region}})
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(create, "\nPARTITIONED BY (\n")
	_, tail, ok2 := strings.Cut(rest, "\n)\n")
	if !ok || !ok2 {
		t.Fatal(create)
	}
	for i, c := range columns {
		columns[i] = "  `" + c + "` STRING"
	}
	return head + "\nPARTITIONED BY (\n" + strings.Join(columns, ",\n") + "\n)\n" + tail
}

func TestHoweverATableIsPartitionedTheAnswerIsTheSame(t *testing.T) {
	fsys := testArchive(t)
	day := func(month time.Month, d int) time.Time { return time.Date(2026, month, d, 0, 0, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		table   cloudtrail.AthenaTable
		columns []string
	}{
		"by year, month and day":            {cloudtrail.AthenaTable{Year: "year", Month: "month", Day: "day"}, []string{"year", "month", "day"}},
		"by Region, year, month and day":    {cloudtrail.AthenaTable{Region: "region", Year: "year", Month: "month", Day: "day"}, []string{"region", "year", "month", "day"}},
		"by timestamp":                      {cloudtrail.AthenaTable{}, []string{"timestamp"}},
		"by nothing that is asked to prune": {cloudtrail.AthenaTable{Unpartitioned: true}, []string{"timestamp"}},
	} {
		t.Run(name, func(t *testing.T) {
			table := tt.table
			table.Database, table.Name = database, "logs"
			q := createdDB(t, partitionedBy(t, tt.columns...), database+".logs", fsys)
			for name, span := range map[string][2]time.Time{
				"from the first of a month":     {day(time.March, 1), {}},
				"until the end of a month":      {{}, day(time.March, 1)},
				"until a second into the month": {{}, day(time.March, 1).Add(time.Second)},
				"the last day of a month":       {day(time.February, 28), day(time.March, 1)},
				"a day":                         {day(time.March, 8), day(time.March, 9)},
				"an hour before midnight":       {day(time.March, 8).Add(22 * time.Hour), day(time.March, 8).Add(23 * time.Hour)},
				"all":                           {},
			} {
				t.Run(name, func(t *testing.T) {
					for _, ask := range []struct{ accounts, regions []string }{{}, {[]string{account}, []string{region}}} {
						got, err := table.Ask(t.Context(), q, quick, func(o *cloudtrail.QueryOptions) {
							o.From, o.To, o.Accounts, o.Regions = span[0], span[1], ask.accounts, ask.regions
						})
						if err != nil {
							t.Fatal(err)
						}
						want := scan(t, fsys, func(o *cloudtrail.ScanOptions) {
							o.From, o.To, o.Accounts, o.Regions = span[0], span[1], ask.accounts, ask.regions
						})
						compare(t, got, want)
						if table.Unpartitioned {
							continue // it has seen the days before and after too
						}
						if w := want.Coverage(); !reflect.DeepEqual(joined(got.Coverage(), w, span[0]), w) {
							t.Errorf("coverage is\n%v, not\n%v", got.Coverage(), w)
						}
						if g, w := daysOf(got), want.Days(); !reflect.DeepEqual(g, w) {
							t.Errorf("days are\n%v, not\n%v", g, w)
						}
						if g, w := got.TrailChanges(), want.TrailChanges(); !reflect.DeepEqual(g, w) {
							t.Errorf("changes are\n%v, not\n%v", g, w)
						}
					}
				})
			}
		})
	}
}

func TestWhatIsMissingIsMissingHoweverItIsAskedFor(t *testing.T) {
	files := func(day int) time.Time { return time.Date(2026, time.March, day, 14, 0, 0, 0, time.UTC) }
	use := func(day int) map[string]any {
		return event{op: "Decrypt", id: fmt.Sprint("use", day), at: fmt.Sprintf("2026-03-%02dT12:00:00Z", day), members: members{"resources": on(key)}}.record()
	}
	refused := event{op: "Decrypt", id: "r", at: "2026-03-02T12:00:00Z", members: failed("DisabledException", "some key is disabled")}.record()
	denied := event{op: "Decrypt", id: "d", at: "2026-03-02T12:00:00Z", members: failed("AccessDenied", "no such thing as a refusal")}.record()
	undated := event{op: "StopLogging", id: "u", at: "", members: members{"eventSource": "cloudtrail.amazonaws.com"}}.record()
	undated["eventTime"] = "noon"
	stopped := event{op: "StopLogging", id: "s", at: "2026-03-02T01:00:00Z", members: members{"eventSource": "cloudtrail.amazonaws.com"}}.record()
	late := event{op: "Decrypt", id: "l", at: "2026-03-02T23:59:59Z"}.record() // in a file of the next day
	called := func(op string, m members) map[string]any {
		return event{op: op, id: "c", at: "2026-03-02T12:00:00Z", members: m}.record()
	}
	decrypt := func(m members) map[string]any { return called("Decrypt", m) }
	var crowd []string
	for i := range 20 {
		crowd = append(crowd, keyARN(i))
	}
	for name, tt := range map[string]struct {
		record map[string]any
		want   string // empty: nothing is missing
	}{
		"a call that does not say how it ended":  {decrypt(members{"resources": on(keyARN(1)), "errorMessage": "it failed"}), "does not tell whether the call failed"},
		"a call of very many keys":               {decrypt(members{"resources": on(crowd...)}), "names more keys than a call has"},
		"a ReEncrypt that names one key":         {called("ReEncrypt", members{"resources": on(keyARN(1)), "requestParameters": members{"sourceKeyId": keyARN(1), "destinationKeyId": alias}}), "1 calls do not name all their keys"},
		"a ReEncrypt from a key to itself":       {called("ReEncrypt", members{"requestParameters": members{"sourceKeyId": keyARN(1), "destinationKeyId": keyARN(1)}}), ""},
		"a GetPublicKey that names no key":       {called("GetPublicKey", members{"requestParameters": members{"keyId": alias}}), "1 calls do not name all their keys"},
		"a use of the evening that names no key": {late, "1 calls do not name all their keys"},
		"a refusal that names no key":            {refused, "1 calls do not name all their keys"},
		"a denial that names no key":             {denied, ""},
		"a change of a trail without a time":     {undated, "has no time"},
		"a change of a trail before the time":    {stopped, "after StopLogging of a trail at 2026-03-02T01:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for day := 1; day <= 3; day++ {
				fsys[logFile(account, region, files(day))] = pack(t, use(day))
			}
			file := files(2).Add(time.Minute)
			if tt.record["eventID"] == "l" {
				file = time.Date(2026, time.March, 3, 0, 5, 0, 0, time.UTC)
			}
			fsys[logFile(account, region, file)] = pack(t, tt.record)
			from := time.Date(2026, time.March, 2, 10, 0, 0, 0, time.UTC)
			got, err := table.Ask(t.Context(), athenaDB(t, table, fsys), quick, func(o *cloudtrail.QueryOptions) { o.From = from })
			if err != nil {
				t.Fatal(err)
			}
			want, err := cloudtrail.Scan(t.Context(), fsys, func(o *cloudtrail.ScanOptions) { o.Now, o.From = now, from })
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(tt.want, "names more keys") { // of which the scanner takes some
				compare(t, got, want)
			}
			if g, w := got.TrailChanges(), want.TrailChanges(); !reflect.DeepEqual(g, w) {
				t.Errorf("changes are\n%v, not\n%v", g, w)
			}
			for i, c := range joined(got.Coverage(), want.Coverage(), from) {
				if w := want.Coverage(); len(w) != len(got.Coverage()) || !c.From.Equal(w[i].From) || !c.To.Equal(w[i].To) || (len(c.BlindSpots) > 0) != (len(w[i].BlindSpots) > 0) {
					t.Errorf("coverage is\n%v, not\n%v", got.Coverage(), w)
				}
			}
			for _, h := range []history{got, want} {
				spots := ""
				for _, c := range h.Coverage() {
					spots += fmt.Sprint(c.BlindSpots)
				}
				if !strings.Contains(spots, tt.want) || tt.want == "" && strings.Trim(spots, "[]") != "" {
					t.Errorf("%T: blind spots are %s, not %q", h, spots, tt.want)
				}
			}
		})
	}
}
