// Package keyarn takes KMS key ARNs apart.
package keyarn

import "strings"

// Parts of arn:partition:kms:region:account:key/id.
type Parts struct {
	Partition string // aws, aws-cn, aws-us-gov …
	Region    string
	Account   string // twelve digits
	ID        string // 1234abcd-… or mrk-…
}

// Parse reads a key ARN of any partition. It is false for anything else, alias
// ARNs included: an alias can be pointed at another key at any time.
func Parse(arn string) (Parts, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[2] != "kms" || f[1] == "" || f[3] == "" || f[4] == "" {
		return Parts{}, false
	}
	id, ok := strings.CutPrefix(f[5], "key/")
	if !ok || id == "" || strings.ContainsAny(id, ":/") {
		return Parts{}, false
	}
	return Parts{Partition: f[1], Region: f[3], Account: f[4], ID: id}, true
}

// Owner returns account and Region of any KMS ARN, an alias's for example; empty
// if it is none.
func Owner(arn string) (account, region string) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" || f[2] != "kms" {
		return "", ""
	}
	return f[4], f[3]
}

// MultiRegion tells whether a key ID belongs to a multi-Region key: such IDs,
// and only such, begin with mrk-.
// https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html
func MultiRegion(id string) bool { return strings.HasPrefix(id, "mrk-") }
