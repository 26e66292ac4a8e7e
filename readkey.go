package usage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage/internal/fault"
	"github.com/kmsusage/usage/internal/keyarn"
)

// keyRead reads one key. Its methods each fill in a field of the finding or leave
// a gap, so that they can run at the same time.
type keyRead struct {
	*targetRun
	ctx   context.Context // of the range; a keyRead does not outlive readKey
	where lane
	id    string
	f     Finding

	gaps sync.Mutex // guards f.Gaps while readings run
}

// readKey makes all readings of one key; false if the context ended before the
// last of them.
func (t *targetRun) readKey(ctx context.Context, arn string) (Finding, bool) {
	p, _ := keyarn.Parse(arn) // listKeys lets nothing else through
	k := &keyRead{
		targetRun: t, ctx: ctx, id: p.ID,
		where: lane{account: p.Account, region: p.Region},
		f:     Finding{ARN: arn},
	}
	rest := k.metadata()
	if rest {
		// The last-usage quota is what the whole run waits for: everything else
		// happens in its shadow.
		var wg sync.WaitGroup
		for _, reading := range []func(){k.lastUsage, k.grants, k.policy, k.tags, k.rotations} {
			wg.Go(reading)
		}
		wg.Wait()
	}
	k.names()
	if rest {
		k.history()
	}
	k.tell()
	return k.f, ctx.Err() == nil || !k.cut()
}

// cut tells whether a reading fell victim to the end of the context.
func (k *keyRead) cut() bool {
	return slices.ContainsFunc(k.f.Gaps, func(g Gap) bool {
		return g.Err != nil && fault.Of(k.ctx, g.Err) == fault.Canceled
	})
}

// gap records that a reading failed. A nil error says it was switched off.
func (k *keyRead) gap(op string, err error) {
	g := Gap{Op: op, Reason: Skipped}
	if err != nil {
		g.Reason = meaning[fault.Of(k.ctx, err)].reason
		// A source of events may have named the key already.
		if e, ok := err.(*KeyError); ok && e.ARN == k.f.ARN { //nolint:errorlint // the outermost
			err = e.Err
		}
		g.Err = &KeyError{ARN: k.f.ARN, Op: op, Err: err}
	}
	k.gaps.Lock()
	defer k.gaps.Unlock()
	k.f.Gaps = append(k.f.Gaps, g)
}

// tell puts the gaps in order and logs them.
func (k *keyRead) tell() {
	slices.SortStableFunc(k.f.Gaps, func(a, b Gap) int { return order(a.Op) - order(b.Op) })
	for _, g := range k.f.Gaps {
		if g.Reason != Skipped {
			k.log.Debug("gap", "arn", k.f.ARN, "op", g.Op, "reason", string(g.Reason))
		}
	}
}

var opOrder = []string{opListAliases, opDescribeKey, opLastUsage, opListGrants, opGetKeyPolicy, opListTags, opListRotations}

func order(op string) int {
	if i := slices.Index(opOrder, op); i >= 0 {
		return i
	}
	return len(opOrder) // histories, in the order they were asked
}

// metadata reads DescribeKey first: what it says decides which other readings
// apply. It is false if there is nothing more to read.
func (k *keyRead) metadata() bool {
	if k.Readings.NoMetadata {
		k.gap(opDescribeKey, nil)
		return k.Readings.AWSManaged || !k.hasAWSAlias(k.id)
	}
	out, _, err := call(k.ctx, k.targetRun, k.where, opDescribeKey, k.target.Client.DescribeKey,
		&kms.DescribeKeyInput{KeyId: &k.f.ARN})
	if err == nil {
		k.f.Metadata, err = metadataOf(k.f.ARN, out.KeyMetadata)
	}
	switch {
	case err == nil:
		return k.Readings.AWSManaged || !k.f.AWSManaged()
	case fault.Of(k.ctx, err) == fault.NotFound:
		// Deleted since it was listed: no other call can succeed, and a last-usage
		// call is dear.
		for _, r := range []struct {
			op  string
			off bool
		}{
			{opDescribeKey, false},
			{opLastUsage, k.Readings.NoLastUsage},
			{opListGrants, k.Readings.NoGrants},
			{opGetKeyPolicy, k.Readings.NoPolicy},
			{opListTags, k.Readings.NoTags},
			{opListRotations, k.Readings.NoRotations},
		} {
			if r.off {
				k.gap(r.op, nil)
			} else {
				k.gap(r.op, err)
			}
		}
		return false
	default:
		k.gap(opDescribeKey, err)
		return k.ctx.Err() == nil && (k.Readings.AWSManaged || !k.hasAWSAlias(k.id))
	}
}

