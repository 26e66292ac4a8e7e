package kmsfake

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Company describes a population of keys: see [Populate].
type Company struct {
	// Seed decides everything by chance. The same company, on servers of the same
	// configuration at the same time, is the same to the last grant.
	Seed uint64
	// Accounts of the company. Empty: 111122223333 alone.
	Accounts []string
	// Regions it works in; the first is the one it uses most. Empty: us-east-1
	// and eu-west-1.
	Regions []string
	// Keys is the number of customer managed keys in all accounts and Regions,
	// replicas included. Zero: 1000. AWS managed keys come on top.
	Keys int
}

// Populate puts the keys of a believable company into the server and returns
// their ARNs, sorted. There are keys of every spec but SM2, of every origin and of
// every state but the passing ones, Creating and Updating; names, aliases, tags, policies and grants as people and AWS services make them; keys
// busy today and keys not used for half a year; keys never used; and old ones
// whose last use, if any, was before KMS began to track. Dates end at the
// server's present.
//
// It panics if an account or Region is impossible, or if the company was put in
// before.
func Populate(srv *Server, c Company) []string {
	if len(c.Accounts) == 0 {
		c.Accounts = []string{"111122223333"}
	}
	if len(c.Regions) == 0 {
		c.Regions = []string{"us-east-1", "eu-west-1"}
	}
	if c.Keys == 0 {
		c.Keys = 1000
	}
	p := &populator{
		Company: c,
		srv:     srv,
		now:     srv.now().Truncate(time.Second),
		rng:     rand.New(rand.NewPCG(c.Seed, 0x6b6d7366616b65)), // #nosec G404 -- reproducible, not secret
		names:   map[string]bool{},
	}
	for _, account := range c.Accounts {
		for _, region := range c.Regions {
			p.managedKeys(account, region)
		}
	}
	for p.made < c.Keys {
		p.customerKey()
	}
	slices.Sort(p.arns)
	return p.arns
}

// populator makes one company.
type populator struct {
	Company
	srv   *Server
	now   time.Time
	rng   *rand.Rand
	names map[string]bool // aliases taken, with account and Region
	arns  []string
	made  int // customer managed keys
}

// chance is true in so many of a thousand cases.
func (p *populator) chance(perMille int) bool { return p.rng.IntN(1000) < perMille }

func pick[T any](p *populator, of []T) T { return of[p.rng.IntN(len(of))] }

// weighted is a choice with its weight.
type weighted[T any] struct {
	weight int
	value  T
}

func choose[T any](p *populator, of []weighted[T]) T {
	sum := 0
	for _, w := range of {
		sum += w.weight
	}
	n := p.rng.IntN(sum)
	for _, w := range of {
		if n -= w.weight; n < 0 {
			return w.value
		}
	}
	panic("kmsfake: no choice")
}

func (p *populator) hex(n int) string {
	const digits = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = digits[p.rng.IntN(16)]
	}
	return string(b)
}

func (p *populator) uuid() string {
	return p.hex(8) + "-" + p.hex(4) + "-4" + p.hex(3) + "-" + string("89ab"[p.rng.IntN(4)]) + p.hex(3) + "-" + p.hex(12)
}

// ago is a time in the past, between two durations before now.
func (p *populator) ago(least, most time.Duration) time.Time {
	return p.now.Add(-least - time.Duration(p.rng.Int64N(int64(most-least)+1))).Truncate(time.Millisecond)
}

// The vocabulary of the company.
var (
	apps = []string{
		"payments", "checkout", "ledger", "invoicing", "catalog", "search", "inventory", "orders", "shipping", "pricing",
		"identity", "profile", "notifications", "mailer", "analytics", "reporting", "warehouse", "datalake", "risk", "fraud",
		"support", "billing", "subscriptions", "media", "content", "feature-flags", "gateway", "audit", "compliance", "telemetry",
	}
	teams        = []string{"platform", "payments", "storefront", "data", "security", "growth", "logistics", "finance", "sre", "mobile"}
	environments = []weighted[string]{{45, "prod"}, {20, "staging"}, {25, "dev"}, {10, "sandbox"}}
	managed      = []string{"s3", "ebs", "rds", "secretsmanager", "ssm", "lambda", "dynamodb", "sns", "sqs", "backup", "elasticfilesystem", "kinesis"}
	predefined   = []string{"workspaces", "redshift", "codecommit"}
)

// oldest is when the company began.
var oldest = time.Date(2016, time.March, 1, 9, 0, 0, 0, time.UTC)

