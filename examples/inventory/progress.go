package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/kmsusage/usage"
)

// progress is a line on a terminal's standard error that is drawn over and over.
// Nil draws nothing.
type progress struct {
	w       io.Writer
	columns func() int
	now     func() time.Time
	targets int

	mu    sync.Mutex
	seen  map[string]usage.Progress // by account and Region
	drawn time.Time
	shown int // cells on the screen
}

const redraw = 100 * time.Millisecond

// newProgress is nil if stderr is no terminal to draw on, or a busy one.
func newProgress(stderr io.Writer, targets int, busy bool) *progress {
	if busy || !isTerminal(stderr) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	p := &progress{
		w: stderr, now: time.Now, targets: targets,
		columns: func() int { return columns(stderr) },
		seen:    map[string]usage.Progress{},
	}
	p.show("listing keys")
	return p
}

// update is for InspectOptions.Progress.
func (p *progress) update(u usage.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, u.Region) // from before the account was known
	p.seen[u.Account+u.Region] = u
	if now := p.now(); now.Sub(p.drawn) >= redraw {
		p.drawn = now
		p.show(fit(p.line(), p.columns()-1))
	}
}

// clear takes the line away.
func (p *progress) clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show("")
	p.write("\r")
}

func (p *progress) show(line string) {
	p.write("\r" + line + strings.Repeat(" ", max(0, min(p.shown, p.columns()-1)-cells(line))))
	p.shown = cells(line)
}

func (p *progress) write(s string) { _, _ = io.WriteString(p.w, s) }

// line sums the targets up. They are read at the same time: what is left is left
// of the slowest.
func (p *progress) line() string {
	var (
		sum  usage.Progress
		left time.Duration
		all  = len(p.seen) >= p.targets
	)
	for _, u := range p.seen {
		sum.Done += u.Done
		sum.Listed += u.Listed
		sum.Throttled += u.Throttled
		left = max(left, u.Left)
		all = all && u.Complete
	}
	if !all {
		return fmt.Sprintf("%d of %d keys so far, %d throttled", sum.Done, sum.Listed, sum.Throttled)
	}
	return fmt.Sprintf("%d of %s, %d throttled, about %v left", sum.Done, count(sum.Listed, "key"), sum.Throttled, left.Round(time.Second))
}