func metadataOf(arn string, m *types.KeyMetadata) (*Metadata, error) {
	switch {
	case m == nil:
		return nil, malformedError("no KeyMetadata")
	case m.Arn != nil && *m.Arn != arn || !names(m.KeyId, arn):
		return nil, malformedError(fmt.Sprintf("KeyMetadata is of another key, %s %s", aws.ToString(m.KeyId), aws.ToString(m.Arn)))
	case m.CreationDate == nil || m.CreationDate.IsZero():
		return nil, malformedError("KeyMetadata has no CreationDate")
	case m.KeyState == "":
		return nil, malformedError("KeyMetadata has no KeyState")
	case m.KeyManager == "" || m.KeySpec == "" || m.KeyUsage == "" || m.Origin == "":
		return nil, malformedError("KeyMetadata lacks KeyManager, KeySpec, KeyUsage or Origin")
	case aws.ToBool(m.MultiRegion) && m.MultiRegionConfiguration == nil:
		return nil, malformedError("KeyMetadata of a multi-Region key has no MultiRegionConfiguration")
	}
	md := &Metadata{
		Created:           m.CreationDate.UTC(),
		Description:       aws.ToString(m.Description),
		Manager:           m.KeyManager,
		State:             m.KeyState,
		Spec:              m.KeySpec,
		Usage:             m.KeyUsage,
		Origin:            m.Origin,
		DeletionDate:      utc(m.DeletionDate),
		PendingWindowDays: int(aws.ToInt32(m.PendingDeletionWindowInDays)),
		ValidTo:           utc(m.ValidTo),
		CustomKeyStoreID:  aws.ToString(m.CustomKeyStoreId),
		CloudHSMCluster:   aws.ToString(m.CloudHsmClusterId),
	}
	if x := m.XksKeyConfiguration; x != nil {
		md.ExternalKeyID = aws.ToString(x.Id)
	}
	if c := m.MultiRegionConfiguration; c != nil {
		mr := &MultiRegion{Role: c.MultiRegionKeyType, Replicas: []string{}}
		if c.PrimaryKey != nil {
			mr.Primary = aws.ToString(c.PrimaryKey.Arn)
		}
		for _, r := range c.ReplicaKeys {
			mr.Replicas = append(mr.Replicas, aws.ToString(r.Arn))
		}
		slices.Sort(mr.Replicas)
		md.MultiRegion = mr
	}
	return md, nil
}

// lastUsage reads the record that everything turns on.
func (k *keyRead) lastUsage() {
	if k.Readings.NoLastUsage {
		k.gap(opLastUsage, nil)
		return
	}
	var before time.Time
	if k.Now != nil {
		before = k.Now()
	}
	out, asked, err := call(k.ctx, k.targetRun, k.where, opLastUsage, k.target.Client.GetKeyLastUsage,
		&kms.GetKeyLastUsageInput{KeyId: &k.f.ARN})
	if err == nil {
		if k.Now != nil {
			asked = before
		} else if served, ok := awsmiddleware.GetServerTime(out.ResultMetadata); ok && served.Before(asked) {
			asked = served
		}
		k.f.LastUsage, err = lastUsageOf(k.f.ARN, out, asked)
	}
	if err != nil {
		k.gap(opLastUsage, err)
	}
}

