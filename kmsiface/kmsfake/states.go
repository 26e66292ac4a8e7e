package kmsfake

import (
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// outcome is a cell of AWS's key state table; the numbers are those of its
// footnotes, https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html.
type outcome int

const (
	works               outcome = 0
	isDisabled          outcome = 1  // DisabledException: is disabled
	isPendingDeletion23 outcome = 2  // [2] or [3]: DisabledException or KMSInvalidStateException: is pending deletion
	isPendingDeletion   outcome = 3  // KMSInvalidStateException: is pending deletion
	notPendingDeletion  outcome = 4  // KMSInvalidStateException: is not pending deletion
	isPendingImport     outcome = 5  // KMSInvalidStateException: is pending import
	originExternal      outcome = 6  // UnsupportedOperationException: origin is EXTERNAL
	notInKeyStore       outcome = 7  // UnsupportedOperationException in a custom key store, else it works
	isUnavailable       outcome = 11 // KMSInvalidStateException: is unavailable
	isCreating          outcome = 14 // KMSInvalidStateException: is creating
	isUpdating          outcome = 15 // KMSInvalidStateException: is updating

	disabledOr7 outcome = 107 // [1] or [7]
	pendingOr7  outcome = 307 // [3] or [7]
)

// stateRow is a row of the table. The columns are those of AWS's: the state
// PendingReplicaDeletion shares that of PendingDeletion. What AWS marks as not
// applicable cannot come up and is written as works.
type stateRow struct {
	enabled, disabled, pendingDeletion, pendingImport, unavailable, creating, updating outcome
}

var (
	alwaysRow = stateRow{}
	// cryptoRow is the row of the operations that symmetric keys in custom key
	// stores know; pair, of those that they do not.
	cryptoRow = stateRow{works, isDisabled, isPendingDeletion23, isPendingImport, isUnavailable, isCreating, works}
	pairRow   = stateRow{works, isDisabled, isPendingDeletion23, isPendingImport, notInKeyStore, isCreating, works}
	rotateRow = stateRow{notInKeyStore, disabledOr7, pendingOr7, originExternal, notInKeyStore, isCreating, notInKeyStore}
	manageRow = stateRow{pendingDeletion: isPendingDeletion}
)

// stateTable is AWS's table of the operations served. Its question marks with
// footnote [9], which ask whether a key can have imported material at all, are
// left to the operation, and so is [10], the two keys of UpdateAlias.
//
// Operations that the table does not name work in every state: those that AWS's
// page leaves out of it and GetKeyLastUsage, which has to answer for disabled
// keys: "first disable the key and monitor".
var stateTable = map[string]stateRow{
	"CancelKeyDeletion":                   {notPendingDeletion, notPendingDeletion, works, notPendingDeletion, notPendingDeletion, notPendingDeletion, notPendingDeletion},
	"CreateAlias":                         manageRow,
	"CreateGrant":                         {works, isDisabled, isPendingDeletion23, isPendingImport, works, isCreating, works},
	"Decapsulate":                         pairRow,
	"Decrypt":                             cryptoRow,
	"DeleteAlias":                         alwaysRow,
	"DeleteImportedKeyMaterial":           {creating: isCreating, updating: isUpdating},
	"DeriveSharedSecret":                  pairRow,
	"DescribeKey":                         alwaysRow,
	"DisableKey":                          {works, works, isPendingDeletion, isPendingImport, works, isCreating, isUpdating},
	"DisableKeyRotation":                  rotateRow,
	"EnableKey":                           {works, works, isPendingDeletion, isPendingImport, works, isCreating, isUpdating},
	"EnableKeyRotation":                   rotateRow,
	"Encapsulate":                         pairRow,
	"Encrypt":                             cryptoRow,
	"GenerateDataKey":                     cryptoRow,
	"GenerateDataKeyPair":                 pairRow,
	"GenerateDataKeyPairWithoutPlaintext": pairRow,
	"GenerateDataKeyWithoutPlaintext":     cryptoRow,
	"GenerateMac":                         pairRow,
	"GetKeyPolicy":                        alwaysRow,
	"GetKeyRotationStatus":                {notInKeyStore, notInKeyStore, notInKeyStore, originExternal, notInKeyStore, notInKeyStore, notInKeyStore},
	"GetPublicKey":                        {works, works, isPendingDeletion23, works, works, isCreating, works},
	"ListAliases":                         alwaysRow,
	"ListGrants":                          alwaysRow,
	"ListKeyPolicies":                     alwaysRow,
	"ListKeyRotations":                    {notInKeyStore, notInKeyStore, notInKeyStore, works, notInKeyStore, notInKeyStore, notInKeyStore},
	"ListResourceTags":                    alwaysRow,
	"PutKeyPolicy":                        alwaysRow,
	"ReEncrypt":                           cryptoRow,
	"ReplicateKey":                        {works, isDisabled, isPendingDeletion23, isPendingImport, works, isCreating, isUpdating},
	"RetireGrant":                         alwaysRow,
	"RevokeGrant":                         alwaysRow,
	"RotateKeyOnDemand":                   {notInKeyStore, disabledOr7, pendingOr7, isPendingImport, notInKeyStore, isCreating, notInKeyStore},
	"ScheduleKeyDeletion":                 {pendingDeletion: isPendingDeletion, updating: isUpdating},
	"Sign":                                pairRow,
	"TagResource":                         manageRow,
	"UntagResource":                       manageRow,
	"UpdateAlias":                         manageRow,
	"UpdateKeyDescription":                manageRow,
	"UpdatePrimaryRegion":                 {works, isDisabled, isPendingDeletion23, isPendingImport, works, isCreating, works},
	"Verify":                              pairRow,
	"VerifyMac":                           pairRow,
}

func (r stateRow) at(s types.KeyState) outcome {
	switch s {
	case types.KeyStateDisabled:
		return r.disabled
	case types.KeyStatePendingDeletion, types.KeyStatePendingReplicaDeletion:
		return r.pendingDeletion
	case types.KeyStatePendingImport:
		return r.pendingImport
	case types.KeyStateUnavailable:
		return r.unavailable
	case types.KeyStateCreating:
		return r.creating
	case types.KeyStateUpdating:
		return r.updating
	default:
		return r.enabled
	}
}

// checkState applies the table to the operation and the key.
func (c *call) checkState(k *key) error {
	state := k.keyState()
	o := stateTable[c.op.name].at(state)
	if o == disabledOr7 || o == pendingOr7 || o == notInKeyStore {
		if k.keyStore != nil {
			return fail(codeUnsupportedOperation, "%s origin is %s which is not valid for this operation.", k.arn, k.origin)
		}
		o /= 100 // the other footnote; [7] alone leaves none
	}
	pending := "pending deletion"
	if state == types.KeyStatePendingReplicaDeletion {
		pending = "pending replica deletion"
	}
	switch o {
	case isDisabled:
		return fail(codeDisabled, "%s is disabled.", k.arn)
	case isPendingDeletion23:
		code := codeInvalidState
		if c.srv.disabledWhenPending {
			code = codeDisabled
		}
		return fail(code, "%s is %s.", k.arn, pending)
	case isPendingDeletion:
		return fail(codeInvalidState, "%s is %s.", k.arn, pending)
	case notPendingDeletion:
		return fail(codeInvalidState, "%s is not pending deletion.", k.arn)
	case isPendingImport:
		return fail(codeInvalidState, "%s is pending import because no key material has ever been imported or one of the imported key materials is deleted or expired.", k.arn)
	case originExternal:
		return fail(codeUnsupportedOperation, "%s origin is EXTERNAL which is not valid for this operation.", k.arn)
	case isUnavailable:
		return fail(codeInvalidState, "%s is unavailable.", k.arn)
	case isCreating:
		return fail(codeInvalidState, "%s is creating.", k.arn)
	case isUpdating:
		return fail(codeInvalidState, "%s is updating.", k.arn)
	default:
		return nil
	}
}
