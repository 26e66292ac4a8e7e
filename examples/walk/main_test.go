package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
)

// Use, wait, inspect, disable, be refused, find the refusal: what is printed on
// the way, with nobody waiting for the quotas.
func TestTheWholeWay(t *testing.T) {
	want, err := os.ReadFile("testdata/walk.txt")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var got strings.Builder
		if err := newPlace().walk(t.Context(), &got); err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("it prints\n%s\nwant\n%s", got.String(), want)
		}
	})
}

func TestHelpAndArgumentsThatMakeNoSense(t *testing.T) {
	for name, tt := range map[string]struct {
		argv           []string
		code           int
		stdout, stderr string
	}{
		"-h is help":         {[]string{"-h"}, exitOK, help, ""},
		"an argument":        {[]string{"nonsense"}, exitUsage, "", "walk: unexpected argument \"nonsense\"; it takes none\nRun it with -h for help.\n"},
		"a flag it has not":  {[]string{"-x"}, exitUsage, "", "walk: flag provided but not defined: -x\nRun it with -h for help.\n"},
		"help that is wrong": {[]string{"help"}, exitUsage, "", "walk: unexpected argument \"help\"; it takes none\nRun it with -h for help.\n"},
	} {
		var out, errs strings.Builder
		if code := run(t.Context(), tt.argv, &out, &errs); code != tt.code || out.String() != tt.stdout || errs.String() != tt.stderr {
			t.Errorf("%s: %d\n%s\n%s", name, code, out.String(), errs.String())
		}
	}
}

func TestWhatCannotBePrintedIsAnError(t *testing.T) {
	full, w := io.Pipe()
	if err := full.CloseWithError(errors.New("no space left")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if err := newPlace().walk(t.Context(), w); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("%v", err)
		}
	})
}

func TestAContextIsPrintedInOrder(t *testing.T) {
	e := &usage.Event{At: time.Date(2026, time.March, 1, 2, 3, 4, 0, time.UTC), Operation: "Decrypt", Principal: "app"}
	if got := describe(e); got != "Decrypt at 2026-03-01 02:03 by app" {
		t.Error(got)
	}
	e.Context = map[string]string{"b": "2", "a": "1"}
	if got := describe(e); got != "Decrypt at 2026-03-01 02:03 by app with context a=1, b=2" {
		t.Error(got)
	}
}
