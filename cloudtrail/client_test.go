package cloudtrail_test

import (
	"errors"
	"strings"
	"testing"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
)

// What would read as "nothing found" is refused before the first request.
func TestAClientThatCannotReadTheRegionIsRefused(t *testing.T) {
	var none *trail.Client
	ohio := trail.New(trail.Options{Region: "us-east-2"})
	for name, tt := range map[string]struct {
		client          *trail.Client
		account, region string
		want            string
	}{
		"a client that is nil":  {none, "111122223333", "us-east-2", "the client is nil"},
		"a client of elsewhere": {ohio, "111122223333", "us-west-2", `Region "us-west-2", but the client is of "us-east-2"`},
		"a short account":       {ohio, "11112222333", "us-east-2", "twelve digits"},
		"no Region":             {ohio, "111122223333", "", "want a name such as us-east-1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, historyErr := cloudtrail.NewEventHistory(tt.client, tt.account, tt.region)
			_, trailsErr := cloudtrail.ReadTrails(t.Context(), tt.client, tt.account, tt.region)
			for _, err := range []error{historyErr, trailsErr} {
				if !errors.Is(err, usage.ErrInvalidOption) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("err = %v, want %q", err, tt.want)
				}
			}
		})
	}
}
