package main

import (
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage"
)

func TestProgressIsOneLineDrawnOverAndOver(t *testing.T) {
	var out strings.Builder
	now := testNow
	p := &progress{w: &out, targets: 2, columns: func() int { return 50 }, now: func() time.Time { return now }, seen: map[string]usage.Progress{}}
	shows := func(want string) {
		t.Helper()
		if got := strings.TrimRight(strings.TrimPrefix(out.String(), "\r"), " "); got != want {
			t.Errorf("the line is %q, want %q", got, want)
		}
		out.Reset()
		now = now.Add(time.Second)
	}
	p.update(usage.Progress{Account: "1", Region: "a", Listed: 100, Done: 3, Complete: true, Left: 20 * time.Second})
	shows("3 of 100 keys so far, 0 throttled") // the other target has not said anything
	p.update(usage.Progress{Account: "1", Region: "b", Listed: 50, Done: 1, Throttled: 2})
	shows("4 of 150 keys so far, 2 throttled")
	p.update(usage.Progress{Account: "1", Region: "b", Listed: 60, Done: 2, Throttled: 2, Complete: true, Left: 90 * time.Second})
	shows("5 of 160 keys, 2 throttled, about 1m30s left")
	now = now.Add(-time.Second)
	p.update(usage.Progress{Account: "1", Region: "b", Listed: 60, Done: 3, Complete: true})
	shows("") // too soon after the last one
	p.columns = func() int { return 20 }
	p.update(usage.Progress{Account: "1", Region: "b", Listed: 60, Done: 9, Complete: true})
	shows("12 of 160 keys, 0 …")
	p.clear()
	if got := out.String(); got != "\r"+strings.Repeat(" ", 19)+"\r" {
		t.Errorf("cleared by %q", got)
	}
}

// A target whose account was not given says nothing of it before its first key.
func TestTheAccountMayBecomeKnownLater(t *testing.T) {
	var out strings.Builder
	p := &progress{w: &out, targets: 1, columns: func() int { return 50 }, now: time.Now, seen: map[string]usage.Progress{}}
	p.update(usage.Progress{Region: "a", Throttled: 1})
	p.update(usage.Progress{Account: "1", Region: "a", Listed: 10, Done: 2, Throttled: 1, Complete: true, Left: time.Second})
	if got, want := p.line(), "2 of 10 keys, 1 throttled, about 1s left"; got != want {
		t.Errorf("the line is %q, want %q", got, want)
	}
}

func TestThereIsNoProgressWithoutATerminal(t *testing.T) {
	var out strings.Builder
	p := newProgress(&out, 1, false)
	p.clear()
	if p != nil || out.Len() > 0 {
		t.Errorf("a progress line in a file: %q", out.String())
	}
}
