// Command walk goes the whole way that a key takes out of service, on an embedded
// fake of KMS and CloudTrail: no AWS account is needed.
//
//	go run -C examples ./walk
//	go run -C examples ./walk -h
//
// Two keys have been silent for months. CloudTrail answers what KMS does not keep:
// who made the last use, whether a key was used before KMS began to track use, and
// whether anyone has tried since it was disabled. The fake is spoken to by real
// SDK clients over HTTP and counts the request quotas, so that it takes ten seconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing/fstest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

const (
	account = "111122223333"
	region  = "us-east-1"
	app     = "arn:aws:sts::111122223333:assumed-role/billing/i-0abc"
	appKey  = "AKIAIOSFODNN7EXAMPLE" // the app's access key
)

// The exit codes; help says the same.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program without its process.
func run(ctx context.Context, argv []string, stdout, stderr io.Writer) int {
	err := parseArgs(argv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		if _, err := io.WriteString(stdout, help); err != nil {
			return exitFailed
		}
		return exitOK
	case err != nil:
		tell(stderr, "walk: "+err.Error()+"\nRun it with -h for help.\n")
		return exitUsage
	}

	p := newPlace()
	url, stop, err := p.srv.Start()
	if err != nil {
		tell(stderr, "walk: "+err.Error()+"\n")
		return exitFailed
	}
	defer stop()
	p.kms = p.srv.Client(account, region, func(o *kms.Options) { o.BaseEndpoint, o.HTTPClient = &url, http.DefaultClient })
	p.trail = p.srv.CloudTrail(account, region, func(o *trail.Options) { o.BaseEndpoint, o.HTTPClient = &url, http.DefaultClient })
	if err := p.walk(ctx, stdout); err != nil {
		tell(stderr, "walk: "+err.Error()+"\n")
		return exitFailed
	}
	return exitOK
}

// tell prints what is worth saying; that it could not be said is not.
func tell(w io.Writer, s string) { _, _ = io.WriteString(w, s) }

// place is an account in a Region, on a clock of its own.
type place struct {
	srv   *kmsfake.Server
	clock *kmsfake.Clock
	kms   *kms.Client
	trail *trail.Client
}

// newPlace returns a place with clients in process.
func newPlace() *place {
	p := &place{clock: kmsfake.NewClock(time.Date(2026, time.November, 1, 9, 0, 0, 0, time.UTC))}
	p.srv = kmsfake.New(func(o *kmsfake.Options) {
		o.Now, o.Lag, o.LogDelay = p.clock.Now, 10*time.Minute, 5*time.Minute
	})
	p.kms, p.trail = p.srv.Client(account, region), p.srv.CloudTrail(account, region)
	return p
}

// past fills the place with what happened so far: a trail that records all, a key
// that is used every day, and two that are not used any more.
func (p *place) past() (receipts, orders string, err error) {
	created := time.Date(2026, time.January, 12, 8, 0, 0, 0, time.UTC)
	if _, err := p.srv.AddTrail(kmsfake.Trail{Account: account, HomeRegion: region, Name: "all", Bucket: "logs", Created: created.AddDate(0, -1, 0)}); err != nil {
		return "", "", err
	}
	if err := p.srv.AddPrincipal(appKey, app); err != nil {
		return "", "", err
	}
	busy := p.srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: created.AddDate(-1, 0, 0)})
	receipts = p.srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: created, Aliases: []string{"alias/receipts"}})
	orders = p.srv.MustAddKey(kmsfake.Key{Account: account, Region: region, Created: created, Aliases: []string{"alias/orders"}})

	uses := func(arn string, at time.Time, context map[string]string) {
		err = errors.Join(err, p.srv.Use(arn, "Decrypt", at, func(o *kmsfake.UseOptions) {
			o.Principal, o.EncryptionContext = app, context
		}))
	}
	for at := created.Add(-time.Hour); at.Before(p.clock.Now()); at = at.Add(4 * time.Hour) {
		uses(busy, at, nil)
	}
	// The one a month before KMS began to track use, the other two months after it.
	uses(receipts, time.Date(2026, time.March, 20, 14, 5, 0, 0, time.UTC), map[string]string{"receipt": "2026-03"})
	uses(orders, time.Date(2026, time.June, 22, 16, 40, 0, 0, time.UTC), map[string]string{"order": "4711"})
	return receipts, orders, err
}

// walk goes the whole way and prints it.
func (p *place) walk(ctx context.Context, to io.Writer) error {
	w := &printer{w: to}
	if err := p.goThrough(ctx, w); err != nil {
		return err
	}
	if w.err != nil {
		return fmt.Errorf("cannot print: %w", w.err)
	}
	return nil
}

