package main

import (
	"os"
	"strings"
	"testing"
	"testing/synctest"
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
