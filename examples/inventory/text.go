package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// plain makes text of others safe to print in one line of a terminal. Letters of
// scripts that are written from left to right, each in a cell of its own or two,
// stay as they are; all else (control characters, marks that pile up, invisible
// characters, right-to-left scripts and their switches, emoji of any width)
// becomes an escape that shows what it is.
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

// middle cuts plain text to n cells in the middle: names differ at their ends.
func middle(s string, n int) string {
	if cells(s) <= n || n < 3 {
		return fit(s, n)
	}
	tail, used := len(s), 0
	for tail > 0 {
		r, size := utf8.DecodeLastRuneInString(s[:tail])
		if used+cell(r) > (n-1)/2 {
			break
		}
		tail, used = tail-size, used+cell(r)
	}
	return fit(s, n-used) + s[tail:]
}

// pad fills plain text up to n cells.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

// wrap breaks prose into lines of at most n cells, all but the first indented.
func wrap(s string, n int) string {
	const indent = "  "
	var b strings.Builder
	used := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i == 0:
		case used+1+cells(word) > n:
			b.WriteString("\n" + indent)
			used = cells(indent)
		default:
			b.WriteString(" ")
			used++
		}
		b.WriteString(word)
		used += cells(word)
	}
	return b.String()
}
