package cloudtrail

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// escapedRecord is a legal record of another service whose texts hold, escaped,
// what is given: a quote turns strings inside out for who counts quotes.
func escapedRecord(text string) string {
	pad := strings.Repeat(`"k":"v",`, 30)
	return `{"eventSource":"ec2.amazonaws.com","a":{"x":"` + text + `"},"b":{` + pad + `"x":1},"c":{` + pad + `"x":["` + text + `"]},"d":{` + pad + `"x":{"y":"` + text + `"}}}`
}

// escapedTexts are what counting quotes and brackets stumbles over.
var escapedTexts = []struct{ name, text string }{
	{"nothing", `abcd`},
	{"two-quotes", `ab\"cd\"`},
	{"a-quote", `ab\"cd`},
	{"a-quote-and-an-end", `ab\"}]cd`},
	{"a-beginning-in-quotes", `\"{[\"`},
	{"a-beginning", `\"{[`},
	{"a-backslash", `ab\\`},
}

// Of the same text, but for what is escaped in it, none may take out of proportion
// longer: before, each value was followed to the end of what had been read.
func TestEscapedQuotesDoNotMakeAScanOutOfProportion(t *testing.T) {
	took := func(text string) time.Duration {
		b := []byte(strings.Repeat(escapedRecord(text)+",", 1200))
		best := time.Hour
		for range 3 {
			before := time.Now()
			var r record
			for rest := b; len(rest) > 0; {
				n := r.scan(rest)
				if n < 0 {
					t.Fatalf("%s: %d", text, n)
				}
				rest = rest[n+1:]
			}
			best = min(best, time.Since(before))
		}
		return best
	}
	plain := took(escapedTexts[0].text)
	for _, e := range escapedTexts[1:] {
		if d := took(e.text); d > 50*plain {
			t.Errorf("%s: %v, and %v where nothing is escaped", e.name, d, plain)
		}
	}
}

func TestAValueEndsWhereItEndsWhateverIsEscapedInIt(t *testing.T) {
	for _, e := range escapedTexts {
		for _, pad := range []int{0, 100, 200, 5000} {
			for _, value := range []string{`{"x":"%s","p":"%s"}`, `["%s",{"p":"%s"}]`, `{"p":[{},"%s",[]],"x":"%s"}`} {
				v := fmt.Sprintf(value, strings.Repeat("p", pad), e.text)
				if got := nestedEnd([]byte(v+`,"z":{"y":"}]"}}`+strings.Repeat(v, 3)), 0); got != len(v) {
					t.Errorf("%s, %d bytes before: ends at %d, not %d: %s", e.name, pad, got, len(v), v)
				}
			}
		}
	}
}

// BenchmarkEscaped walks over records in whose texts quotes and brackets are
// escaped.
func BenchmarkEscaped(b *testing.B) {
	for _, e := range escapedTexts {
		b.Run(e.name, func(b *testing.B) {
			data := []byte(strings.Repeat(escapedRecord(e.text)+",", 1200))
			b.SetBytes(int64(len(data)))
			b.ResetTimer()
			for range b.N {
				var r record
				for rest := data; len(rest) > 0; {
					n := r.scan(rest[:min(len(rest), firstBuffer)])
					if n < 0 {
						b.Fatal(n)
					}
					rest = rest[n+1:]
				}
			}
		})
	}
}
