// Command mutants checks that the tests guard every rule of judgment: it breaks
// one rule at a time, deliberately, and expects a test to fail.
//
//	go run ./internal/mutants            all of them, two at a time
//	go run ./internal/mutants -only lag  those whose name contains "lag"
//	go run ./internal/mutants -fleets    by the random fleets alone
//
// Nothing in the tree is changed: the compiler reads each broken file in place
// of the true one (go build -overlay). Besides the rules only their own tests are
// compiled. The exit status is 1 if a mutant survives or proves nothing, because
// its text is not there or what it makes does not compile.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// mutant is one rule broken.
type mutant struct {
	name string // what is broken, as a sentence
	file string // in the root of the module
	old  string // occurs in it exactly once
	new  string
}

// A suite is test files in the root that guard the rules, other tests left out.
type suite struct {
	files []string
	args  []string // of the test binary
}

// The tables are asked first, the random fleets only about what they let through.
var (
	tables = suite{files: []string{"assess_test.go", "classify_test.go", "retire_test.go", "set_test.go"}}
	fleets = suite{files: append([]string{"property_test.go"}, tables.files...), args: []string{"-test.run=^TestFleets"}}
)

func main() {
	workers := flag.Int("j", 2, "mutants to try at a time")
	only := flag.String("only", "", "try those whose name contains this")
	byFleets := flag.Bool("fleets", false, "ask the random fleets alone")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r := &runner{suites: []suite{tables, fleets}}
	if *byFleets {
		r.suites = []suite{fleets}
	}
	ok, err := r.run(ctx, *only, max(1, *workers))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
	}
	if !ok || err != nil {
		os.Exit(1)
	}
}

type runner struct {
	suites []suite // the quickest first
	root   string  // of the module
	temp   string  // for what is built
}

// outcome is what became of one mutant.
type outcome struct {
	killer string // the test that failed
	err    error  // it proves nothing
	took   time.Duration
}

func (o outcome) String() string {
	switch {
	case o.err != nil:
		return "PROVES NOTHING: " + o.err.Error()
	case o.killer == "":
		return "SURVIVED"
	default:
		return "killed by " + o.killer
	}
}

func (r *runner) run(ctx context.Context, only string, workers int) (ok bool, err error) {
	began := time.Now()
	if err := r.prepare(); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.temp)) }()

	if o := r.try(ctx, "unbroken", map[string]string{}); o.err != nil || o.killer != "" {
		return false, errors.Join(fmt.Errorf("the tests fail without any mutant: %s", o.killer), o.err)
	}
	fmt.Printf("unbroken rules pass their tests (%.1fs)\n", time.Since(began).Seconds())

	chosen := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !strings.Contains(m.name, only) })
	next := make(chan int)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex // guards killed, and lines of output
		killed int
	)
	for range workers {
		wg.Go(func() {
			for i := range next {
				o := r.mutate(ctx, i, chosen[i])
				mu.Lock()
				if o.err == nil && o.killer != "" {
					killed++
				}
				fmt.Printf("%5.1fs  %-12s %s: %s\n", o.took.Seconds(), chosen[i].file, chosen[i].name, o)
				mu.Unlock()
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	wg.Wait()
	fmt.Printf("%d of %d mutants killed in %.0fs\n", killed, len(chosen), time.Since(began).Seconds())
	return killed == len(chosen) && killed > 0, ctx.Err()
}

// prepare checks where it runs and makes room for what is built.
func (r *runner) prepare() (err error) {
	if r.root, err = os.Getwd(); err != nil {
		return err
	}
	for _, name := range append([]string{"go.mod"}, fleets.files...) {
		if _, err := os.Stat(filepath.Join(r.root, name)); err != nil {
			return fmt.Errorf("run this in the root of the module: %w", err)
		}
	}
	r.temp, err = os.MkdirTemp("", "mutants")
	return err
}

// mutate breaks a rule in a copy of its file and tries the tests on it.
func (r *runner) mutate(ctx context.Context, i int, m mutant) outcome {
	path := filepath.Join(r.root, m.file)
	text, err := os.ReadFile(path)
	if err != nil {
		return outcome{err: err}
	}
	if n := bytes.Count(text, []byte(m.old)); n != 1 {
		return outcome{err: fmt.Errorf("its text occurs %d times in %s, want once", n, m.file)}
	}
	id := fmt.Sprintf("m%02d", i)
	broken := filepath.Join(r.temp, id+".go")
	if err := os.WriteFile(broken, bytes.Replace(text, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return outcome{err: err}
	}
	return r.try(ctx, id, map[string]string{path: broken})
}

// try runs the suites with some files replaced, until a test fails.
func (r *runner) try(ctx context.Context, id string, replace map[string]string) (o outcome) {
	began := time.Now()
	defer func() { o.took = time.Since(began) }()
	for i, s := range r.suites {
		binary, err := r.build(ctx, fmt.Sprintf("%s-%d", id, i), s, replace)
		if err != nil {
			return outcome{err: err}
		}
		if o := r.test(ctx, binary, s); o.err != nil || o.killer != "" {
			return o
		}
	}
	return outcome{}
}

// build compiles a suite, quickly rather than well.
func (r *runner) build(ctx context.Context, id string, s suite, replace map[string]string) (string, error) {
	tests, err := filepath.Glob(filepath.Join(r.root, "*_test.go"))
	if err != nil {
		return "", err
	}
	replace = maps.Clone(replace)
	for _, path := range tests {
		if !slices.Contains(s.files, filepath.Base(path)) {
			replace[path] = "" // as if it were not there
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	config, binary := filepath.Join(r.temp, id+".json"), filepath.Join(r.temp, id+".test")
	if err := os.WriteFile(config, overlay, 0o600); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-gcflags=-N -l", "-ldflags=-s -w", "-overlay", config, "-o", binary, ".")
	build.Dir = r.root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("it does not compile: %w\n%s", err, bytes.TrimSpace(out))
	}
	return binary, nil
}

// patience is how long tests may take that take seconds: a mutant that makes them
// run on and on has been noticed.
const patience = 2 * time.Minute

var failure = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)

// test runs a binary once and removes it.
func (r *runner) test(ctx context.Context, binary string, s suite) outcome {
	defer func() { _ = os.Remove(binary) }() // the directory goes later, this saves room
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	run := exec.CommandContext(limited, binary, append([]string{"-test.failfast"}, s.args...)...)
	run.Dir = r.root
	out, err := run.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return outcome{}
	case ctx.Err() != nil:
		return outcome{err: ctx.Err()}
	case limited.Err() != nil:
		return outcome{killer: "the clock"}
	case !errors.As(err, &exit):
		return outcome{err: err}
	}
	// The last line names the innermost test.
	found := failure.FindAllSubmatch(out, -1)
	if len(found) == 0 {
		return outcome{killer: "a panic"}
	}
	return outcome{killer: string(found[len(found)-1][1])}
}
