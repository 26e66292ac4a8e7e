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
		n, err := checkAdvanced(e)
		if err != nil {
			return err
		}
		values += n
	}
	if values > mostConditions {
		return fail(codeInvalidSelectors, "The advanced event selectors of a trail have at most %d values.", mostConditions)
	}
	return nil
}

// categoryFields are the fields that selectors of a category can have. Of
// management events some are for event data stores only; they are taken for trails
// as well.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html
var categoryFields = map[string][]string{
	"Management":      {"eventCategory", "eventSource", "readOnly", "eventName", "eventType", "sessionCredentialFromConsole", "userIdentity.arn"},
	"Data":            {"eventCategory", "eventSource", "readOnly", "eventName", "eventType", "sessionCredentialFromConsole", "userIdentity.arn", "resources.type", "resources.ARN"},
	"NetworkActivity": {"eventCategory", "eventSource", "eventName", "errorCode", "vpcEndpointId"},
}

// checkAdvanced counts the values of a selector.
func checkAdvanced(e trailtypes.AdvancedEventSelector) (values int, err error) {
	i := slices.IndexFunc(e.FieldSelectors, func(f trailtypes.AdvancedFieldSelector) bool { return aws.ToString(f.Field) == "eventCategory" })
	if i < 0 || len(e.FieldSelectors[i].Equals) != 1 {
		return 0, fail(codeInvalidSelectors, "An advanced event selector needs an eventCategory that equals one value.")
	}
	category := e.FieldSelectors[i].Equals[0]
	fields, ok := categoryFields[category]
	if !ok {
		return 0, fail(codeInvalidSelectors, "Invalid eventCategory: %s", category)
	}
	for _, f := range e.FieldSelectors {
		n := 0
		for _, list := range operators(f) {
			n += len(list)
		}
		name := aws.ToString(f.Field)
		switch {
		case n == 0:
			return 0, fail(codeInvalidSelectors, "A field selector needs an operator with a value.")
		case !slices.Contains(fields, name):
			return 0, fail(codeInvalidSelectors, "Invalid field of %s events: %q", category, name)
		case slices.Contains([]string{"eventCategory", "readOnly", "resources.type"}, name) && n != len(f.Equals):
			return 0, fail(codeInvalidSelectors, "The field %s takes no operator but Equals.", name)
		case name == "readOnly" && slices.ContainsFunc(f.Equals, func(v string) bool { return v != "true" && v != "false" }):
			return 0, fail(codeInvalidSelectors, "The field readOnly is true or false, not %q.", f.Equals)
		}
		values += n
	}
	return values, nil
}

func operators(f trailtypes.AdvancedFieldSelector) [][]string {
	return [][]string{f.Equals, f.StartsWith, f.EndsWith, f.NotEquals, f.NotStartsWith, f.NotEndsWith}
}

// ownSelectors returns copies that share nothing, complete.
func ownSelectors(basic []trailtypes.EventSelector, advanced []trailtypes.AdvancedEventSelector) ([]trailtypes.EventSelector, []trailtypes.AdvancedEventSelector) {
	basic, advanced = slices.Clone(basic), slices.Clone(advanced)
	for i, e := range basic {
		e = completeSelector(e)
		e.IncludeManagementEvents = aws.Bool(*e.IncludeManagementEvents)
		e.ExcludeManagementEventSources = slices.Clone(e.ExcludeManagementEventSources)
		e.DataResources = slices.Clone(e.DataResources)
		for j, d := range e.DataResources {
			e.DataResources[j] = trailtypes.DataResource{Type: copied(d.Type), Values: slices.Clone(d.Values)}
		}
		basic[i] = e
	}
	for i, e := range advanced {
		fields := slices.Clone(e.FieldSelectors)
		for j, f := range fields {
			fields[j] = trailtypes.AdvancedFieldSelector{
				Field: copied(f.Field), Equals: slices.Clone(f.Equals), StartsWith: slices.Clone(f.StartsWith), EndsWith: slices.Clone(f.EndsWith),
				NotEquals: slices.Clone(f.NotEquals), NotStartsWith: slices.Clone(f.NotStartsWith), NotEndsWith: slices.Clone(f.NotEndsWith),
			}
		}
		advanced[i] = trailtypes.AdvancedEventSelector{Name: copied(e.Name), FieldSelectors: fields}
	}
	return basic, advanced
}

func copied(s *string) *string {
	if s == nil {
		return nil
	}
	return aws.String(*s)
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
	case len(s.AdvancedEventSelectors) > 0:
		return slices.ContainsFunc(s.AdvancedEventSelectors, func(e trailtypes.AdvancedEventSelector) bool {
			return !slices.ContainsFunc(e.FieldSelectors, func(f trailtypes.AdvancedFieldSelector) bool { return !fieldMatches(f, l) })
		})
	case len(s.EventSelectors) > 0:
		return slices.ContainsFunc(s.EventSelectors, func(e trailtypes.EventSelector) bool { return basicMatches(e, l) })
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
