package kmsfake

import (
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

// mostSelectors is how many event selectors a trail can have, and
// mostConditions how many values in all its advanced ones.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
const (
	mostSelectors  = 5
	mostConditions = 500
)

// checkSelectors refuses what CloudTrail refuses.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
func checkSelectors(basic []trailtypes.EventSelector, advanced []trailtypes.AdvancedEventSelector) error {
	switch {
	case len(basic) > 0 && len(advanced) > 0:
		return fail(codeInvalidSelectors, "Specify either event selectors or advanced event selectors, not both.")
	case len(basic) > mostSelectors:
		return fail(codeInvalidSelectors, "A trail has at most %d event selectors.", mostSelectors)
	}
	for _, e := range basic {
		if e.ReadWriteType != "" && !slices.Contains(e.ReadWriteType.Values(), e.ReadWriteType) {
			return fail(codeInvalidSelectors, "Invalid ReadWriteType: %s", e.ReadWriteType)
		}
		for _, source := range e.ExcludeManagementEventSources {
			if source != kmsService.source && source != "rdsdata.amazonaws.com" {
				return fail(codeInvalidSelectors, "Invalid event source to exclude: %s", source)
			}
		}
	}
	values := 0
	for _, e := range advanced {
		category := false
		for _, f := range e.FieldSelectors {
			n := 0
			for _, list := range operators(f) {
				n += len(list)
			}
			if n == 0 || aws.ToString(f.Field) == "" {
				return fail(codeInvalidSelectors, "A field selector needs a field, and an operator with a value.")
			}
			values += n
			category = category || *f.Field == "eventCategory" && len(f.Equals) > 0
		}
		if !category {
			return fail(codeInvalidSelectors, "An advanced event selector needs an eventCategory.")
		}
	}
	if values > mostConditions {
		return fail(codeInvalidSelectors, "The advanced event selectors of a trail have at most %d values.", mostConditions)
	}
	return nil
}

func operators(f trailtypes.AdvancedFieldSelector) [][]string {
	return [][]string{f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith}
}

// completeSelector fills in the defaults.
func completeSelector(e trailtypes.EventSelector) trailtypes.EventSelector {
	if e.ReadWriteType == "" {
		e.ReadWriteType = trailtypes.ReadWriteTypeAll
	}
	if e.IncludeManagementEvents == nil {
		e.IncludeManagementEvents = aws.Bool(true)
	}
	if e.DataResources == nil {
		e.DataResources = []trailtypes.DataResource{}
	}
	if e.ExcludeManagementEventSources == nil {
		e.ExcludeManagementEventSources = []string{}
	}
	return e
}

// selects tells whether a trail so set records an event: with selectors, if one
// of them matches.
func (s trailSetting) selects(l *logged) bool {
	switch {
	case len(s.advanced) > 0:
		return slices.ContainsFunc(s.advanced, func(e trailtypes.AdvancedEventSelector) bool {
			return !slices.ContainsFunc(e.FieldSelectors, func(f trailtypes.AdvancedFieldSelector) bool { return !fieldMatches(f, l) })
		})
	case len(s.basic) > 0:
		return slices.ContainsFunc(s.basic, func(e trailtypes.EventSelector) bool { return basicMatches(completeSelector(e), l) })
	}
	return true
}

func basicMatches(e trailtypes.EventSelector, l *logged) bool {
	switch {
	case !*e.IncludeManagementEvents, slices.Contains(e.ExcludeManagementEventSources, l.service.source):
		return false
	case e.ReadWriteType == trailtypes.ReadWriteTypeReadOnly:
		return l.readOnly
	case e.ReadWriteType == trailtypes.ReadWriteTypeWriteOnly:
		return !l.readOnly
	}
	return true
}

// fieldMatches tells whether an event fulfills a condition. One on a field that
// management events have no value for here does not hold.
func fieldMatches(f trailtypes.AdvancedFieldSelector, l *logged) bool {
	var value string
	switch aws.ToString(f.Field) {
	case "eventCategory":
		value = "Management"
	case "readOnly":
		value = strconv.FormatBool(l.readOnly)
	case "eventSource":
		value = l.service.source
	case "eventName":
		value = l.name
	case "eventType":
		value = l.eventType()
	case "userIdentity.arn":
		value = l.who.Value().arn
	default:
		return false
	}
	anyOf := func(list []string, match func(s, part string) bool) bool {
		return slices.ContainsFunc(list, func(part string) bool { return match(value, part) })
	}
	equal := func(s, part string) bool { return s == part }
	return (len(f.Equals) == 0 || anyOf(f.Equals, equal)) &&
		(len(f.StartsWith) == 0 || anyOf(f.StartsWith, strings.HasPrefix)) &&
		(len(f.EndsWith) == 0 || anyOf(f.EndsWith, strings.HasSuffix)) &&
		!anyOf(f.NotEquals, equal) && !anyOf(f.NotStartsWith, strings.HasPrefix) && !anyOf(f.NotEndsWith, strings.HasSuffix)
}