// lastUsageOf takes an answer as it is documented and nothing less: what is
// missing is never read as "not used".
// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
func lastUsageOf(arn string, out *kms.GetKeyLastUsageOutput, asked time.Time) (*LastUsage, error) {
	switch {
	case !names(out.KeyId, arn):
		return nil, malformedError("the answer is of another key, " + *out.KeyId)
	case out.TrackingStartDate == nil || out.TrackingStartDate.IsZero():
		return nil, malformedError("no TrackingStartDate")
	case out.KeyCreationDate == nil || out.KeyCreationDate.IsZero():
		return nil, malformedError("no KeyCreationDate")
	case out.KeyLastUsage == nil:
		// "If the key has not been used since tracking began, this response
		// element is an empty object": empty, not absent.
		return nil, malformedError("no KeyLastUsage, not even an empty one")
	}
	lu := &LastUsage{
		ReadAt:        asked.UTC(),
		TrackingStart: out.TrackingStartDate.UTC(),
		Created:       out.KeyCreationDate.UTC(),
	}
	u := out.KeyLastUsage
	switch {
	case u.Timestamp != nil && !u.Timestamp.IsZero():
		lu.Use = &Use{
			At: u.Timestamp.UTC(), Operation: u.Operation,
			EventID: aws.ToString(u.CloudTrailEventId), RequestID: aws.ToString(u.KmsRequestId),
		}
	case u.Operation != "" || u.CloudTrailEventId != nil || u.KmsRequestId != nil || u.Timestamp != nil:
		return nil, malformedError("KeyLastUsage tells of a use but not when it was")
	}
	return lu, nil
}

// names tells whether an answer's KeyId may stand for the key: its ID or its ARN,
// or nothing said. Members of a multi-Region set share the ID, not the ARN.
func names(keyID *string, arn string) bool {
	p, _ := keyarn.Parse(arn)
	return keyID == nil || *keyID == p.ID || *keyID == arn
}

func (k *keyRead) grants() {
	if k.Readings.NoGrants {
		k.gap(opListGrants, nil)
		return
	}
	grants := []Grant{}
	seen := map[string]bool{} // pages shift when grants are made meanwhile
	err := pages(func(marker *string) (int, *string, bool, error) {
		out, _, err := call(k.ctx, k.targetRun, k.where, opListGrants, k.target.Client.ListGrants,
			&kms.ListGrantsInput{KeyId: &k.f.ARN, Limit: aws.Int32(100), Marker: marker})
		if err == nil && out.Grants == nil {
			err = absent("Grants")
		}
		if err != nil {
			return 0, nil, false, err
		}
		for _, entry := range out.Grants {
			if g := grantOf(entry); g.ID == "" || !seen[g.ID] {
				seen[g.ID] = true
				grants = append(grants, g)
			}
		}
		return len(out.Grants), out.NextMarker, out.Truncated, nil
	})
	if err != nil {
		k.gap(opListGrants, err)
	}
	// Grants seen before the failure are evidence; an empty part is none.
	if err == nil || len(grants) > 0 {
		k.f.Grants = grants
	}
}

func grantOf(g types.GrantListEntry) Grant {
	out := Grant{
		ID: aws.ToString(g.GrantId), Name: aws.ToString(g.Name), Created: utc(g.CreationDate),
		Grantee: aws.ToString(g.GranteePrincipal), GranteeService: aws.ToString(g.GranteeServicePrincipal),
		Retiring: aws.ToString(g.RetiringPrincipal), RetiringService: aws.ToString(g.RetiringServicePrincipal),
		IssuingAccount: aws.ToString(g.IssuingAccount), Operations: g.Operations,
	}
	if c := g.Constraints; c != nil {
		out.SourceARN = aws.ToString(c.SourceArn)
		out.ContextSubset, out.ContextEquals = c.EncryptionContextSubset, c.EncryptionContextEquals
	}
	return out
}

