package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/kmsusage/usage/cloudtrail"
)

// progress is a line on a terminal that tells how far the scan has come.
type progress struct {
	w    io.Writer
	last time.Time
}

// newProgress is nil, which tells nobody, unless w is a terminal.
func newProgress(w io.Writer) *progress {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return &progress{w: w}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// option is an option function of cloudtrail.Scan.
func (p *progress) option(o *cloudtrail.ScanOptions) {
	if p != nil {
		o.Progress = p.update
	}
}

func (p *progress) update(s cloudtrail.ScanProgress) {
	if now := time.Now(); now.Sub(p.last) > 100*time.Millisecond {
		p.last = now
		tell(p.w, fmt.Sprintf("\r\x1b[Kday %d of %d, %s, %d MB, %s of KMS", s.DaysDone, s.Days, count(s.FilesDone, "file"), s.Bytes/1e6, count(s.KMS, "record")))
	}
}

func (p *progress) clear() {
	if p != nil {
		tell(p.w, "\r\x1b[K")
	}
}