// created is a creation date since 2016, more of them late than early.
func (p *populator) created() time.Time {
	span := max(p.now.Sub(oldest), 10*365*day)
	f := p.rng.Float64()
	return p.now.Add(-time.Duration(f * f * float64(span))).Truncate(time.Millisecond)
}

// managedKeys makes the AWS managed keys of an account and Region.
func (p *populator) managedKeys(account, region string) {
	n := 4 + p.rng.IntN(len(managed)-3)
	for _, service := range managed[:n] {
		created := p.created()
		p.add(Key{
			Account: account, Region: region, ID: p.uuid(), Manager: types.KeyManagerTypeAws,
			Created: created, Description: managedDescription(service), Aliases: []string{"aws/" + service},
			LastUsed: p.lastUsed(created), LastOperation: "GenerateDataKey",
		})
	}
	for _, service := range predefined {
		if err := p.srv.AddPredefinedAlias(account, region, "aws/"+service); err != nil {
			panic(err)
		}
	}
}

// add puts the key in and keeps its ARNs.
func (p *populator) add(k Key) string {
	arn := p.srv.MustAddKey(k)
	p.arns = append(p.arns, arn)
	for _, region := range k.ReplicaRegions {
		p.arns = append(p.arns, InRegion(arn, region))
	}
	return arn
}

// kind is a sort of key that the company has.
type kind int

const (
	plain kind = iota
	multiRegion
	imported
	cloudHSM
	external
	hmacKey
	rsaEncryption
	rsaSigning
	eccSigning
	edwards
	secp256k1
	agreement
	latticeSigning
	latticeExchange
)

var kinds = []weighted[kind]{
	{780, plain},
	{50, multiRegion},
	{25, imported},
	{10, cloudHSM},
	{6, external},
	{40, hmacKey},
	{15, rsaEncryption},
	{30, rsaSigning},
	{20, eccSigning},
	{4, edwards},
	{4, secp256k1},
	{6, agreement},
	{6, latticeSigning},
	{4, latticeExchange},
}

// customerKey makes one key, or one multi-Region set.
func (p *populator) customerKey() {
	account := pick(p, p.Accounts)
	region := p.Regions[0]
	if p.chance(400) {
		region = pick(p, p.Regions)
	}
	env, app, team := choose(p, environments), pick(p, apps), pick(p, teams)
	k := Key{Account: account, Region: region, ID: p.uuid(), Created: p.created()}
	purpose := p.shape(&k, choose(p, kinds))
	p.state(&k)
	p.name(&k, env, app, purpose)
	p.label(&k, env, app, team)
	k.LastUsed = p.lastUsed(k.Created)
	idle := p.ago(8*day, 200*day)
	off := k.State != types.KeyStateEnabled // then it has been out of use for a while
	if off && k.LastUsed.After(idle) {
		k.LastUsed = time.Time{}
		if idle.After(k.Created) {
			k.LastUsed = idle
		}
	}
	p.dependents(&k, env, app, purpose)
	arn := p.add(k)
	p.made += 1 + len(k.ReplicaRegions)
	for _, r := range k.ReplicaRegions {
		if used := p.lastUsed(k.Created); !used.IsZero() && p.chance(600) && (!off || !used.After(idle)) {
			if err := p.srv.Use(InRegion(arn, r), "Decrypt", used); err != nil {
				panic(err)
			}
		}
	}
}

