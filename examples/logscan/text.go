package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// plain makes text of others safe to print in one line of a terminal: whoever can
// call KMS can write into its log. Letters of scripts that are written from left to
// right stay as they are; control characters, marks that pile up, invisible ones,
// right-to-left scripts and their switches become escapes that show what they are.
func plain(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[0]), 16))
		case harmless(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		}
		s = s[n:]
	}
	return b.String()
}

func harmless(r rune) bool {
	switch {
	case r < 0x80:
		return r >= ' ' && r < 0x7f
	case r <= 0xff:
		return r > 0xa0 && r != 0xad // not the C1 controls and the soft hyphen
	case r >= 0x2010 && r <= 0x2027, // dashes, quotation marks, the ellipsis
		r >= 0x3001 && r <= 0x3011, r == 0x30fc, // East Asian punctuation
		r >= 0xac00 && r <= 0xd7a3: // Hangul in syllables
		return true
	}
	return unicode.IsLetter(r) &&
		unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// cells is how wide plain text is in a terminal.
func cells(s string) int {
	n := 0
	for _, r := range s {
		n += cell(r)
	}
	return n
}

func cell(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

// fit cuts plain text to n cells; what is cut ends in an ellipsis.
func fit(s string, n int) string {
	if cells(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		if used+cell(r) > n-1 {
			return s[:i] + "…"
		}
		used += cell(r)
	}
	return s
}

// pad fills plain text up to n cells.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

// count says "1 key", "2 keys".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
