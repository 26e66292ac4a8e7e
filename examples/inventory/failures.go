package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/kmsusage/usage"
)

// problem is a failure told in plain words; the cause comes after them.
type problem struct {
	code  int // the exit code
	words string
	cause error
}

func (p problem) Error() string { return p.words }
func (p problem) Unwrap() error { return p.cause }

// complain prints what went wrong and returns the exit code for it.
func complain(stderr io.Writer, errs []error) int {
	code := exitOK
	for _, err := range errs {
		p, told := errors.AsType[problem](err)
		switch {
		case told:
			code = max(code, p.code)
		case errors.Is(err, usage.ErrInvalidOption):
			code = exitUsage
		default:
			code = max(code, exitIncomplete)
		}
		tell(stderr, "inventory: "+plain(describe(err)))
		if told && p.cause != nil {
			tell(stderr, "The cause: "+plain(cause(p.cause)))
		}
	}
	return code
}

// tell prints prose. Whether anybody can read it is not ours to mend.
func tell(w io.Writer, prose string) {
	_, _ = io.WriteString(w, wrap(prose, screen(w))+"\n")
}

// split is errors.Join undone.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// describe tells of a failure in one sentence.
func describe(err error) string {
	t, ok := errors.AsType[*usage.TargetError](err)
	if !ok {
		return err.Error()
	}
	var b strings.Builder
	for _, s := range []string{t.Account, t.Region} {
		if s != "" {
			b.WriteString(s + " ")
		}
	}
	if b.Len() == 0 {
		b.WriteString("AWS KMS ")
	}
	if errors.Is(t.Err, context.Canceled) {
		fmt.Fprintf(&b, "was interrupted: %d of the %s listed by then were read", t.Read, count(t.Listed, "key"))
		return b.String()
	}
	if t.Listed == 0 {
		b.WriteString("could not be read: ")
	} else {
		fmt.Fprintf(&b, "was not read to its end (%d of the %s listed): ", t.Read, count(t.Listed, "key"))
	}
	if t.Op != "" {
		b.WriteString(t.Op + ": ")
	}
	return b.String() + cause(t.Err)
}

// cause is what lies at the bottom of an error of the SDK: what AWS answered, or
// why it did not.
func cause(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "there is no host " + dns.Name + ": is the name of the Region right, and the network up?"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %v", patience)
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}

// count says "1 key", "2 keys".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
