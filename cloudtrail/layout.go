package cloudtrail

import (
	"path"
	"strings"
	"time"
)

// place is what the path of a file or folder tells of its content.
//
//	prefix/AWSLogs/[o-organization/]account/CloudTrail/region/2026/03/01/
//	account_CloudTrail_region_20260301T2355Z_unique.json.gz
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
type place struct {
	account, region  string
	year, month, day int       // zero where the path does not say
	stamp            time.Time // of a file: when it was made; its events are older
	organization     bool      // delivered by the trail of an organization
	other            bool      // no management events: digests, insights …
	// tree is the folder that holds that of the account, or of the Region where
	// there is none: prefix/AWSLogs[/o-organization]. It is one trail's, unless two
	// deliver into one bucket under one prefix.
	tree    string
	flat    bool // only its name tells what a file is of
	foreign bool // in an account's folder, of another service than CloudTrail
}

// placed tells whether the account, the Region and the day are known.
func (p place) placed() bool { return p.account != "" && p.region != "" && !p.date().IsZero() }

// known tells whether a file's gap can be a blind spot: see [Gap].
func (p place) known() bool {
	return !p.foreign && (p.account != "" || p.region != "" || p.day != 0)
}

// delivery is what a file or folder is part of.
func (p place) delivery() delivery { return delivery{p.tree, area{p.account, p.region}} }

// otherKinds are delivered beside the log files of events. Network activity and
// insights would count a call twice.
var otherKinds = map[string]bool{
	"CloudTrail-Digest": true, "CloudTrail-Insight": true, "CloudTrail-NetworkActivity": true, "CloudTrail-Aggregated": true,
}

// otherServices deliver into the same folder of an account, with logs that are
// packed too: a bucket for all logs can hold far more of theirs.
var otherServices = map[string]bool{
	"Config": true, "elasticloadbalancing": true, "GuardDuty": true, "network-firewall": true, "redshift": true,
	"vpcdnsquerylogs": true, "vpcflowlogs": true, "WAFLogs": true,
}

func folderPlace(folder string) place {
	var p place
	segments := strings.Split(folder, "/")
	for i, s := range segments {
		before := ""
		if i > 0 {
			before = segments[i-1]
		}
		switch {
		case otherKinds[s], otherServices[s] && isAccount(before):
			p.other = true
		case s == "AWSLogs":
			p.tree = strings.Join(segments[:i+1], "/")
		case isOrganization(s):
			p.organization = true
			if before == "AWSLogs" {
				p.tree = strings.Join(segments[:i+1], "/")
			}
		case isAccount(s) && (before == "AWSLogs" || isOrganization(before) || i+1 < len(segments) && segments[i+1] == "CloudTrail"):
			p.account, p.tree = s, strings.Join(segments[:i], "/")
			p.foreign = i+1 < len(segments) && segments[i+1] != "CloudTrail"
		case s == "CloudTrail":
			rest := segments[i+1:]
			if len(rest) > 0 && isRegion(rest[0]) {
				if !isAccount(before) {
					p.tree = strings.Join(segments[:i], "/")
				}
				p.region = rest[0]
				p.year = part(rest, 1, 4)
				p.month = part(rest, 2, 2)
				p.day = part(rest, 3, 2)
				if p.month > 12 || p.day != 0 && (p.date().IsZero() || p.date().Day() != p.day) {
					p.year, p.month, p.day = 0, 0, 0 // no folder of CloudTrail
				}
			}
		}
	}
	return p
}

// part reads segment i as a number of so many digits; zero if it is none.
func part(segments []string, i, digits int) int {
	if i >= len(segments) || len(segments[i]) != digits {
		return 0
	}
	n := 0
	for _, c := range []byte(segments[i]) {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// filePlace adds what the name of a file tells to the place of its folder.
func filePlace(folder place, file string) place {
	p := folder
	f := strings.Split(path.Base(file), "_")
	if len(f) < 4 || !isAccount(f[0]) || !strings.HasPrefix(f[1], "CloudTrail") {
		return p
	}
	p.other = p.other || otherKinds[f[1]]
	if f[1] != "CloudTrail" {
		return p
	}
	t, err := time.Parse("20060102T1504Z", f[3])
	if err != nil || !isRegion(f[2]) {
		return p
	}
	if p.region == "" || p.foreign {
		p.flat, p.foreign = true, false
		p.tree = flatTree(path.Dir(file), f[0], f[2], t)
	}
	p.account, p.region = f[0], f[2]
	if p.day == 0 {
		p.year, p.month, p.day = t.Year(), int(t.Month()), t.Day()
	}
	// A time outside of the folder's day is believed of neither.
	if t.Truncate(oneDay).Equal(p.date()) {
		p.stamp = t
	}
	return p
}

// flatTree is the folder that files by name alone are divided in by account, Region
// and day, for those who copied them so: logs/us-west-2/2026/03/01, or
// logs/day=2026-03-01. It is the folder itself if its year is not in the path.
func flatTree(folder, account, region string, day time.Time) string {
	year := false
	for dir := folder; ; dir = path.Dir(dir) {
		_, s, ok := strings.Cut(path.Base(dir), "=")
		if !ok {
			s = path.Base(dir)
		}
		switch s {
		case day.Format("2006"), day.Format("2006-01-02"), day.Format("20060102"), day.Format("2006-01"), day.Format("200601"):
			year = true
		case day.Format("01"), day.Format("02"), account, region, "CloudTrail":
		default:
			if year {
				return dir
			}
			return folder
		}
	}
}

// isNamed tells whether a file is called as CloudTrail calls its log files, whatever
// follows.
func isNamed(file string) bool {
	f := strings.Split(path.Base(file), "_")
	return len(f) >= 4 && isAccount(f[0]) && f[1] == "CloudTrail" && isRegion(f[2])
}

// date is midnight of the day, zero if the path does not tell it.
func (p place) date() time.Time {
	if p.year == 0 || p.month == 0 || p.day == 0 {
		return time.Time{}
	}
	return time.Date(p.year, time.Month(p.month), p.day, 0, 0, 0, 0, time.UTC)
}

// span is what a folder can hold events of: a year, a month or a day, and the
// events of the day before that came late. It is false if the path tells no year.
func (p place) span() (from, to time.Time, ok bool) {
	if p.year == 0 {
		return from, to, false
	}
	switch {
	case p.month == 0:
		from = time.Date(p.year, 1, 1, 0, 0, 0, 0, time.UTC)
		to = from.AddDate(1, 0, 0)
	case p.day == 0:
		from = time.Date(p.year, time.Month(p.month), 1, 0, 0, 0, 0, time.UTC)
		to = from.AddDate(0, 1, 0)
	default:
		from = p.date()
		to = from.AddDate(0, 0, 1)
	}
	return from.AddDate(0, 0, -1), to, true
}

// isLog tells by its name whether a file can be a log file.
func isLog(file string) bool {
	switch strings.ToLower(path.Ext(file)) {
	case ".json", ".gz", ".jsonl", ".ndjson":
		return true
	}
	return false
}

func isAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isOrganization: "o-" and 10 to 32 lower-case letters or digits.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html
func isOrganization(s string) bool {
	return strings.HasPrefix(s, "o-") && len(s) >= 12 && len(s) <= 34 && strings.Trim(s[2:], "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// isRegion takes what looks like the name of a Region: us-east-1, us-gov-west-1.
func isRegion(s string) bool {
	return len(s) >= 8 && len(s) <= 30 && strings.Count(s, "-") >= 2 && s[len(s)-1] >= '0' && s[len(s)-1] <= '9' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
