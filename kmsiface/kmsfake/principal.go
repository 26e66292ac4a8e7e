package kmsfake

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// adminPrefix begins the access key ID of an account's administrator; the
// twelve digits of the account follow.
const adminPrefix = "AKIA0000"

// Credentials returns the credentials of the administrator of the account, a
// role session named Admin/kmsfake. The server knows the administrator of every
// account without being told. It panics unless account has twelve digits.
func Credentials(account string) aws.CredentialsProvider {
	if !isAccount(account) {
		panic(fmt.Sprintf("kmsfake: %q is not an account ID of twelve digits", account))
	}
	return CredentialsFor(adminPrefix + account)
}

// CredentialsFor returns credentials with the access key ID given, for a
// principal made known by [Server.AddPrincipal].
func CredentialsFor(accessKeyID string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: accessKeyID, SecretAccessKey: "kmsfake", Source: "kmsfake"}, nil
	})
}

// principal is who calls.
type principal struct {
	account   string
	arn       string
	accessKey string
	Caller
}

// Caller says how a principal calls: see [Server.AddPrincipal] and [Server.Use].
// It shows in CloudTrail only.
type Caller struct {
	// InvokedBy is the AWS service that makes the calls on behalf of the
	// principal, for example secretsmanager.amazonaws.com. Empty: the principal
	// calls itself.
	InvokedBy string
	// SourceIP is where the calls come from. Empty: the name of the service, or
	// 192.0.2.1 if the principal calls itself.
	SourceIP string
}

// AddPrincipal makes an access key ID known as that of a principal: an IAM user,
// a role, or an assumed-role session. The account is the ARN's. Within its own
// account a principal may do everything that [Server.Deny] does not forbid, for
// IAM policies are not modeled; in other accounts it may do what a key policy or
// a grant allows.
//
// The option functions say how it calls, for example through a service. Added
// again, an access key ID is that of the new principal from then on.
func (s *Server) AddPrincipal(accessKeyID, arn string, optFns ...func(*Caller)) error {
	account, ok := accountOf(arn)
	if accessKeyID == "" || !ok {
		return fmt.Errorf("kmsfake: not a principal: access key %q, ARN %q", accessKeyID, arn)
	}
	p := principal{account: account, arn: arn, accessKey: accessKeyID}
	for _, fn := range optFns {
		fn(&p.Caller)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.principals[accessKeyID] = p
	return nil
}

// accountOf returns the account of a principal.
func accountOf(arn string) (account string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !isAccount(parts[4]) {
		return "", false
	}
	return parts[4], true
}

// adminOf is the administrator of an account, whose ARN depends on the partition.
func adminOf(account, region string) principal {
	return principal{
		account: account, arn: "arn:" + partition(region) + ":sts::" + account + ":assumed-role/Admin/kmsfake", accessKey: adminPrefix + account,
	}
}

// identify reads the caller and the Region from the credential scope of the
// Signature Version 4 header. The signature itself is not checked.
func (s *Server) identify(authorization string, svc *service) (principal, string, *apiError) {
	if authorization == "" {
		return principal{}, "", fail(codeMissingToken, "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(authorization, "AWS4-HMAC-SHA256 ")
	var credential string
	for part := range strings.SplitSeq(rest, ",") {
		if c, found := strings.CutPrefix(strings.TrimSpace(part), "Credential="); found {
			credential = c
		}
	}
	scope := strings.Split(credential, "/")
	if !ok || len(scope) != 5 || scope[4] != "aws4_request" {
		return principal{}, "", fail(codeInvalidSigV4, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term")
	}
	id, region := scope[0], scope[2]
	if scope[3] != svc.name {
		return principal{}, "", fail(codeInvalidSigV4, "Credential should be scoped to correct service: '%s'.", svc.name)
	}
	s.mu.RLock()
	p, known := s.principals[id]
	s.mu.RUnlock()
	if !known {
		account, admin := strings.CutPrefix(id, adminPrefix)
		if !admin || !isAccount(account) {
			return principal{}, "", fail(codeUnrecognizedClient, "The security token included in the request is invalid.")
		}
		p = adminOf(account, region)
	}
	return p, region, nil
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// partition returns the AWS partition a Region belongs to.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "us-iso-"):
		return "aws-iso"
	case strings.HasPrefix(region, "us-isob-"):
		return "aws-iso-b"
	case strings.HasPrefix(region, "eu-isoe-"):
		return "aws-iso-e"
	case strings.HasPrefix(region, "us-isof-"):
		return "aws-iso-f"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}