func (k *keyRead) policy() {
	if k.Readings.NoPolicy {
		k.gap(opGetKeyPolicy, nil)
		return
	}
	// A key has one policy, named "default": the name may be left out.
	out, _, err := call(k.ctx, k.targetRun, k.where, opGetKeyPolicy, k.target.Client.GetKeyPolicy,
		&kms.GetKeyPolicyInput{KeyId: &k.f.ARN})
	if err == nil && aws.ToString(out.Policy) == "" {
		err = malformedError("no Policy")
	}
	if err != nil {
		k.gap(opGetKeyPolicy, err)
		return
	}
	k.f.Policy = *out.Policy
}

func (k *keyRead) tags() {
	if k.Readings.NoTags {
		k.gap(opListTags, nil)
		return
	}
	tags := map[string]string{}
	err := pages(func(marker *string) (int, *string, bool, error) {
		out, _, err := call(k.ctx, k.targetRun, k.where, opListTags, k.target.Client.ListResourceTags,
			&kms.ListResourceTagsInput{KeyId: &k.f.ARN, Limit: aws.Int32(50), Marker: marker})
		if err == nil && out.Tags == nil {
			err = absent("Tags")
		}
		if err != nil {
			return 0, nil, false, err
		}
		for _, t := range out.Tags {
			tags[aws.ToString(t.TagKey)] = aws.ToString(t.TagValue)
		}
		return len(out.Tags), out.NextMarker, out.Truncated, nil
	})
	if err != nil {
		k.gap(opListTags, err)
	}
	if err == nil || len(tags) > 0 {
		k.f.Tags = tags
	}
}

// rotations applies to symmetric encryption keys whose material KMS holds. For
// other kinds it is refused with UnsupportedOperationException, which is no gap.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html
func (k *keyRead) rotations() {
	if m := k.f.Metadata; m != nil && (m.Spec != types.KeySpecSymmetricDefault || m.CustomKeyStoreID != "") {
		return
	}
	if k.Readings.NoRotations {
		k.gap(opListRotations, nil)
		return
	}
	rotations := []Rotation{}
	err := pages(func(marker *string) (int, *string, bool, error) {
		out, _, err := call(k.ctx, k.targetRun, k.where, opListRotations, k.target.Client.ListKeyRotations,
			&kms.ListKeyRotationsInput{KeyId: &k.f.ARN, Limit: aws.Int32(1000), Marker: marker})
		if err == nil && out.Rotations == nil {
			err = absent("Rotations")
		}
		if err != nil {
			return 0, nil, false, err
		}
		for _, r := range out.Rotations {
			rotations = append(rotations, Rotation{At: utc(r.RotationDate), Type: r.RotationType, MaterialID: aws.ToString(r.KeyMaterialId)})
		}
		return len(out.Rotations), out.NextMarker, out.Truncated, nil
	})
	_, notThisKind := errors.AsType[*types.UnsupportedOperationException](err)
	switch {
	case err == nil:
		k.f.Rotations = rotations
	case notThisKind:
	default:
		if len(rotations) > 0 {
			k.f.Rotations = rotations
		}
		k.gap(opListRotations, err)
	}
}

// names adds the aliases; it waits until all have been listed.
func (k *keyRead) names() {
	if k.Readings.NoAliases {
		k.gap(opListAliases, nil)
		return
	}
	names, err := k.aliasesOf(k.id)
	k.f.Aliases = names
	if err != nil {
		k.gap(opListAliases, err)
	}
}

// history asks the sources of events, after everything that may help them.
func (k *keyRead) history() {
	for _, h := range slices.Concat(k.target.History, k.History) {
		rec, err := h.Look(k.ctx, k.f)
		if err != nil {
			k.gap(opHistory+h.Source(), err)
		}
		if rec.empty() {
			continue // it is not about this key
		}
		rec.Source = h.Source()
		k.f.History = append(k.f.History, rec)
	}
}

func utc(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
