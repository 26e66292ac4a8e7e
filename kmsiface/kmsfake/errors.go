package kmsfake

import (
	"fmt"
	"net/http"
)

// apiError is an error as AWS puts it on the wire.
type apiError struct {
	code    string
	message string
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// status is the HTTP status that the live service sends: 400 for whatever the
// caller can mend. The SDK's model has 404, 409 and 412 for some.
func (e *apiError) status() int {
	if e.code == codeInternal || e.code == codeTrailInternal {
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// Error codes. The first group is modeled by KMS and comes with a snapshot in
// the SDK module; the second is common to AWS services,
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html.
const (
	codeAlreadyExists        = "AlreadyExistsException"
	codeConflict             = "ConflictException"
	codeStoreInvalidState    = "CustomKeyStoreInvalidStateException"
	codeStoreNotFound        = "CustomKeyStoreNotFoundException"
	codeDisabled             = "DisabledException"
	codeDryRun               = "DryRunOperationException"
	codeIncorrectKey         = "IncorrectKeyException"
	codeInvalidAliasName     = "InvalidAliasNameException"
	codeInvalidArn           = "InvalidArnException"
	codeInvalidCiphertext    = "InvalidCiphertextException"
	codeInvalidGrantID       = "InvalidGrantIdException"
	codeInvalidGrantToken    = "InvalidGrantTokenException"
	codeInvalidKeyUsage      = "InvalidKeyUsageException"
	codeInvalidMarker        = "InvalidMarkerException"
	codeInternal             = "KMSInternalException"
	codeInvalidMac           = "KMSInvalidMacException"
	codeInvalidSignature     = "KMSInvalidSignatureException"
	codeInvalidState         = "KMSInvalidStateException"
	codeLimitExceeded        = "LimitExceededException"
	codeMalformedPolicy      = "MalformedPolicyDocumentException"
	codeNotFound             = "NotFoundException"
	codeTag                  = "TagException"
	codeUnsupportedOperation = "UnsupportedOperationException"
	codeXksKeyInUse          = "XksKeyAlreadyInUseException"

	// These are modeled by CloudTrail.
	codeInvalidTrailARN    = "CloudTrailARNInvalidException"
	codeInvalidCategory    = "InvalidEventCategoryException"
	codeInvalidSelectors   = "InvalidEventSelectorsException"
	codeInvalidHome        = "InvalidHomeRegionException"
	codeInvalidLookup      = "InvalidLookupAttributesException"
	codeInvalidMaxResults  = "InvalidMaxResultsException"
	codeInvalidNextToken   = "InvalidNextTokenException"
	codeInvalidBucketName  = "InvalidS3BucketNameException"
	codeInvalidPrefix      = "InvalidS3PrefixException"
	codeInvalidTimeRange   = "InvalidTimeRangeException"
	codeInvalidTrailName   = "InvalidTrailNameException"
	codeTooManyTrails      = "MaximumNumberOfTrailsExceededException"
	codeTrailKeyNotFound   = "KmsKeyNotFoundException"
	codeTrailAlreadyExists = "TrailAlreadyExistsException"
	codeTrailNotFound      = "TrailNotFoundException"

	codeAccessDenied       = "AccessDeniedException"
	codeTrailInternal      = "InternalFailure" // of CloudTrail
	codeInvalidSigV4       = "InvalidSignatureException"
	codeMissingToken       = "MissingAuthenticationTokenException"
	codeSerialization      = "SerializationException"
	codeThrottling         = "ThrottlingException"
	codeUnknownOperation   = "UnknownOperationException"
	codeUnrecognizedClient = "UnrecognizedClientException"
	codeValidation         = "ValidationException"
)

// fail makes an error.
func fail(code, format string, args ...any) *apiError {
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *apiError {
	return fail(codeValidation, format, args...)
}

// invalidMember is AWS's text for a member that breaks one constraint.
func invalidMember(value any, member, constraint string) *apiError {
	return fail(codeValidation, "1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}
