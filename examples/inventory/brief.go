package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/kmsusage/usage"
)

// inBrief tells of a hold in the few cells that a table has. The words of the
// library, which say more, and what would clear the hold are in -json.
func inBrief(h usage.Hold, a usage.Assessment) string {
	f, v := a.Finding, a.Verdict
	s := strings.TrimPrefix(h.Text, "its ")
	switch h.Code {
	case usage.Granted:
		s = "grants: " + grantees(f)
	case usage.RecentGrant:
		s = "new grants: " + grantees(f)
	case usage.BeingDeleted:
		if f.Metadata != nil && !f.Metadata.DeletionDate.IsZero() {
			s = "to be deleted " + date(f.Metadata.DeletionDate)
		}
	case usage.NotRead:
		for op, call := range calls {
			s = strings.Replace(s, op, call, 1)
		}
	case usage.UsageUnknown:
		s = strings.Replace(s, "could not be read", "not read", 1)
	case usage.InUse:
		if v.LastUse != nil {
			s = lastUse(a)
		}
	case usage.TooNew:
		if f.LastUsage != nil {
			s = "too new: created " + date(f.LastUsage.Created)
		}
	case usage.PublicHalf:
		if h.Kind == usage.Advice {
			s = "save its public key"
		} else {
			s = "public key may be used outside KMS"
		}
	case usage.MaterialGone:
		s = "no key material"
	case usage.SwitchedOff:
		s = "disabled: silence is no proof"
	case usage.StoreOffline:
		if h.Kind == usage.Advice {
			s = "its store may be off"
		} else {
			s = "key store is disconnected"
		}
	case usage.MemberInUse:
		s = strings.Replace(h.Text, "another member of its set is", "set member", 1)
	case usage.MemberUnseen:
		s = strings.Replace(h.Text, "members of its set were not seen:", "not seen of its set:", 1)
	case usage.MemberHeld:
		if m := anARN.FindStringSubmatch(h.Text); m != nil {
			s = "set held by " + m[2]
		}
	case usage.FormerMember:
		s = "a replica may be gone"
	case usage.Reimport:
		s = "keep the key material"
	case usage.HandOver:
		s = strings.Replace(h.Text, "it is the primary of a set in use:", "primary of a set in use:", 1)
	default:
	}
	return plain(shorten(s, f.Account()))
}

// silence is the evidence that a key is quiet.
func silence(a usage.Assessment) string {
	lu := a.Finding.LastUsage
	switch {
	case a.Verdict.LastUse != nil:
		return lastUse(a)
	case lu == nil:
		return ""
	case a.Verdict.Since == usage.SinceTrackingStart:
		return "no use since " + date(lu.TrackingStart)
	default:
		return "created " + date(lu.Created)
	}
}

func lastUse(a usage.Assessment) string {
	u := a.Verdict.LastUse
	op := string(u.Operation)
	if op == "" {
		op = "use"
	}
	if who := user(a); who != "" { // says more than the operation
		return fmt.Sprintf("last use %s by %s", date(u.At), plain(who))
	}
	return fmt.Sprintf("last %s %s", plain(op), date(u.At))
}

func date(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// grantees names the first grantee and how many more there are.
func grantees(f usage.Finding) string {
	var names []string
	seen := map[string]bool{}
	for _, g := range f.Grants {
		name := g.Grantee
		if name == "" {
			name = g.GranteeService
		}
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "nobody named"
	case 1:
		return names[0]
	default:
		return fmt.Sprintf("%s, %d more", names[0], len(names)-1)
	}
}

var (
	anARN     = regexp.MustCompile(`arn:[a-z-]+:([a-z0-9-]+):([a-z0-9-]*):([0-9]*):([^\s,]+)`)
	aService  = regexp.MustCompile(`\b([a-z0-9-]+)(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?\b`)
	ec2Attach = "assumed-role/aws:ec2-infrastructure/" // as whom EC2 attaches a volume; an instance follows
)

// shorten cuts the ARNs in a text down to what tells them apart here: a key's
// Region, a principal's name with the account unless it is the key's own. Of a
// service principal the service stays.
func shorten(text, account string) string {
	text = anARN.ReplaceAllStringFunc(text, func(s string) string {
		m := anARN.FindStringSubmatch(s)
		service, region, owner, resource := m[1], m[2], m[3], m[4]
		resource = strings.Replace(resource, ec2Attach, "ec2 ", 1)
		switch {
		case service == "kms" && region != "":
			return region
		case service != "iam" && service != "sts":
			return service + ":" + resource
		case owner != "" && owner != account:
			return owner + ":" + resource
		default:
			return resource
		}
	})
	return aService.ReplaceAllString(text, "$1")
}