// shape gives the key its spec and origin and tells what it is for.
func (p *populator) shape(k *Key, of kind) (purpose string) {
	switch of {
	case multiRegion:
		others := slices.DeleteFunc(slices.Clone(p.Regions), func(r string) bool {
			return r == k.Region || partition(r) != partition(k.Region)
		})
		room := p.Keys - p.made - 1
		if len(others) == 0 || room < 1 {
			break
		}
		p.rng.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
		k.MultiRegion, k.ID = true, "mrk-"+p.hex(32)
		k.ReplicaRegions = others[:1+p.rng.IntN(min(2, len(others), room))]
		return "global"
	case imported:
		k.Origin = types.OriginTypeExternal
		if p.chance(400) {
			k.ValidTo = p.now.Add(time.Duration(10+p.rng.IntN(700)) * day)
		}
		return "byok"
	case cloudHSM, external:
		k.Origin, k.CustomKeyStoreID = types.OriginTypeAwsCloudhsm, "cks-"+hexOf(k.Account+k.Region+"hsm", 17)
		if of == external {
			k.Origin, k.CustomKeyStoreID = types.OriginTypeExternalKeyStore, "cks-"+hexOf(k.Account+k.Region+"xks", 17)
			k.XksKeyID = "hyok-" + p.hex(12)
		}
		return "hsm"
	case hmacKey:
		k.Spec = pick(p, []types.KeySpec{types.KeySpecHmac256, types.KeySpecHmac256, types.KeySpecHmac384, types.KeySpecHmac512, types.KeySpecHmac224})
		return "token-mac"
	case rsaEncryption:
		k.Spec, k.Usage = pick(p, []types.KeySpec{types.KeySpecRsa2048, types.KeySpecRsa3072, types.KeySpecRsa4096}), types.KeyUsageTypeEncryptDecrypt
		return "partner-encryption"
	case rsaSigning:
		k.Spec, k.Usage = pick(p, []types.KeySpec{types.KeySpecRsa2048, types.KeySpecRsa4096}), types.KeyUsageTypeSignVerify
		return "jwt-signing"
	case eccSigning:
		k.Spec, k.Usage = pick(p, []types.KeySpec{types.KeySpecEccNistP256, types.KeySpecEccNistP384, types.KeySpecEccNistP521}), types.KeyUsageTypeSignVerify
		return "code-signing"
	case edwards:
		k.Spec = types.KeySpecEccNistEdwards25519
		return "release-signing"
	case secp256k1:
		k.Spec = types.KeySpecEccSecgP256k1
		return "wallet"
	case agreement:
		k.Spec, k.Usage = types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement
		return "session"
	case latticeSigning:
		k.Spec = pick(p, []types.KeySpec{types.KeySpecMlDsa44, types.KeySpecMlDsa65, types.KeySpecMlDsa87})
		return "firmware-signing"
	case latticeExchange:
		k.Spec = pick(p, []types.KeySpec{types.KeySpecMlKem512, types.KeySpecMlKem768, types.KeySpecMlKem1024})
		return "pq-exchange"
	case plain:
	}
	if p.chance(450) {
		k.RotationEnabled = true
		for at := k.Created.AddDate(1, 0, 0); at.Before(p.now); at = at.AddDate(1, 0, 0) {
			k.Rotations = append(k.Rotations, at)
		}
	}
	return pick(p, []string{"s3", "s3", "ebs", "ebs", "rds", "dynamodb", "secrets", "logs", "sqs", "sns", "ecr", "backup", "app", "app", "lambda", "trail"})
}

// hexOf derives n hexadecimal digits from a name.
func hexOf(name string, n int) string {
	return fmt.Sprintf("%x", expand([]byte(name), "populate", n))[:n]
}

// state puts some keys out of use.
func (p *populator) state(k *Key) {
	k.State = choose(p, []weighted[types.KeyState]{{880, types.KeyStateEnabled}, {75, types.KeyStateDisabled}, {45, types.KeyStatePendingDeletion}})
	switch {
	case k.State == types.KeyStatePendingDeletion && k.MultiRegion:
		// A primary with replicas has no date yet.
		k.State, k.PendingWindowInDays = types.KeyStatePendingReplicaDeletion, 30
	case k.State == types.KeyStatePendingDeletion:
		k.PendingWindowInDays = pick(p, []int32{7, 14, 30, 30, 30})
		k.DeletionDate = p.now.Add(time.Duration(1+p.rng.IntN(int(k.PendingWindowInDays)*24-1)) * time.Hour)
	case k.State == types.KeyStateEnabled && k.Origin == types.OriginTypeExternal && p.chance(250):
		k.State, k.ValidTo = types.KeyStatePendingImport, time.Time{}
	case k.State == types.KeyStateEnabled && k.CustomKeyStoreID != "" && p.chance(200):
		k.State = types.KeyStateUnavailable
	}
}

// name gives the key a description and aliases.
func (p *populator) name(k *Key, env, app, purpose string) {
	if p.chance(800) {
		k.Description = pick(p, []string{
			fmt.Sprintf("%s key for %s (%s)", purpose, app, env),
			fmt.Sprintf("CMK for the %s service", app),
			fmt.Sprintf("%s-%s-%s", env, app, purpose),
			fmt.Sprintf("Encrypts %s data of %s", purpose, app),
		})
	}
	count := choose(p, []weighted[int]{{120, 0}, {830, 1}, {50, 2}})
	for range count {
		base := pick(p, []string{env + "/" + app + "-" + purpose, env + "-" + app + "-" + purpose, app + "/" + env + "/" + purpose})
		name := base
		for i := 2; p.names[k.Account+k.Region+name]; i++ {
			name = fmt.Sprintf("%s-%d", base, i)
		}
		p.names[k.Account+k.Region+name] = true
		k.Aliases = append(k.Aliases, name)
	}
}

