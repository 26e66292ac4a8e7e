// Command walk goes the whole way that a key takes out of service, on an embedded
// fake of KMS and CloudTrail: no AWS account is needed.
//
//	go run -C examples ./walk
//
// Two keys have been silent for months. CloudTrail answers what KMS does not keep:
// who made the last use, whether a key was used before KMS began to track use, and
// whether anyone has tried since it was disabled. The fake is spoken to by real
// SDK clients over HTTP and counts the request quotas, so that it takes ten seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
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

func main() {
	p := newPlace()
	url, stop, err := p.srv.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer stop()
	p.kms = p.srv.Client(account, region, func(o *kms.Options) { o.BaseEndpoint, o.HTTPClient = &url, http.DefaultClient })
	p.trail = p.srv.CloudTrail(account, region, func(o *trail.Options) { o.BaseEndpoint, o.HTTPClient = &url, http.DefaultClient })
	if err := p.walk(context.Background(), os.Stdout); err != nil {
		stop()
		log.Fatal(err) //nolint:gocritic // stopped
	}
}

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

func (p *place) walk(ctx context.Context, w io.Writer) error {
	receipts, orders, err := p.past()
	if err != nil {
		return err
	}
	names := map[string]string{receipts: "alias/receipts", orders: "alias/orders"}

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
	p.say(w, "With the event history; asking it about "+events.Estimate(findings).String())
	c, err := events.Control(ctx, control)
	if err != nil {
		return err
	}
	write(w, "  a call refused on purpose, of a key made for that: %s\n", c.State)
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

func (p *place) say(w io.Writer, what string) {
	write(w, "\n%s  %s\n", p.clock.Now().Format("2006-01-02 15:04"), what)
}

// show prints the verdicts on the keys that have a name.
func show(w io.Writer, names map[string]string, findings []usage.Finding) {
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		if names[a.Finding.ARN] == "" {
			continue
		}
		write(w, "  %-15s %s for %d days, retirable: %v\n", names[a.Finding.ARN], a.Verdict.Class, a.Verdict.TrailingDays, a.Retirable())
		for _, r := range a.Finding.History {
			if e := r.Last; e != nil {
				write(w, "    last use: %s at %s by %s for %v\n", e.Operation, e.At.Format(time.DateTime), e.Principal, e.Context)
			}
			if len(r.Refusals) > 0 {
				e := r.Refusals[0]
				write(w, "    refused: %s at %s by %s for %v (%s)\n", e.Operation, e.At.Format(time.DateTime), e.Principal, e.Context, r.Source)
			}
			if r.Off != nil {
				write(w, "    off since %s, by %s (%s)\n", r.Off.At.Format(time.DateTime), r.Off.Operation, r.Source)
			}
		}
		for _, h := range a.Holds {
			if h.Kind != usage.Advice {
				write(w, "    %v\n", h)
			}
		}
	}
}

func write(w io.Writer, format string, args ...any) {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		log.Fatal(err)
	}
}
