package main

import (
	"io"
	"os"

	"golang.org/x/term"
)

// tableWidth is how wide lines are where there is no terminal to ask.
const tableWidth = 100

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// columns is how wide the terminal is.
func columns(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
	}
	return tableWidth
}

// screen is the width to lay lines out for: a table narrower than this says
// nothing, and longer lines are hard to read.
func screen(w io.Writer) int { return min(max(columns(w), 60), 160) }
