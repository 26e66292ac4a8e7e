package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"prod/payments-s3":         "prod/payments-s3",
		"Schlüssel für Zahlungen":  "Schlüssel für Zahlungen",
		"it’s – “quoted” …":        "it’s – “quoted” …",
		"支払いの鍵、請求":                 "支払いの鍵、請求",
		"결제 키":                     "결제 키",
		"ключ κλειδί":              "ключ κλειδί",
		"a\tb\r\nc\x00":            `a\tb\r\nc\x00`,
		"\x1b[31m\x7f":             `\x1b[31m\x7f`,
		"\u0085\u009b31m":          `\u0085\u009b31m`,
		"\u202egnp\u2066\u200f":    `\u202egnp\u2066\u200f`,
		"zero\u200bwidth\ufeff":    `zero\u200bwidth\ufeff`,
		"soft\u00adhyphen\u00a0":   `soft\u00adhyphen\u00a0`,
		"z\u0301\u0489":            `z\u0301\u0489`,
		"שלום":                     `\u05e9\u05dc\u05d5\u05dd`,
		"\U0001f600\u200d":         `\U0001f600\u200d`,
		"\u1160\u3164":             `\u1160\u3164`, // Hangul that takes no room, and a filler
		"broken \xff\xc3":          `broken \xff\xc3`,
		"\u2028\u2029\ufffd\ue000": `\u2028\u2029\ufffd\ue000`,
	} {
		if got := plain(in); got != want {
			t.Errorf("plain(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCutting(t *testing.T) {
	for _, c := range []struct {
		n                   int
		in, atEnd, inMiddle string
	}{
		{9, "alias/foo", "alias/foo", "alias/foo"},
		{8, "alias/foo", "alias/f…", "alia…foo"},
		{3, "alias/foo", "al…", "a…o"},
		{2, "alias/foo", "a…", "a…"},
		{1, "alias/foo", "…", "…"},
		{6, "漢字漢字", "漢字…", "漢…字"},
		{5, "漢字漢字", "漢字…", "漢…字"},
	} {
		if got := fit(c.in, c.n); got != c.atEnd {
			t.Errorf("fit(%q, %d) = %q, want %q", c.in, c.n, got, c.atEnd)
		}
		if got := middle(c.in, c.n); got != c.inMiddle {
			t.Errorf("middle(%q, %d) = %q, want %q", c.in, c.n, got, c.inMiddle)
		}
	}
}

func TestWrapping(t *testing.T) {
	if got, want := wrap("one two  three four", 9), "one two\n  three\n  four"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := wrap("", 9); got != "" {
		t.Errorf("got %q for nothing", got)
	}
}

func FuzzPlain(f *testing.F) {
	f.Add(hostile, 10)
	f.Add("漢字漢字", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		p := plain(s)
		if !utf8.ValidString(p) || strings.ContainsFunc(p, func(r rune) bool { return !harmless(r) }) {
			t.Fatalf("plain(%q) = %q", s, p)
		}
		if plain(p) != p {
			t.Fatalf("plain(%q) is not plain", p)
		}
		n = 1 + (n&0xff)%100
		for _, cut := range []string{fit(p, n), middle(p, n)} {
			if !utf8.ValidString(cut) || cells(cut) > n {
				t.Fatalf("%q cut to %d cells is %q", p, n, cut)
			}
		}
	})
}
