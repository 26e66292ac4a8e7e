package usage_test

import (
	"bytes"
	"context"
	"errors"
	"log"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// logBook keeps what is logged, at every level. The zero value is ready.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug - 100, AddSource: true}))
}

func (b *logBook) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the lines of one level; all of them for "".
func (b *logBook) lines(level string) []string {
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(b.text()) {
			if (level == "" || strings.Contains(line, "level="+level+" ")) && !yield(line) {
				return
			}
		}
	})
}

func TestTheLogSaysWhatGoesWrongAndHowFastItGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		targets, arns := fleetOf(t, srv, 10, ohio, "eu-west-1")
		denied := arns[slices.IndexFunc(arns, func(arn string) bool { return strings.Contains(arn, ohio) })]
		srv.Deny(func(c kmsfake.Call) bool {
			return c.Operation == "ListKeys" && c.Region == "eu-west-1" || c.Operation == "GetKeyPolicy" && c.KeyARN == denied
		})
		var log logBook
		if _, err := usage.Collect(usage.InspectFleet(t.Context(), targets, func(o *usage.InspectOptions) { o.Logger = log.logger() })); err == nil {
			t.Fatal("no error")
		}
		for _, want := range [][]string{
			{"level=INFO", "listed", "region=" + ohio, "keys=10", "expected=2s"},
			{"level=INFO", "inspected", "account=" + home, "region=" + ohio, "keys=10"},
			{"level=ERROR", "region=eu-west-1", "op=ListKeys"},
			{"level=DEBUG", "gap", "arn=" + denied, "op=GetKeyPolicy", "reason=denied"},
		} {
			if !slices.ContainsFunc(log.lines(""), func(line string) bool {
				return !slices.ContainsFunc(want, func(s string) bool { return !strings.Contains(line, s) })
			}) {
				t.Errorf("no line has all of %q in\n%s", want, log.text())
			}
		}
	})
}

// Throttling is everyday: it is for those who look closely.
func TestThrottlingIsLoggedForThoseWhoLookClosely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		fill(t, srv, home, ohio, 1)
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			if c.Operation == "GetKeyLastUsage" && calls.add(c.Operation) <= 3 {
				return kmsfake.Throttle()
			}
			return nil
		})
		var book logBook
		mustInspectOne(t, srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Logger = book.logger() })
		n := 0
		for _, line := range book.lines("DEBUG") {
			if strings.Contains(line, "throttled") && strings.Contains(line, "op=GetKeyLastUsage") && strings.Contains(line, "rate=") {
				n++
			}
		}
		if n != 3 || len(book.lines("WARN"))+len(book.lines("ERROR")) > 0 {
			t.Errorf("%d lines of three throttled attempts:\n%s", n, book.text())
		}
	})
}

// canary is in all that must not be logged, and nowhere else.
const canary = "kanarienvogel"

// leaky is a History whose error says too much.
type leaky struct{}

func (leaky) Source() string { return "leaky" }

func (leaky) Look(context.Context, usage.Finding) (usage.Record, error) {
	return usage.Record{}, errors.New("cannot read " + canary)
}

func TestNoLogLineHoldsWhatIsTheOwnersOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		policy := strings.Replace(delegating, "Enable IAM User Permissions", canary, 1)
		secretive := func(_ int, k *kmsfake.Key) {
			k.Policy, k.Description = policy, canary
			k.Tags = map[string]string{"Owner": canary, canary: "Owner"}
			k.Grants = []kmsfake.Grant{
				{GranteePrincipal: "arn:aws:iam::111122223333:role/R", Operations: []types.GrantOperation{types.GrantOperationDecrypt}, EncryptionContextSubset: map[string]string{"Tenant": canary}},
				{GranteePrincipal: "arn:aws:iam::111122223333:role/R", Operations: []types.GrantOperation{types.GrantOperationDecrypt}, EncryptionContextEquals: map[string]string{canary: canary}},
			}
		}
		arns := fill(t, srv, home, ohio, 60, secretive)
		// Each key fails in another way; errors that repeat what KMS said, and
		// bodies that cannot be decoded, hold the canary too.
		ways := []*kmsfake.Fault{
			nil, kmsfake.Deny(), kmsfake.Throttle(), kmsfake.Malformed(), kmsfake.Cut(),
			kmsfake.Fail(400, "ValidationException", "bad "+canary), kmsfake.Fail(400, "AccessDeniedException", canary),
			kmsfake.Edit(func([]byte) []byte { return []byte(`{"` + canary) }),
			kmsfake.Edit(func([]byte) []byte { return []byte(canary) }),
			kmsfake.Fail(400, "NotFoundException", canary),
		}
		var calls tally
		srv.Inject(func(c kmsfake.Call) *kmsfake.Fault {
			i := slices.Index(arns, c.KeyARN)
			if i < 0 {
				if calls.add(c.Operation) == 1 {
					return kmsfake.Throttle()
				}
				return nil
			}
			// The key's position decides on the way and on the operation.
			ops := []string{"DescribeKey", "GetKeyLastUsage", "ListGrants", "GetKeyPolicy", "ListResourceTags", "ListKeyRotations"}
			if c.Operation == ops[i%len(ops)] {
				return ways[i/len(ops)]
			}
			return nil
		})
		var log logBook
		fs := mustCollect(t, srv.Client(home, ohio), func(o *usage.InspectOptions) {
			o.Logger, o.Patience, o.History = log.logger(), 10*time.Second, []usage.History{leaky{}}
		})
		seen := 0
		for _, f := range fs {
			for _, g := range f.Gaps {
				if g.Err != nil && strings.Contains(g.Err.Error(), canary) {
					seen++
				}
			}
			if strings.Contains(f.Policy, canary) {
				seen++
			}
		}
		if len(fs) != 60 || seen < 60 {
			t.Fatalf("%d findings; %d canaries in their policies and errors: the test needs more", len(fs), seen)
		}
		if !strings.Contains(log.text(), "reason=malformed") || !strings.Contains(log.text(), "op=History:leaky") {
			t.Fatalf("the failures were not logged:\n%s", log.text())
		}
		for _, line := range log.lines("") {
			if strings.Contains(line, canary) {
				t.Errorf("logged: %s", line)
			}
		}
	})
}

// Also where the whole target fails.
func TestNoErrorOfATargetIsLoggedWithItsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		onToday(t)
		srv := kmsfake.New()
		srv.Inject(faultAt("ListKeys", kmsfake.Fail(400, "AccessDeniedException", canary)))
		var log logBook
		_, err := usage.Collect(usage.Inspect(t.Context(), srv.Client(home, ohio), func(o *usage.InspectOptions) { o.Logger = log.logger() }))
		if err == nil || !strings.Contains(err.Error(), canary) {
			t.Fatalf("err = %v, want what KMS said", err)
		}
		if strings.Contains(log.text(), canary) || len(log.lines("ERROR")) != 1 {
			t.Errorf("log:\n%s", log.text())
		}
	})
}

func TestWithoutALoggerNothingIsLogged(t *testing.T) {
	logger, out, flags := slog.Default(), log.Writer(), log.Flags()
	defer func() {
		slog.SetDefault(logger)
		log.SetOutput(out)
		log.SetFlags(flags)
	}()
	var book logBook
	slog.SetDefault(book.logger())
	mustCollect(t, &stub{keys: manyARNs(3)})
	if s := book.text(); s != "" {
		t.Errorf("the default logger was told: %s", s)
	}
}
