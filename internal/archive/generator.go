package archive

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// version is part of the name of a cached archive: another one for every change
// of what is generated.
const version = 4

type generator struct {
	s     Spec
	r     *rand.Rand
	keys  [][]string // by Region
	off   map[string]bool
	share []float64 // cumulated, of each key in the calls of its Region
	truth Truth
	roles []role
}

// role is who calls.
type role struct {
	name, id, session, key string
}

func newGenerator(s Spec) *generator {
	g := &generator{
		s: s, r: rand.New(rand.NewPCG(s.Seed, 0x6b6d73)), off: map[string]bool{}, //nolint:gosec // not for secrets
		truth: Truth{Keys: map[string]*Key{}},
	}
	perRegion := max(1, s.Keys/len(s.Regions))
	for _, region := range s.Regions {
		var arns []string
		for i := range perRegion {
			arn := fmt.Sprintf("arn:aws:kms:%s:%s:key/%s", region, s.Account, g.uuid())
			arns = append(arns, arn)
			g.off[arn] = i%50 == 7 // a few are disabled
		}
		g.keys = append(g.keys, arns)
	}
	sum := 0.0
	for i := range perRegion {
		sum += math.Pow(float64(i+1), -0.8)
		g.share = append(g.share, sum)
	}
	for i := range 40 {
		g.roles = append(g.roles, role{
			name: fmt.Sprintf("%s-%s-%d", pick(g, "orders", "billing", "search", "ingest", "report"), pick(g, "service", "worker", "deploy"), i),
			id:   "AROA" + g.unique(), session: pick(g, "i-0", "botocore-session-", "GitHubActions-") + g.hex(12), key: "ASIA" + g.unique(),
		})
	}
	return g
}

func pick[T any](g *generator, of ...T) T { return of[g.r.IntN(len(of))] }

const hexDigits = "0123456789abcdef"

func (g *generator) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = hexDigits[g.r.IntN(16)]
	}
	return string(b)
}

// unique is the end of names that AWS makes up.
func (g *generator) unique() string {
	b := make([]byte, 16)
	for i := range b {
		b[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[g.r.IntN(32)]
	}
	return string(b)
}

func (g *generator) uuid() string { return string(g.appendUUID(nil)) }

func (g *generator) appendUUID(b []byte) []byte {
	hi, lo := g.r.Uint64(), g.r.Uint64()
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b = append(b, '-')
		}
		d := hi
		if i >= 16 {
			d = lo
		}
		b = append(b, hexDigits[d>>(4*(i%16))&15])
	}
	return b
}

func (g *generator) appendBase64(b []byte, n int) []byte {
	raw := make([]byte, n)
	for i := range raw {
		raw[i] = byte(g.r.Uint32())
	}
	return base64.StdEncoding.AppendEncode(b, raw)
}

const stampLayout = "20060102T1504Z"

// file appends the unpacked content of file i to b.
func (g *generator) file(i int, b []byte) (name string, content []byte) {
	where := i % len(g.s.Regions)
	region := g.s.Regions[where]
	end := g.s.Start.Add(time.Duration(i/len(g.s.Regions)+1) * g.s.Interval)
	if end.Sub(end.Truncate(24*time.Hour)) == 0 {
		end = end.Add(-time.Minute) // the file belongs to the day of its events
	}
	name = fmt.Sprintf("AWSLogs/%s/CloudTrail/%s/%s/%s_CloudTrail_%s_%s_%s.json.gz", g.s.Account, region,
		end.Format("2006/01/02"), g.s.Account, region, end.Format(stampLayout), g.unique())
	b = append(b, `{"Records":[`...)
	window := min(g.s.Interval, 15*time.Minute)
	for n := range g.s.Records {
		if n > 0 {
			b = append(b, ',')
		}
		at := end.Add(-time.Duration(g.r.Int64N(int64(window)))).Truncate(time.Second)
		if g.r.Float64() < g.s.KMS {
			b = g.kms(b, where, at)
		} else {
			b = g.other(b, region, at)
		}
		g.truth.Records++
	}
	return name, append(b, `]}`...)
}

// caller appends the member userIdentity.
func (g *generator) caller(b []byte, at time.Time, invokedBy string) []byte {
	r := pick(g, g.roles...)
	acct := g.s.Account
	b = append(b, `"userIdentity":{"type":"AssumedRole","principalId":"`...)
	b = append(b, r.id+":"+r.session+`","arn":"arn:aws:sts::`+acct+`:assumed-role/`+r.name+`/`+r.session+`","accountId":"`+acct+`","accessKeyId":"`+r.key...)
	b = append(b, `","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"`+r.id+`","arn":"arn:aws:iam::`+acct+`:role/`+r.name+`","accountId":"`+acct+`","userName":"`+r.name+`"},"webIdFederationData":{},"attributes":{"creationDate":"`...)
	b = at.Add(-time.Duration(g.r.IntN(3600))*time.Second).AppendFormat(b, time.RFC3339)
	b = append(b, `","mfaAuthenticated":"false"}}`...)
	if invokedBy != "" {
		b = append(b, `,"invokedBy":"`+invokedBy+`"`...)
	}
	return append(b, '}')
}

