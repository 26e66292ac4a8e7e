package cloudtrail

import "time"

// parseTime reads the time of an event, in UTC: RFC 3339, in practice always
// 2026-03-01T12:00:00Z.
func parseTime(s []byte) (time.Time, bool) {
	if len(s) == len("2026-03-01T12:00:00Z") && s[4] == '-' && s[7] == '-' && s[10] == 'T' && s[13] == ':' && s[16] == ':' && s[19] == 'Z' {
		year, month, day := two(s, 0)*100+two(s, 2), two(s, 5), two(s, 8)
		hour, minute, second := two(s, 11), two(s, 14), two(s, 17)
		// Days that not every month has are left to time.Parse.
		if year >= 1970 && month >= 1 && month <= 12 && day >= 1 && day <= 28 &&
			hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59 && second >= 0 && second <= 59 {
			return time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC), true
		}
	}
	t, err := time.Parse(time.RFC3339, string(s))
	if err != nil || t.IsZero() {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// two reads two digits; a large negative number if they are none.
func two(s []byte, i int) int {
	hi, lo := s[i]-'0', s[i+1]-'0'
	if hi > 9 || lo > 9 {
		return -1 << 20
	}
	return int(hi)*10 + int(lo)
}