// label gives the key tags, of whoever made it.
func (p *populator) label(k *Key, env, app, team string) {
	if p.chance(150) {
		return
	}
	k.Tags = map[string]string{"Environment": env, "Team": team}
	if p.chance(600) {
		k.Tags["Owner"] = team + "@example.com"
	}
	if p.chance(500) {
		k.Tags["CostCenter"] = fmt.Sprintf("CC-%04d", 1000+p.rng.IntN(60))
	}
	if p.chance(700) {
		k.Tags["Application"] = app
	}
	switch {
	case p.chance(300):
		stack := env + "-" + app
		k.Tags["aws:cloudformation:stack-name"] = stack
		k.Tags["aws:cloudformation:logical-id"] = "Key" + strings.ToUpper(p.hex(8))
		k.Tags["aws:cloudformation:stack-id"] = fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/%s", partition(k.Region), k.Region, k.Account, stack, p.uuid())
	case p.chance(500):
		k.Tags["ManagedBy"] = "terraform"
	}
}

// lastUsed is the last use of a key, zero if it was never used. One before
// tracking began leaves no record.
func (p *populator) lastUsed(created time.Time) time.Time {
	at := choose(p, []weighted[time.Time]{
		{380, p.ago(time.Hour, 23*time.Hour)},
		{130, p.ago(1*day, 7*day)},
		{110, p.ago(8*day, 60*day)},
		{40, p.ago(61*day, 99*day)},
		{100, p.ago(100*day, 200*day)},
		{100, p.ago(400*day, 2000*day)},
		{140, time.Time{}},
	})
	if at.Before(created) {
		return time.Time{}
	}
	return at
}

// dependents gives the key the policy and the grants that its users leave.
func (p *populator) dependents(k *Key, env, app, purpose string) {
	var statements []string
	switch purpose {
	case "ebs":
		for range p.rng.IntN(4) {
			k.Grants = append(k.Grants, p.ebsGrant(k))
		}
	case "rds":
		if p.chance(800) {
			k.Grants = append(k.Grants, p.rdsGrant(k))
		}
		statements = append(statements, viaService(k, "rds"))
	case "dynamodb":
		for range p.rng.IntN(3) {
			k.Grants = append(k.Grants, p.dynamoGrant(k, env+"-"+app+"-"+p.hex(4)))
		}
	case "ecr":
		repository := env + "/" + app
		k.Grants = append(k.Grants, p.ecrGrant(k, repository), p.ecrGrant(k, repository))
	case "s3":
		if p.chance(400) {
			statements = append(statements, viaService(k, "s3"))
		}
		if p.chance(150) {
			statements = append(statements, otherAccount(k, pick(p, []string{"444455556666", "777788889999"})))
		}
	case "logs":
		statements = append(statements, logsStatement(k, "/"+env+"/"+app))
	case "trail":
		statements = append(statements, trailStatement(k, env+"-trail"))
	}
	if len(statements) > 0 {
		k.Policy = policyWith(k, statements)
	}
	for i := range k.Grants {
		k.Grants[i].ID = p.hex(64)
		// A grant is not older than its key.
		k.Grants[i].Created = k.Created.Add(time.Duration(p.rng.Int64N(int64(p.now.Sub(k.Created)) + 1))).Truncate(time.Second)
		if k.Grants[i].Created.Before(k.Created) {
			k.Grants[i].Created = k.Created
		}
	}
}

// ebsGrant is the grant by which EC2 decrypts a volume that it attaches.
//
// Source: https://docs.aws.amazon.com/kms/latest/developerguide/ct-ec2two.html
func (p *populator) ebsGrant(k *Key) Grant {
	return Grant{
		GranteePrincipal:        fmt.Sprintf("arn:%s:sts::%s:assumed-role/aws:ec2-infrastructure/i-%s", partition(k.Region), k.Account, "0"+p.hex(16)),
		RetiringPrincipal:       "ec2." + k.Region + ".amazonaws.com",
		Operations:              []types.GrantOperation{types.GrantOperationDecrypt},
		EncryptionContextSubset: map[string]string{"aws:ebs:id": "vol-0" + p.hex(16)},
	}
}