// tail appends what all records end with, and fills the record up.
func (g *generator) tail(b []byte, start int, source, id string) []byte {
	b = append(b, `,"requestID":"`...)
	b = g.appendUUID(b)
	b = append(b, `","eventID":"`+id+`","readOnly":true`...)
	b = append(b, `,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"`+g.s.Account+`","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"`+source+`"}`...)
	want := g.s.Bytes*3/4 + g.r.IntN(g.s.Bytes/2)
	if missing := want - (len(b) - start) - 60; missing > 0 {
		b = g.filler(b, missing)
	}
	return append(b, '}')
}

// filler appends nested members of about n bytes, in the manner of answers that
// describe resources: as much in a string, and between two brackets, as in the
// records that AWS publishes.
func (g *generator) filler(b []byte, n int) []byte {
	b = append(b, `,"additionalEventData":{"items":[`...)
	until := len(b) + n
	for i := 0; len(b) < until; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"networkInterfaceId":"eni-0`...)
		b = strconv.AppendUint(b, g.r.Uint64N(1<<40), 16)
		b = append(b, `","subnetId":"subnet-`+pick(g, "0a1b2c3d", "0f9e8d7c", "05e6f7a8")+`","status":"`+pick(g, "in-use", "available", "attaching")...)
		b = append(b, `","description":"`+pick(g, "ELB app/orders/50dc6c495c0c9188", "Interface for NAT gateway", "AWS Lambda VPC ENI-search")+`","index":`...)
		b = strconv.AppendInt(b, g.r.Int64N(100), 10)
		b = append(b, `,"groups":["sg-`+pick(g, "prod", "test", "dev")+`-internal","sg-`+pick(g, "core", "data", "web")+`-public"]}`...)
	}
	return append(b, `]}`...)
}

var agents = []string{
	"aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24.2 md/GOOS#linux md/GOARCH#arm64 api/kms#1.38.1 m/E,e",
	"Boto3/1.37.9 md/Botocore#1.37.9 ua/2.1 os/linux#6.1.129-138.220.amzn2023.x86_64 md/arch#x86_64 lang/python#3.12.9 md/pyimpl#CPython cfg/retry-mode#standard Botocore/1.37.9",
	"aws-cli/2.27.2 md/awscrt#0.25.4 ua/2.1 os/linux#5.10.235 md/arch#x86_64 lang/python#3.13.2 md/pyimpl#CPython exec-env/CloudShell",
}

func (g *generator) head(b []byte, source, name, region, ip string, at time.Time) []byte {
	b = append(b, `,"eventTime":"`...)
	b = at.AppendFormat(b, time.RFC3339)
	return append(b, `","eventSource":"`+source+`","eventName":"`+name+`","awsRegion":"`+region+`","sourceIPAddress":"`+ip+`","userAgent":"`+pick(g, agents...)+`"`...)
}

func (g *generator) ip() string {
	return fmt.Sprintf("10.%d.%d.%d", g.r.IntN(4), g.r.IntN(256), g.r.IntN(256))
}

