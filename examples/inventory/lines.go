package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"unicode"
	"unicode/utf16"

	"github.com/kmsusage/usage"
)

// printLines prints every assessment as soon as it is made, one JSON object a
// line, and returns what went wrong.
func printLines(w io.Writer, bar *progress, findings iter.Seq2[usage.Finding, error], p usage.Policy) []error {
	defer bar.clear()
	var errs []error
	for a, err := range usage.AssessSeq(findings, p) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		line, err := json.Marshal(a)
		if err == nil {
			_, err = w.Write(append(visible(line), '\n'))
		}
		if err != nil {
			return append(errs, fmt.Errorf("cannot print %s: %w", a.Finding.ARN, err))
		}
	}
	return errs
}

// visible escapes what the encoder leaves as it is and a terminal might act
// upon. JSON has such characters in strings only, where an escape means the same.
func visible(line []byte) []byte {
	out := make([]byte, 0, len(line)+1)
	for _, r := range string(line) {
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			out = append(out, string(r)...)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
