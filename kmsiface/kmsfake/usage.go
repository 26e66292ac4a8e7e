package kmsfake

import (
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// use is one successful cryptographic operation on a key.
type use struct {
	operation          string
	at                 time.Time
	eventID, requestID string
}

// useLog holds the last visible use of a key and those that are not visible yet.
type useLog struct {
	mu   sync.Mutex
	uses []use // oldest first
}

// add records a use. Of those no later than settled only the last is kept: it
// is what is reported from then on.
func (l *useLog) add(u use, settled time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.until(u.at); i > 0 && l.uses[i-1].at.Equal(u.at) {
		l.uses[i-1] = u // of uses at the same time the last is the one that shows
	} else {
		l.uses = slices.Insert(l.uses, i, u)
	}
	if first := l.until(settled) - 1; first > 0 {
		l.uses = slices.Delete(l.uses, 0, first)
	}
}

// until counts the uses no later than t.
func (l *useLog) until(t time.Time) int {
	return sort.Search(len(l.uses), func(i int) bool { return l.uses[i].at.After(t) })
}

// last returns the last use no later than t.
func (l *useLog) last(t time.Time) (use, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := l.until(t); i > 0 {
		return l.uses[i-1], true
	}
	return use{}, false
}

func (l *useLog) latest() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.uses) == 0 {
		return time.Time{}
	}
	return l.uses[len(l.uses)-1].at
}

// recordUse records a use unless it was before tracking began.
func (s *Server) recordUse(k *key, operation string, at time.Time, eventID, requestID string) {
	if at.Before(s.trackingStart) {
		return
	}
	k.log.add(use{operation: operation, at: at, eventID: eventID, requestID: requestID}, s.now().Add(-s.lag))
}

// defaultUse is an operation that a key of this usage is plausibly used by.
func defaultUse(k *key) string {
	switch k.usage {
	case types.KeyUsageTypeSignVerify:
		return "Sign"
	case types.KeyUsageTypeGenerateVerifyMac:
		return "GenerateMac"
	case types.KeyUsageTypeKeyAgreement:
		return "DeriveSharedSecret"
	case types.KeyUsageTypeEncapsulateDecapsulate:
		return "Decapsulate"
	default:
		return "Decrypt"
	}
}

// getKeyLastUsage answers for one key: the members of a multi-Region set are
// tracked independently. A key without a record has an empty KeyLastUsage.
func getKeyLastUsage(c *call, in *kms.GetKeyLastUsageInput) (*kms.GetKeyLastUsageOutput, error) {
	k, err := c.key(in.KeyId)
	if err != nil {
		return nil, err
	}
	start := c.srv.trackingStart
	if k.created.After(start) {
		start = k.created
	}
	data := &types.KeyLastUsageData{}
	if u, ok := k.log.last(c.now.Add(-c.srv.lag)); ok {
		data = &types.KeyLastUsageData{
			Operation:         types.KeyLastUsageTrackingOperation(u.operation),
			Timestamp:         aws.Time(u.at),
			CloudTrailEventId: aws.String(u.eventID),
			KmsRequestId:      aws.String(u.requestID),
		}
	}
	return &kms.GetKeyLastUsageOutput{
		KeyId:             aws.String(k.id),
		KeyCreationDate:   aws.Time(k.created),
		KeyLastUsage:      data,
		TrackingStartDate: aws.Time(start),
	}, nil
}