func (p *place) goThrough(ctx context.Context, w *printer) error {
	receipts, orders, err := p.past()
	if err != nil {
		return err
	}
	names := map[string]string{receipts: "alias/receipts", orders: "alias/orders"}

	w.print("Embedded fakes of AWS KMS and CloudTrail, no real account. Times are UTC.\n")
	p.say(w, "KMS alone")
	findings, err := p.inspect(ctx)
	if err != nil {
		return err
	}
	show(w, names, findings)

	p.say(w, "With the log files of the trail")
	logs, err := p.logs(ctx)
	if err != nil {
		return err
	}
	if findings, err = p.inspect(ctx, logs); err != nil {
		return err
	}
	show(w, names, findings)

	for _, arn := range []string{receipts, orders} {
		if _, err := p.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn}); err != nil {
			return err
		}
	}
	p.say(w, "Both keys are disabled")

	p.clock.Advance(19 * time.Hour)
	_, err = p.kms.Encrypt(ctx, &kms.EncryptInput{
		KeyId: &orders, Plaintext: []byte("4712"), EncryptionContext: map[string]string{"order": "4712"},
	}, func(o *kms.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: appKey, SecretAccessKey: "secret"}, nil
		})
	})
	if _, refused := errors.AsType[*types.DisabledException](err); !refused {
		return fmt.Errorf("a disabled key was used: %w", err)
	}
	p.say(w, "The app wants to encrypt an order, and is refused")

	// Does the event history show refusals at all? A refused call on purpose tells.
	control, err := p.refusedOnPurpose(ctx)
	if err != nil {
		return err
	}

	p.clock.Advance(30 * time.Minute)
	events, err := cloudtrail.NewEventHistory(p.trail, account, region, func(o *cloudtrail.EventHistoryOptions) { o.Now = p.clock.Now })
	if err != nil {
		return err
	}
	if findings, err = p.inspect(ctx); err != nil {
		return err
	}
	e := events.Estimate(findings)
	p.say(w, fmt.Sprintf("With the event history; asking it about all keys takes %d calls, %v; at most %d calls, %v",
		e.Calls, e.Time.Round(time.Second), e.MaxCalls, e.MaxTime.Round(time.Second)))
	c, err := events.Control(ctx, control)
	if err != nil {
		return err
	}
	w.print("  a call refused on purpose, of a key made for that: %s\n", c.State)
	if logs, err = p.logs(ctx); err != nil {
		return err
	}
	if findings, err = p.inspect(ctx, logs, events); err != nil {
		return err
	}
	show(w, names, findings)
	return nil
}

// refusedOnPurpose makes a key, disables it and tries to use it. The library cannot
// do that: it changes nothing.
func (p *place) refusedOnPurpose(ctx context.Context) (cloudtrail.Control, error) {
	made, err := p.kms.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("refused on purpose, for CloudTrail to show")})
	if err != nil {
		return cloudtrail.Control{}, err
	}
	arn := *made.KeyMetadata.Arn
	if _, err := p.kms.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &arn}); err != nil {
		return cloudtrail.Control{}, err
	}
	_, err = p.kms.Encrypt(ctx, &kms.EncryptInput{KeyId: &arn, Plaintext: []byte("test")})
	response, refused := errors.AsType[interface {
		error
		ServiceRequestID() string
	}](err)
	if !refused {
		return cloudtrail.Control{}, fmt.Errorf("a disabled key was used: %w", err)
	}
	return cloudtrail.Control{KeyARN: arn, At: p.clock.Now(), RequestID: response.ServiceRequestID()}, nil
}

// inspect is what a user's own program does.
func (p *place) inspect(ctx context.Context, sources ...usage.History) ([]usage.Finding, error) {
	return usage.Collect(usage.Inspect(ctx, p.kms, func(o *usage.InspectOptions) {
		o.History, o.Now = sources, p.clock.Now
	}))
}

// logs scans the trail's bucket. Of a real one that is os.DirFS of a copy, or any
// other file system over it.
func (p *place) logs(ctx context.Context) (*cloudtrail.LogHistory, error) {
	bucket := fstest.MapFS{}
	err := p.srv.WriteArchive(func(path string, content []byte) error {
		bucket[path] = &fstest.MapFile{Data: content}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cloudtrail.Scan(ctx, bucket, func(o *cloudtrail.ScanOptions) { o.Now = p.clock.Now })
}

func (p *place) say(w *printer, what string) {
	w.print("\n%s  %s\n", stamp(p.clock.Now()), what)
}

// show prints the verdicts on the keys that have a name.
func show(w *printer, names map[string]string, findings []usage.Finding) {
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		if names[a.Finding.ARN] == "" {
			continue
		}
		may := "may not be retired"
		if a.Retirable() {
			may = "may be retired"
		}
		w.print("  %-15s %s for %d days, %s\n", names[a.Finding.ARN], a.Verdict.Class, a.Verdict.TrailingDays, may)
		for _, r := range a.Finding.History {
			if r.Last != nil {
				w.print("    last use: %s\n", describe(r.Last))
			}
			if len(r.Refusals) > 0 {
				w.print("    refused: %s (%s)\n", describe(&r.Refusals[0]), r.Source)
			}
			if r.Off != nil {
				w.print("    off since %s, by %s (%s)\n", stamp(r.Off.At), r.Off.Operation, r.Source)
			}
		}
		for _, h := range a.Holds {
			if h.Kind != usage.Advice {
				w.print("    %v\n", h)
			}
		}
	}
}

// describe tells of a call: what, when, by whom and with which encryption context.
func describe(e *usage.Event) string {
	s := fmt.Sprintf("%s at %s by %s", e.Operation, stamp(e.At), e.Principal)
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(e.Context)) {
		pairs = append(pairs, name+"="+e.Context[name])
	}
	if len(pairs) > 0 {
		s += " with context " + strings.Join(pairs, ", ")
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// printer prints, and remembers why it could not.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
