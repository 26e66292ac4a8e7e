package cloudtrail

import (
	"reflect"

	trail "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
)

// checkClient refuses what cannot read the account and Region: a slip there would
// read as "nothing found". Whose account a client is of it does not tell.
func checkClient(c any, account, region string) error {
	v := reflect.ValueOf(c)
	if c == nil || v.Kind() == reflect.Pointer && v.IsNil() {
		return invalidOption("the client is nil")
	}
	if !isAccount(account) {
		return invalidOption("account %q; want twelve digits", account)
	}
	if !isRegion(region) {
		return invalidOption("Region %q; want a name such as us-east-1", region)
	}
	if sdk, ok := c.(interface{ Options() trail.Options }); ok {
		if of := sdk.Options().Region; of != "" && of != region {
			return invalidOption("Region %q, but the client is of %q", region, of)
		}
	}
	return nil
}
