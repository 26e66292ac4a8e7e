package kmsfake

import "strings"

// service is one of the AWS services that the server is.
type service struct {
	name   string // in the credential scope and in IAM actions
	target string // before the operation in X-Amz-Target
	source string // of its events
}

const targetPrefix = "TrentService."

var (
	kmsService   = &service{name: "kms", target: targetPrefix, source: "kms.amazonaws.com"}
	trailService = &service{name: "cloudtrail", target: "CloudTrail_20131101.", source: "cloudtrail.amazonaws.com"}
)

// serviceOf reads the service and the operation from X-Amz-Target. ok is false
// for a target that is of neither service; such a call is refused as one of KMS.
func serviceOf(target string) (svc *service, operation string, ok bool) {
	// Some clients send the full name of CloudTrail's interface.
	short := strings.TrimPrefix(target, "com.amazonaws.cloudtrail.v20131101.")
	for _, svc := range []*service{kmsService, trailService} {
		if name, found := strings.CutPrefix(short, svc.target); found {
			return svc, name, true
		}
	}
	return kmsService, target, false
}

// operation finds an operation that is served, or returns nil.
func (svc *service) operation(name string) *operation {
	if svc == trailService {
		return trailOperations[name]
	}
	return operations[name]
}
