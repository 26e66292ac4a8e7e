package main

import (
	"context"
	"strings"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// askCloudTrail adds to a target the event history of its account and Region, and
// returns the trails there. These are asked about the keys of every Region, since
// a trail encrypts with a key of its bucket's Region, which can be another. Trails
// that cannot be listed are a gap of every key, which tells why.
func askCloudTrail(ctx context.Context, t *usage.Target, c *trail.Client, account string, optFns ...func(*cloudtrail.EventHistoryOptions)) (usage.History, error) {
	events, err := cloudtrail.NewEventHistory(c, account, t.Region, optFns...)
	if err != nil {
		return nil, err
	}
	trails, err := cloudtrail.ReadTrails(ctx, c, account, t.Region)
	if trails == nil {
		return nil, err
	}
	t.History = append(t.History, events)
	return trails, nil
}

// user is who made the last use, where an event tells: the short name of a role
// or user, or the service on whose behalf.
func user(a usage.Assessment) string {
	if a.Verdict.LastUse == nil {
		return ""
	}
	for _, r := range a.Finding.History {
		e := r.Last
		if e == nil || e.EventID == "" || e.EventID != a.Verdict.LastUse.EventID {
			continue
		}
		if e.InvokedBy != "" {
			return strings.TrimSuffix(e.InvokedBy, ".amazonaws.com")
		}
		who := e.Role
		if who == "" {
			who = e.Principal
		}
		return who[strings.LastIndexByte(who, '/')+1:]
	}
	return ""
}
