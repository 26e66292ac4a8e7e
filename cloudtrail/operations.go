package cloudtrail

import (
	"bytes"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Event sources that are read. In China the domain can have one more part.
const (
	kmsSource      = "kms.amazonaws.com"
	kmsSourceChina = "kms.amazonaws.com.cn"
	trailSource    = "cloudtrail.amazonaws.com"
	trailSourceCN  = "cloudtrail.amazonaws.com.cn"
)

const (
	opCreateGrant  = "CreateGrant"
	opCreateKey    = "CreateKey"
	opReplicateKey = "ReplicateKey"
	opGetPublicKey = "GetPublicKey"
	opReEncrypt    = "ReEncrypt"
)

// tracked are the operations whose success is use: those that KMS records.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
var tracked = func() map[string]bool {
	m := map[string]bool{}
	for _, op := range types.KeyLastUsageTrackingOperation("").Values() {
		m[string(op)] = true
	}
	return m
}()

// refused tells whether a failed call of an operation is a refusal: a tracked
// operation, or CreateGrant, that failed since the key was disabled, pending
// deletion, pending import or unavailable. Pending deletion comes under either
// code; KMSInvalidStateException also says that a key is still being made or
// changed, which is none. What else it says of a key in a custom key store means
// that the key is unavailable.
// https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
func refused(op, code, message []byte) bool {
	if !tracked[string(op)] && string(op) != opCreateGrant {
		return false
	}
	if i := bytes.LastIndexByte(code, '.'); i >= 0 {
		code = code[i+1:] // KMS.DisabledException, as services pass it on
	}
	switch string(code) {
	case "DisabledException", "Disabled", "KeyUnavailableException":
		return true
	case "KMSInvalidStateException", "InvalidStateException", "KMSInvalidState":
		m := bytes.ToLower(message)
		for _, passing := range []string{" is creating", " is updating"} {
			if bytes.Contains(m, []byte(passing)) {
				return false
			}
		}
		return true
	}
	return false
}

// trailChanges are the operations after which a trail may record less.
var trailChanges = map[string]bool{
	"PutEventSelectors": true, "StopLogging": true, "UpdateTrail": true, "DeleteTrail": true,
}
