package cloudtrail

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/internal/keyarn"
)

// TrailSource is the name of trails as a source.
const TrailSource = "cloudtrail-trails"

// Source is [TrailSource].
func (*Trails) Source() string { return TrailSource }

// Look returns the trails that encrypt their log files with the key of f, as
// dependents, and no coverage. It asks nobody. Log files stay under the key that
// was the trail's when they were delivered: which keys a trail had before, it
// does not know.
//
// An error says that a trail may need the key without being named: the trails
// could not be listed, or one names its key by an alias and those of f were not
// read.
func (t *Trails) Look(_ context.Context, f usage.Finding) (usage.Record, error) {
	r := usage.Record{Source: TrailSource}
	if t.Trails == nil {
		return r, t.notListed()
	}
	var open error
	for i := range t.Trails {
		switch tr := &t.Trails[i]; t.encryptsWith(tr, f) {
		case isTrailKey:
			r.Dependents = append(r.Dependents, tr.dependent(t.Account))
		case mayBeTrailKey:
			open = fmt.Errorf("cloudtrail: %s names its key %q, and the aliases of %s were not read", tr.label(t.Account), tr.Key, f.ARN)
		default:
		}
	}
	return r, open
}

type trailMatch int

const (
	isNotTrailKey trailMatch = iota
	isTrailKey
	mayBeTrailKey
)

// encryptsWith tells whether a trail's key is that of f. AWS answers with a key
// ARN; what it takes as well is understood as it takes it, in the account and
// the home Region of the trail. Members of a multi-Region set share their ID.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_CreateTrail.html
func (t *Trails) encryptsWith(tr *Trail, f usage.Finding) trailMatch {
	key := tr.Key
	if key == "" {
		return isNotTrailKey
	}
	p, _ := parseTrailARN(tr.ARN)
	account, region := cmp.Or(p.account, t.Account), cmp.Or(tr.HomeRegion, p.region, t.Region)
	if strings.HasPrefix(key, "arn:") {
		if _, ok := keyarn.Parse(key); ok {
			return trailKeyIf(key == f.ARN)
		}
		a := strings.SplitN(key, ":", 6)
		if len(a) != 6 || a[2] != "kms" {
			return isNotTrailKey
		}
		region, account, key = a[3], a[4], a[5]
	}
	if f.Account() != account || f.Region() != region {
		return isNotTrailKey
	}
	if !strings.HasPrefix(key, "alias/") {
		return trailKeyIf(key == f.KeyID())
	}
	_, short := f.Gap("ListAliases")
	switch {
	case slices.Contains(f.Aliases, key):
		return isTrailKey
	case short || f.Aliases == nil:
		return mayBeTrailKey
	default:
		return isNotTrailKey
	}
}

func trailKeyIf(ok bool) trailMatch {
	if ok {
		return isTrailKey
	}
	return isNotTrailKey
}

// dependent says what the trail needs the key for: "to read log files or digest
// files, […] a user must also have a policy or role applied that allows decrypt
// permissions by the KMS key policy."
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/encrypting-cloudtrail-log-files-with-aws-kms.html
func (t *Trail) dependent(account string) usage.Dependent {
	text := fmt.Sprintf("%s encrypts its log files in s3://%s with it", t.label(account), strings.Trim(t.Bucket+"/"+strings.Trim(t.Prefix, "/"), "/"))
	switch s := t.Status; {
	case s == nil:
		text += "; whether it is logging is not known"
	case s.Logging:
		text += "; it is logging"
	default:
		text += "; it is not logging"
		if !s.Stopped.IsZero() {
			text += " since " + trailStamp(s.Stopped)
		}
		text += ", but what it delivered before can be read with the key only"
	}
	return usage.Dependent{Service: trailSource, Resource: cmp.Or(t.ARN, t.Name), Text: text}
}
