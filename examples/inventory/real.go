package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/logging"

	"github.com/kmsusage/usage"
)

// patience is how long the first questions may take: whether there are
// credentials, and whose they are.
const patience = 10 * time.Second

// openReal makes a client for each Region, of the credentials that the AWS CLI
// would use.
func openReal(ctx context.Context, a args) (source, error) {
	// What goes wrong is told in plain words below; the SDK need not tell it too.
	load := []func(*config.LoadOptions) error{config.WithLogger(logging.Nop{})}
	if a.profile != "" {
		load = append(load, config.WithSharedConfigProfile(a.profile))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if _, missing := errors.AsType[config.SharedConfigProfileNotExistError](err); missing {
		return source{}, problem{
			code:  exitUsage,
			words: fmt.Sprintf("there is no profile %q in your AWS configuration; aws configure list-profiles shows those there are.", a.profile),
		}
	}
	if err != nil {
		return source{}, problem{exitUsage, "your AWS configuration cannot be used.", err}
	}

	regions := a.regions
	if len(regions) == 0 {
		if cfg.Region == "" {
			return source{}, problem{code: exitUsage, words: "no Region: give -regions, or set one in the profile or in AWS_REGION."}
		}
		regions = []string{cfg.Region}
	}
	if err := checkCredentials(ctx, cfg, a); err != nil {
		return source{}, err
	}

	var targets []usage.Target
	for _, region := range regions {
		client := kms.NewFromConfig(cfg, func(o *kms.Options) {
			o.Region = region
			if a.endpoint != "" {
				o.BaseEndpoint = aws.String(a.endpoint)
			}
		})
		targets = append(targets, usage.Target{Region: region, Client: client})
	}
	accounts, err := firstLook(ctx, targets)
	if err != nil {
		return source{}, err
	}
	var trails []usage.History
	if a.events {
		if trails, err = askEvents(ctx, cfg, a, targets, accounts); err != nil {
			return source{}, err
		}
	}
	return source{
		title:   realTitle(a, regions),
		targets: targets,
		options: func(o *usage.InspectOptions) {
			o.History = trails
			if a.quota != 0 {
				o.Quotas = usage.Quotas{lastUsage: a.quota}
			}
		},
	}, nil
}

func realTitle(a args, regions []string) string {
	title := "AWS KMS"
	if a.profile != "" {
		title += ", profile " + a.profile
	}
	if a.endpoint != "" {
		title += ", at " + a.endpoint
	}
	return plain(title + ": " + strings.Join(regions, ", "))
}

// checkCredentials asks for credentials before anything else does, so that who
// has none hears so at once, in words.
func checkCredentials(ctx context.Context, cfg aws.Config, a args) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := cfg.Credentials.Retrieve(ctx)
	if err == nil {
		return nil
	}
	var b strings.Builder
	b.WriteString("no AWS credentials")
	if a.profile != "" {
		fmt.Fprintf(&b, " for profile %q", a.profile)
	}
	b.WriteString(". Sign in (aws sso login, or aws configure) and name the profile with -profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run this where a role provides them.")
	if a.endpoint != "" {
		b.WriteString(" An emulator takes any key; kmsfake takes AKIA0000 followed by the account.")
	}
	b.WriteString(" To see what this prints without an account, leave out -profile, -regions and -endpoint.")
	return problem{exitIncomplete, b.String(), err}
}

// askEvents adds CloudTrail to the sources of the targets and returns the trails
// of all. Where there is no key nobody tells the account.
func askEvents(ctx context.Context, cfg aws.Config, a args, targets []usage.Target, accounts []string) ([]usage.History, error) {
	var all []usage.History
	for i := range targets {
		if accounts[i] == "" {
			continue
		}
		client := trail.NewFromConfig(cfg, func(o *trail.Options) {
			o.Region = targets[i].Region
			if a.endpoint != "" {
				o.BaseEndpoint = aws.String(a.endpoint)
			}
		})
		trails, err := askCloudTrail(ctx, &targets[i], client, accounts[i])
		if err != nil {
			return nil, err
		}
		all = append(all, trails)
	}
	return all, nil
}

// firstLook asks every Region for one key: it needs no permission that the
// inspection does not, and soon tells a wrong address from a slow one. It returns
// the account of each, empty where there is no key or no answer. It fails
// only if every Region does; of the others the inspection will say what is wrong.
func firstLook(ctx context.Context, targets []usage.Target) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(targets))
	accounts := make([]string, len(targets))
	for i, t := range targets {
		wg.Go(func() {
			out, err := t.Client.ListKeys(ctx, &kms.ListKeysInput{Limit: aws.Int32(1)})
			if err != nil {
				errs[i] = &usage.TargetError{Region: t.Region, Op: "ListKeys", Err: err}
				return
			}
			for _, k := range out.Keys {
				accounts[i] = usage.Finding{ARN: aws.ToString(k.KeyArn)}.Account()
			}
		})
	}
	wg.Wait()
	if slices.Contains(errs, nil) {
		return accounts, nil
	}
	return nil, errors.Join(errs...)
}
