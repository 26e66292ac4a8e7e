package kmsfake

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// pageLimits are the bounds of the member Limit of an operation.
type pageLimits struct{ standard, most int32 }

// limitsOf gives the page sizes AWS documents with each operation.
// DescribeCustomKeyStores documents none; the model's own bound is 1000.
var limitsOf = map[string]pageLimits{
	"ListKeys":                {100, 1000},
	"ListAliases":             {50, 100},
	"ListGrants":              {50, 100},
	"ListRetirableGrants":     {50, 100},
	"ListKeyPolicies":         {100, 1000},
	"ListResourceTags":        {50, 50},
	"ListKeyRotations":        {100, 1000},
	"DescribeCustomKeyStores": {100, 1000},
}

// page cuts one page out of items, which are sorted by id. A marker names the
// last item of the page before, so that items that come and go between two
// pages neither repeat nor hide others. It holds for one operation, account and
// Region, and for one subject such as a key.
func page[T any](c *call, items []T, id func(T) string, limit *int32, marker *string, subject string) (out []T, next *string, truncated bool, err error) {
	size := limitsOf[c.op.name].standard
	if limit != nil {
		size = *limit
	}
	from := 0
	if marker != nil {
		after, ok := openMarker(*marker, c.markerScope(subject))
		if !ok {
			return nil, nil, false, fail(codeInvalidMarker, "Could not deserialize marker '%s'", *marker)
		}
		from = sort.Search(len(items), func(i int) bool { return id(items[i]) > after })
	}
	to := min(len(items), from+int(size))
	out = items[from:to:to]
	if to < len(items) {
		return out, aws.String(sealMarker(id(items[to-1]), c.markerScope(subject))), true, nil
	}
	return out, nil, false, nil
}

func (c *call) markerScope(subject string) string {
	return strings.Join([]string{c.op.name, c.account, c.region, subject}, "\x00")
}

// sealMarker makes a marker that only fits its scope.
func sealMarker(after, scope string) string {
	b := binary.BigEndian.AppendUint64(nil, markerSum(after, scope))
	return base64.RawURLEncoding.EncodeToString(append(b, after...))
}

func openMarker(marker, scope string) (after string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil || len(b) < 8 {
		return "", false
	}
	after = string(b[8:])
	return after, binary.BigEndian.Uint64(b) == markerSum(after, scope)
}

func markerSum(after, scope string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("kmsfake marker\x00" + scope + "\x00" + after))
	return h.Sum64()
}

func self(s string) string { return s }
