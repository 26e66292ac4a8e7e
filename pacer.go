package usage

import (
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/kmsusage/usage/internal/pace"
)

// Quotas are requests per second by AWS operation name, for example
// {"GetKeyLastUsage": 20} after Service Quotas granted a raise. Operations that
// are not named have AWS's default; so has every one in a nil map.
type Quotas map[string]float64

// DefaultQuotas returns AWS's default request quotas for the operations that
// inspecting calls, per second, account and Region.
// https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
func DefaultQuotas() Quotas { return maps.Clone(defaultQuotas) }

var defaultQuotas = Quotas{
	opLastUsage:     5,
	opDescribeKey:   2000,
	opListKeys:      500,
	opListAliases:   500,
	opListGrants:    100,
	opGetKeyPolicy:  1000,
	opListTags:      2000,
	opListRotations: 100,
}

// Quotas below and above are a slip of the keyboard: AWS grants neither.
const (
	minQuota = 0.001
	maxQuota = 1e6
)

func (q Quotas) validate() error {
	for _, op := range slices.Sorted(maps.Keys(q)) {
		if _, known := defaultQuotas[op]; !known {
			return invalid("quota for %q: inspecting does not call it", op)
		}
		if r := q[op]; math.IsNaN(r) || r < minQuota || r > maxQuota {
			return invalid("quota for %s: %v requests a second; want %v to %v", op, r, minQuota, maxQuota)
		}
	}
	return nil
}

func (q Quotas) of(op string) float64 {
	if r, ok := q[op]; ok {
		return r
	}
	return defaultQuotas[op]
}

// Pacer keeps attempts under the request quotas: one pace for each account,
// Region and operation, slowed down by throttling and recovering from it. AWS
// counts every attempt of every caller of an account, so calls that may overlap
// in time should share one. It is safe for concurrent use. The zero value has
// AWS's default quotas.
type Pacer struct {
	quotas Quotas

	mu    sync.Mutex
	lanes map[lane]*pace.Limiter
}

type lane struct{ account, region, op string }

// NewPacer returns a Pacer for the quotas; nil means AWS's defaults. Quotas that
// cannot be meant are reported by the first call that uses the pacer.
func NewPacer(q Quotas) *Pacer {
	return &Pacer{quotas: maps.Clone(q)}
}

func (p *Pacer) limiter(account, region, op string) *pace.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := lane{account, region, op}
	l := p.lanes[k]
	if l == nil {
		if p.lanes == nil {
			p.lanes = map[lane]*pace.Limiter{}
		}
		l = pace.NewLimiter(p.quotas.of(op))
		p.lanes[k] = l
	}
	return l
}
