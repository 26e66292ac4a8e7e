package cloudtrail

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

func TestAnEventThatIsLookedUpIsReadByTheRulesOfLogFiles(t *testing.T) {
	one, two := awkwardKeys[0], awkwardKeys[1]
	both := fmt.Sprintf(`"resources":[{"ARN":%q},{"ARN":%q}]`, one, two)
	for name, tt := range map[string]struct {
		members           string
		odd               int
		named, other      bool // one is named; of two it is not known
		refused, refused2 bool
	}{
		"both keys":                      {members: both, named: true},
		"one key of two":                 {members: fmt.Sprintf(`"resources":[{"ARN":%q}]`, one), named: true, other: true},
		"no key":                         {members: `"resources":[]`, other: true},
		"refused, and one named":         {members: both + `,"errorCode":"DisabledException","errorMessage":"` + two + ` is disabled."`, named: true, refused2: true},
		"refused, and nobody knows whom": {members: both + `,"errorCode":"DisabledException"`, named: true, refused: true, refused2: true},
		"an error code that is no text":  {members: both + `,"errorCode":7`, odd: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var p eventPage
			p.read([]types.Event{{CloudTrailEvent: aws.String(`{"eventSource":"kms.amazonaws.com","eventName":"ReEncrypt","eventTime":"2026-03-01T12:00:00Z",` + tt.members + `}`)}}, map[string]struct{}{})
			if p.odd != tt.odd || len(p.calls) != 1-tt.odd {
				t.Fatalf("%d odd: %s", p.odd, p.firstOdd)
			}
			for i := range p.calls {
				c := &p.calls[i]
				named, _ := c.names(one)
				twoNamed, other := c.names(two)
				if named != tt.named || !twoNamed && other != tt.other || twoNamed == tt.other {
					t.Errorf("names %v; the other %v, or not known: %v", named, twoNamed, other)
				}
				if c.refusesKey(one) != tt.refused || c.refusesKey(two) != tt.refused2 || c.refusesKey(awkwardKeys[2]) {
					t.Errorf("refuses %v, %v", c.refusesKey(one), c.refusesKey(two))
				}
			}
		})
	}
}
