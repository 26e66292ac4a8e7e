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

// status is the HTTP status that goes with the code.
func (e *apiError) status() int { return errorStatus[e.code] }

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

	codeAccessDenied       = "AccessDeniedException"
	codeInvalidSigV4       = "InvalidSignatureException"
	codeMissingToken       = "MissingAuthenticationTokenException"
	codeSerialization      = "SerializationException"
	codeThrottling         = "ThrottlingException"
	codeUnknownOperation   = "UnknownOperationException"
	codeUnrecognizedClient = "UnrecognizedClientException"
	codeValidation         = "ValidationException"
)

// errorStatus gives the HTTP status of every error the server can answer with
// by itself (an injected fault can have any). No error leaves the server whose
// code is not listed.
var errorStatus = map[string]int{
	codeAlreadyExists:        http.StatusConflict,
	codeConflict:             http.StatusConflict,
	codeStoreInvalidState:    http.StatusBadRequest,
	codeStoreNotFound:        http.StatusBadRequest,
	codeDisabled:             http.StatusConflict,
	codeDryRun:               http.StatusPreconditionFailed,
	codeIncorrectKey:         http.StatusBadRequest,
	codeInvalidAliasName:     http.StatusBadRequest,
	codeInvalidArn:           http.StatusBadRequest,
	codeInvalidCiphertext:    http.StatusBadRequest,
	codeInvalidGrantID:       http.StatusBadRequest,
	codeInvalidGrantToken:    http.StatusBadRequest,
	codeInvalidKeyUsage:      http.StatusBadRequest,
	codeInvalidMarker:        http.StatusBadRequest,
	codeInternal:             http.StatusInternalServerError,
	codeInvalidMac:           http.StatusBadRequest,
	codeInvalidSignature:     http.StatusBadRequest,
	codeInvalidState:         http.StatusConflict,
	codeLimitExceeded:        http.StatusBadRequest,
	codeMalformedPolicy:      http.StatusBadRequest,
	codeNotFound:             http.StatusNotFound,
	codeTag:                  http.StatusBadRequest,
	codeUnsupportedOperation: http.StatusBadRequest,
	codeXksKeyInUse:          http.StatusBadRequest,

	codeAccessDenied:       http.StatusBadRequest,
	codeInvalidSigV4:       http.StatusBadRequest,
	codeMissingToken:       http.StatusBadRequest,
	codeSerialization:      http.StatusBadRequest,
	codeThrottling:         http.StatusBadRequest,
	codeUnknownOperation:   http.StatusBadRequest,
	codeUnrecognizedClient: http.StatusBadRequest,
	codeValidation:         http.StatusBadRequest,
}

// fail makes an error of a listed code.
func fail(code, format string, args ...any) *apiError {
	if _, ok := errorStatus[code]; !ok {
		panic("kmsfake: error code without a status: " + code)
	}
	return &apiError{code: code, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *apiError {
	return fail(codeValidation, format, args...)
}

// invalidMember is AWS's text for a member that breaks one constraint.
func invalidMember(value any, member, constraint string) *apiError {
	return fail(codeValidation, "1 validation error detected: Value '%v' at '%s' failed to satisfy constraint: %s", value, member, constraint)
}