// kms appends one KMS record and remembers the truth about it.
func (g *generator) kms(b []byte, where int, at time.Time) []byte {
	region, arns := g.s.Regions[where], g.keys[where]
	x := g.r.Float64() * g.share[len(g.share)-1]
	arn := arns[len(arns)-1]
	for i, sum := range g.share {
		if x < sum {
			arn = arns[i]
			break
		}
	}
	op := pick(g, "Decrypt", "Decrypt", "Decrypt", "Decrypt", "GenerateDataKey", "GenerateDataKey", "Encrypt", "DescribeKey", "DescribeKey", "CreateGrant")
	code, message := "", ""
	switch {
	case g.off[arn] && op != "DescribeKey":
		code, message = "DisabledException", arn+" is disabled."
	case g.r.IntN(50) == 0:
		code = "AccessDenied"
		message = "User: arn:aws:sts::" + g.s.Account + ":assumed-role/x/y is not authorized to perform: kms:" + op + " on resource: " + arn + " because no identity-based policy allows the action"
	}
	id := g.uuid()
	g.note(arn, op, code, id, at)

	start := len(b)
	invokedBy, ip := "", g.ip()
	context := `"app":"` + pick(g, g.roles...).name + `"`
	switch g.r.IntN(4) {
	case 0:
		invokedBy, ip = "secretsmanager.amazonaws.com", "secretsmanager.amazonaws.com"
		context = `"SecretARN":"arn:aws:secretsmanager:` + region + `:` + g.s.Account + `:secret:app-` + strconv.Itoa(g.r.IntN(60)) + `","SecretVersionId":"` + g.uuid() + `"`
	case 1:
		invokedBy, ip = "AWS Internal", "AWS Internal"
		context = `"aws:s3:arn":"arn:aws:s3:::data-` + strconv.Itoa(g.r.IntN(9)) + `/part-` + g.hex(10) + `.parquet"`
	case 2:
		invokedBy, ip = "dynamodb.amazonaws.com", "dynamodb.amazonaws.com"
		context = `"aws:dynamodb:tableName":"table-` + strconv.Itoa(g.r.IntN(30)) + `","aws:dynamodb:subscriberId":"` + g.s.Account + `"`
	}
	b = append(b, `{"eventVersion":"1.11",`...)
	b = g.caller(b, at, invokedBy)
	b = g.head(b, "kms.amazonaws.com", op, region, ip, at)
	if code != "" {
		b = append(b, `,"errorCode":"`+code+`","errorMessage":"`+message+`"`...)
	}
	b = append(b, `,"requestParameters":{`...)
	switch op {
	case "DescribeKey", "CreateGrant":
		b = append(b, `"keyId":"`+arn+`"`...)
	case "Decrypt":
		b = append(b, `"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{`+context+`}`...)
	default:
		b = append(b, `"keyId":"`+arn+`","numberOfBytes":32,"encryptionContext":{`+context+`}`...)
	}
	b = append(b, `},"responseElements":null,"additionalEventData":{"keyMaterialId":"`+g.hex(64)+`"}`...)
	b = append(b, `,"resources":[{"accountId":"`+g.s.Account+`","type":"AWS::KMS::Key","ARN":"`+arn+`"}]`...)
	return g.tail(b, start, "kms."+region+".amazonaws.com", id)
}

var tracked = map[string]bool{"Decrypt": true, "Encrypt": true, "GenerateDataKey": true}

func (g *generator) note(arn, op, code, id string, at time.Time) {
	g.truth.KMS++
	k := g.truth.Keys[arn]
	if k == nil {
		k = &Key{Operations: map[string]int{}, Errors: map[string]int{}}
		g.truth.Keys[arn] = k
	}
	k.Operations[op]++
	if code != "" {
		k.Errors[code]++
		if code == "DisabledException" {
			k.Refusals++
		}
		return
	}
	if !tracked[op] {
		return
	}
	if k.First.IsZero() || at.Before(k.First) {
		k.First = at
	}
	if at.After(k.Last) || at.Equal(k.Last) && id > k.LastEventID {
		k.Last, k.LastOperation, k.LastEventID = at, op, id
	}
}

// other appends a record of another service.
func (g *generator) other(b []byte, region string, at time.Time) []byte {
	start := len(b)
	service, op := "sts", "AssumeRole"
	switch g.r.IntN(5) {
	case 0:
		service, op = "ec2", pick(g, "DescribeInstances", "DescribeVolumes", "DescribeSecurityGroups")
	case 1:
		service, op = "s3", pick(g, "GetBucketAcl", "GetBucketLocation", "ListBuckets")
	case 2:
		service, op = "dynamodb", pick(g, "DescribeTable", "UpdateTimeToLive")
	case 3:
		service, op = "logs", pick(g, "CreateLogStream", "DescribeLogGroups")
	}
	b = append(b, `{"eventVersion":"1.10",`...)
	b = g.caller(b, at, "")
	b = g.head(b, service+".amazonaws.com", op, region, g.ip(), at)
	switch service {
	case "sts":
		r := pick(g, g.roles...)
		b = append(b, `,"requestParameters":{"roleArn":"arn:aws:iam::`+g.s.Account+`:role/`+r.name+`","roleSessionName":"`+r.session+`"},"responseElements":{"credentials":{"accessKeyId":"ASIA`+g.unique()+`","sessionToken":"`...)
		b = g.appendBase64(b, 180)
		b = append(b, `","expiration":"Mar 1, 2026, 9:12:48 PM"},"assumedRoleUser":{"assumedRoleId":"`+r.id+`:`+r.session+`","arn":"arn:aws:sts::`+g.s.Account+`:assumed-role/`+r.name+`/`+r.session+`"}}`...)
	case "s3":
		b = append(b, `,"requestParameters":{"bucketName":"data-`+strconv.Itoa(g.r.IntN(9))+`","Host":"s3.`+region+`.amazonaws.com","acl":""},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","bytesTransferredIn":0,"x-amz-id-2":"`...)
		b = g.appendBase64(b, 57)
		b = append(b, `","bytesTransferredOut":542}`...)
	default:
		b = append(b, `,"requestParameters":{"maxResults":1000,"filterSet":{"items":[{"name":"tag:\"team\"","valueSet":{"items":[{"value":"`+g.hex(8)+`"}]}}]}},"responseElements":null`...)
	}
	return g.tail(b, start, service+"."+region+".amazonaws.com", g.uuid())
}
