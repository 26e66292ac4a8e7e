package kmsfake

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

func tagKey(t types.Tag) string { return aws.ToString(t.TagKey) }

func listResourceTags(c *call, in *kms.ListResourceTagsInput) (*kms.ListResourceTagsOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	tags, next, truncated, err := page(c, k.tags, tagKey, in.Limit, in.Marker, k.arn)
	if err != nil {
		return nil, err
	}
	if tags == nil {
		tags = []types.Tag{}
	}
	return &kms.ListResourceTagsOutput{Tags: tags, NextMarker: next, Truncated: truncated}, nil
}

// mostTags is how many tags a key can have.
const mostTags = 50

// putTags returns the tags, sorted by key, with others put among them.
func putTags(tags, more []types.Tag) ([]types.Tag, error) {
	out := slices.Clone(tags)
	seen := map[string]bool{}
	for _, t := range more {
		key := aws.ToString(t.TagKey)
		switch {
		case t.TagKey == nil || t.TagValue == nil:
			return nil, invalid("1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null")
		case len([]rune(key)) < 1 || len([]rune(key)) > 128:
			return nil, invalidMember(key, "tags.member.tagKey", "Member must have length between 1 and 128")
		case len([]rune(*t.TagValue)) > 256:
			return nil, invalidMember(*t.TagValue, "tags.member.tagValue", "Member must have length less than or equal to 256")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, fail(codeTag, "Tags beginning with aws: are reserved")
		case seen[key]:
			return nil, fail(codeTag, "Duplicate tag keys")
		}
		seen[key] = true
		i, found := slices.BinarySearchFunc(out, key, func(t types.Tag, key string) int { return strings.Compare(tagKey(t), key) })
		if found {
			out[i] = t
		} else {
			out = slices.Insert(out, i, t)
		}
	}
	if len(out) > mostTags {
		return nil, fail(codeTag, "Too many tags")
	}
	return out, nil
}

func tagResource(c *call, in *kms.TagResourceInput) (*kms.TagResourceOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	tags, err := putTags(k.tags, in.Tags)
	if err != nil {
		return nil, err
	}
	k.tags = tags
	return &kms.TagResourceOutput{}, nil
}

// untagResource takes no offense at tags that are not there.
func untagResource(c *call, in *kms.UntagResourceInput) (*kms.UntagResourceOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in.TagKeys, func(key string) bool { return strings.HasPrefix(strings.ToLower(key), "aws:") }) {
		return nil, fail(codeTag, "Tags beginning with aws: are reserved")
	}
	k.tags = slices.DeleteFunc(slices.Clone(k.tags), func(t types.Tag) bool { return slices.Contains(in.TagKeys, tagKey(t)) })
	return &kms.UntagResourceOutput{}, nil
}