// rdsGrant lasts as long as its database instance. Its form, but for the
// encryption context, is a guess: AWS does not document it.
func (p *populator) rdsGrant(k *Key) Grant {
	return Grant{
		GranteePrincipal:  "rds." + k.Region + ".amazonaws.com",
		RetiringPrincipal: "rds." + k.Region + ".amazonaws.com",
		Operations: []types.GrantOperation{
			types.GrantOperationDecrypt, types.GrantOperationEncrypt, types.GrantOperationGenerateDataKey,
			types.GrantOperationReEncryptFrom, types.GrantOperationReEncryptTo, types.GrantOperationCreateGrant,
			types.GrantOperationRetireGrant, types.GrantOperationDescribeKey,
		},
		EncryptionContextSubset: map[string]string{"aws:rds:db-id": "db-" + strings.ToUpper(p.hex(26))},
	}
}

// dynamoGrant lasts as long as its table.
//
// Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
func (p *populator) dynamoGrant(k *Key, table string) Grant {
	return Grant{
		GranteePrincipal:  "dynamodb." + k.Region + ".amazonaws.com",
		RetiringPrincipal: "dynamodb." + k.Region + ".amazonaws.com",
		Operations: []types.GrantOperation{
			types.GrantOperationDescribeKey, types.GrantOperationGenerateDataKey, types.GrantOperationDecrypt,
			types.GrantOperationEncrypt, types.GrantOperationReEncryptFrom, types.GrantOperationReEncryptTo, types.GrantOperationRetireGrant,
		},
		EncryptionContextSubset: map[string]string{"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": k.Account},
	}
}

// ecrGrant is one of the two that a repository has.
//
// Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html
func (p *populator) ecrGrant(k *Key, repository string) Grant {
	return Grant{
		GranteePrincipal:        "ecr." + k.Region + ".amazonaws.com",
		RetiringPrincipal:       "ecr." + k.Region + ".amazonaws.com",
		Operations:              []types.GrantOperation{types.GrantOperationGenerateDataKey, types.GrantOperationDecrypt},
		EncryptionContextSubset: map[string]string{"aws:ecr:arn": fmt.Sprintf("arn:%s:ecr:%s:%s:repository/%s", partition(k.Region), k.Region, k.Account, repository)},
	}
}

// policyWith is the default policy with further statements.
func policyWith(k *Key, statements []string) string {
	text := DefaultPolicy(k.Account, k.Region)
	end := strings.LastIndex(text, " ]")
	return text[:end] + ", " + strings.Join(statements, ", ") + text[end:]
}

func viaService(k *Key, service string) string {
	return fmt.Sprintf(`{
    "Sid" : "Allow use through %[1]s",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "*" },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : { "StringEquals" : { "kms:CallerAccount" : "%[2]s", "kms:ViaService" : "%[1]s.%[3]s.amazonaws.com" } }
  }`, service, k.Account, k.Region)
}

func otherAccount(k *Key, account string) string {
	return fmt.Sprintf(`{
    "Sid" : "Allow use by another account",
    "Effect" : "Allow",
    "Principal" : { "AWS" : "%s" },
    "Action" : [ "kms:Decrypt", "kms:DescribeKey" ],
    "Resource" : "*"
  }`, rootARN(scope{account, k.Region}))
}

func logsStatement(k *Key, group string) string {
	return fmt.Sprintf(`{
    "Sid" : "Allow CloudWatch Logs",
    "Effect" : "Allow",
    "Principal" : { "Service" : "logs.%[2]s.amazonaws.com" },
    "Action" : [ "kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*" ],
    "Resource" : "*",
    "Condition" : { "ArnEquals" : { "kms:EncryptionContext:aws:logs:arn" : "arn:%[1]s:logs:%[2]s:%[3]s:log-group:%[4]s" } }
  }`, partition(k.Region), k.Region, k.Account, group)
}

func trailStatement(k *Key, trail string) string {
	arn := fmt.Sprintf("arn:%s:cloudtrail:%s:%s:trail/%s", partition(k.Region), k.Region, k.Account, trail)
	return fmt.Sprintf(`{
    "Sid" : "Allow CloudTrail to encrypt logs",
    "Effect" : "Allow",
    "Principal" : { "Service" : "cloudtrail.amazonaws.com" },
    "Action" : "kms:GenerateDataKey*",
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : { "aws:SourceArn" : "%[1]s" },
      "StringLike" : { "kms:EncryptionContext:aws:cloudtrail:arn" : "arn:%[2]s:cloudtrail:*:%[3]s:trail/*" }
    }
  }`, arn, partition(k.Region), k.Account)
}
