package kmsfake

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Key describes a KMS key to put into the server without a call: see
// [Server.AddKey]. The zero value of a field means what its comment says; only
// Account and Region have no default.
type Key struct {
	Account string // twelve digits
	Region  string

	// ID is a UUID, or mrk- and 32 hexadecimal digits for a multi-Region key.
	// Empty: KMS chooses one.
	ID string
	// Created is the creation date. Zero: now, by the server's clock.
	Created     time.Time
	Description string

	Spec    types.KeySpec        // empty: SYMMETRIC_DEFAULT
	Usage   types.KeyUsageType   // empty: the first that fits the spec, see CreateKey
	Origin  types.OriginType     // empty: AWS_KMS, or that of the custom key store
	Manager types.KeyManagerType // empty: CUSTOMER

	// State is the key state. Empty: Enabled. An EXTERNAL key that is not
	// PendingImport has key material.
	State types.KeyState
	// DeletionDate belongs to PendingDeletion. Zero: PendingWindowInDays from now.
	DeletionDate time.Time
	// PendingWindowInDays is the waiting period of a key in PendingDeletion or
	// PendingReplicaDeletion. Zero: 30.
	PendingWindowInDays int32
	// ValidTo is when imported key material expires. Zero: never.
	ValidTo time.Time

	// CustomKeyStoreID is the custom key store of an AWS_CLOUDHSM or
	// EXTERNAL_KEY_STORE key. A store that is not known is made, connected.
	CustomKeyStoreID string
	// XksKeyID is the ID of the external key of an EXTERNAL_KEY_STORE key.
	// Empty: one is made up.
	XksKeyID string

	// MultiRegion makes a multi-Region primary key; ReplicaRegions names the
	// Regions in which replicas are made, all alike, without aliases and grants.
	MultiRegion    bool
	ReplicaRegions []string
	// ReplicaOf is the ARN of a primary key of which this one is a replica, with
	// state, dates, policy and all else its own.
	ReplicaOf string

	// Policy is the key policy. Empty: the default one, which delegates to the
	// account, or for an AWS managed key that of its service.
	Policy  string
	Tags    map[string]string
	Aliases []string // names, with or without the prefix alias/
	Grants  []Grant

	// LastUsed records one use at that time, by LastOperation (empty: Decrypt
	// or what else the key is for). A time before tracking began leaves no
	// record, as in KMS. Zero: never used.
	LastUsed      time.Time
	LastOperation string

	// RotationEnabled switches automatic rotation on, every RotationPeriodInDays
	// (zero: 365). Rotations are the dates of completed automatic rotations.
	RotationEnabled      bool
	RotationPeriodInDays int32
	Rotations            []time.Time
}

// Grant describes a grant on a key.
type Grant struct {
	// ID is 64 hexadecimal digits. Empty: one is made up.
	ID                       string
	Name                     string
	GranteePrincipal         string
	GranteeServicePrincipal  string
	RetiringPrincipal        string
	RetiringServicePrincipal string
	IssuingAccount           string // empty: arn:<partition>:iam::<account of the key>:root
	Operations               []types.GrantOperation
	EncryptionContextEquals  map[string]string
	EncryptionContextSubset  map[string]string
	SourceArn                string
	Created                  time.Time // zero: the creation date of the key
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]+$`)

// MustAddKey is [Server.AddKey] that panics instead of returning an error.
func (s *Server) MustAddKey(k Key) string {
	arn, err := s.AddKey(k)
	if err != nil {
		panic(err)
	}
	return arn
}

// AddKey puts a key into the server and returns its ARN. It takes no part in
// quotas and counts. The error says what of the description is impossible.
func (s *Server) AddKey(in Key) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, err := s.addKey(in)
	if err != nil {
		return "", fmt.Errorf("kmsfake: cannot add key %s %s %s: %w", in.Account, in.Region, in.ID, err)
	}
	for _, region := range in.ReplicaRegions {
		r := in
		r.Region, r.ID, r.ReplicaOf, r.MultiRegion, r.ReplicaRegions, r.Aliases, r.Grants = region, "", k.arn, false, nil, nil, nil
		r.LastUsed, r.Rotations = time.Time{}, nil
		r.State = replicaState(in.State)
		if _, err := s.addKey(r); err != nil {
			for _, m := range append(slices.Clone(k.set.replicas), k) {
				s.drop(m)
			}
			return "", fmt.Errorf("kmsfake: cannot add the replica of %s in %s: %w", k.arn, region, err)
		}
	}
	return k.arn, nil
}

// place returns the store of an account and Region, if there can be such.
func (s *Server) place(account, region string) (*store, error) {
	if !isAccount(account) {
		return nil, fmt.Errorf("the account %q is not twelve digits", account)
	}
	if !regionPattern.MatchString(region) {
		return nil, fmt.Errorf("%q has not the form of a Region", region)
	}
	return s.makeStore(scope{account, region}), nil
}

// replicaState is the state of a replica made together with its primary.
func replicaState(primary types.KeyState) types.KeyState {
	if primary == types.KeyStatePendingReplicaDeletion {
		return types.KeyStatePendingDeletion
	}
	return primary
}

func (s *Server) addKey(in Key) (*key, error) {
	st, err := s.place(in.Account, in.Region)
	if err != nil {
		return nil, err
	}
	now := s.now()
	k := &key{
		store:       st,
		id:          in.ID,
		created:     cmp.Or(in.Created, now),
		description: in.Description,
		spec:        in.Spec,
		usage:       in.Usage,
		origin:      in.Origin,
		manager:     in.Manager,
		lifeState:   lifeState{state: in.State},
		expires:     in.ValidTo,
	}
	var primary *key
	if in.ReplicaOf != "" {
		if primary = s.find(in.ReplicaOf); primary == nil || !primary.primary() {
			return nil, fmt.Errorf("%s is not a multi-Region primary key", in.ReplicaOf)
		}
		if in.MultiRegion || primary.state == types.KeyStatePendingDeletion || primary.store.account != in.Account || partition(primary.store.region) != partition(in.Region) {
			return nil, errors.New("no replica of that primary key can be here")
		}
		k.id, k.spec, k.usage, k.origin = primary.id, primary.spec, primary.usage, primary.origin
	}
	if err := s.completeKey(k, in); err != nil {
		return nil, err
	}
	for sc, other := range s.stores { // the members of a set, and no other keys, share an ID
		if other.keys[k.id] != nil && (other == st || primary == nil && in.MultiRegion && sc.account == st.account && partition(sc.region) == partition(st.region)) {
			return nil, errors.New("there is a key with that ID")
		}
	}
	if !in.LastUsed.IsZero() && in.LastUsed.Before(k.created) {
		return nil, errors.New("it is used before it is created")
	}
	if err := s.completeState(k, in, now); err != nil {
		return nil, err
	}
	names, err := freeAliases(k, in.Aliases)
	if err != nil {
		return nil, err
	}
	if err := st.checkGrants(in.Grants); err != nil {
		return nil, err
	}
	if err := setPolicy(k, in.Policy, names); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(in.Tags)) {
		if name == "" {
			return nil, errors.New("a tag has no key")
		}
		k.tags = append(k.tags, types.Tag{TagKey: aws.String(name), TagValue: aws.String(in.Tags[name])})
	}
	switch {
	case primary != nil:
		k.set, k.materials, k.rotation = primary.set, primary.materials, primary.rotation
		k.set.add(k)
	case in.MultiRegion:
		k.set = &set{primary: k}
		fallthrough
	default:
		k.materials = newMaterials(s.ids)
		k.rotation = &rotation{enabled: in.RotationEnabled, period: cmp.Or(in.RotationPeriodInDays, standardPeriod), since: k.created}
		for _, at := range slices.SortedFunc(slices.Values(in.Rotations), time.Time.Compare) {
			k.rotation.done = append(k.rotation.done, rotated{at: at, kind: types.RotationTypeAutomatic, materialID: k.materials.rotate(s.ids)})
		}
	}
	for _, name := range names {
		if st.aliases[name] != nil { // predefined
			st.dropAlias(name)
		}
		st.addAlias(name, k, k.created)
	}
	st.insert(k)
	if k.keyStore != nil {
		st.keyStores[k.keyStore.id] = k.keyStore
	}
	for _, g := range in.Grants {
		s.addGrant(k, g)
	}
	if !in.LastUsed.IsZero() {
		op := cmp.Or(in.LastOperation, defaultUse(k))
		s.use(k, op, in.LastUsed, adminOf(in.Account, in.Region), nil)
	}
	return k, nil
}

// freeAliases returns the aliases with their prefix and checks that the key can
// have them.
func freeAliases(k *key, aliases []string) ([]string, error) {
	var names []string
	for _, name := range aliases {
		name = "alias/" + strings.TrimPrefix(name, "alias/")
		aws := strings.HasPrefix(name, "alias/aws/")
		switch a := k.store.aliases[name]; {
		case !aliasPattern.MatchString(name) || name == "alias/" || len(name) > bounds["AliasName"].most:
			return nil, fmt.Errorf("%q cannot be an alias", name)
		case aws != (k.manager == types.KeyManagerTypeAws):
			return nil, fmt.Errorf("%s does not fit a key managed by %s", name, k.manager)
		case a != nil && a.key != nil, slices.Contains(names, name):
			return nil, fmt.Errorf("there is an alias %s", name)
		}
		names = append(names, name)
	}
	return names, nil
}

// completeKey fills in and checks what a key is.
func (s *Server) completeKey(k *key, in Key) error {
	k.spec = cmp.Or(k.spec, types.KeySpecSymmetricDefault)
	fit, ok := usages[k.spec]
	if !ok {
		return fmt.Errorf("there is no key spec %q", k.spec)
	}
	k.usage = cmp.Or(k.usage, fit[0])
	k.manager = cmp.Or(k.manager, types.KeyManagerTypeCustomer)
	mr := in.MultiRegion || in.ReplicaOf != ""
	if k.id == "" {
		k.id = s.newKeyID(mr)
	}
	k.arn = k.store.arn("key/" + k.id)
	if in.CustomKeyStoreID != "" {
		ks, err := s.ensureKeyStore(k.store, in.CustomKeyStoreID, k.origin, k.created)
		if err != nil {
			return err
		}
		k.keyStore = ks
		k.origin = originOf(ks.kind)
	}
	k.origin = cmp.Or(k.origin, types.OriginTypeAwsKms)
	if k.origin == types.OriginTypeExternalKeyStore {
		k.xksKeyID = cmp.Or(in.XksKeyID, "xks-"+s.ids.hex(8))
	}
	switch {
	case !isKeyID(k.id):
		return fmt.Errorf("%q has not the form of a key ID", k.id)
	case mr != strings.HasPrefix(k.id, "mrk-"):
		return errors.New("the ID of a multi-Region key, and of no other, begins with mrk-")
	case len(in.ReplicaRegions) > 0 && !in.MultiRegion:
		return errors.New("only a multi-Region primary key has replicas")
	case !slices.Contains(fit, k.usage):
		return fmt.Errorf("a key of spec %s cannot have usage %s", k.spec, k.usage)
	case !regionAllows(k.spec, k.store.region):
		return fmt.Errorf("there are no %s keys in %s", k.spec, k.store.region)
	case (k.origin == types.OriginTypeAwsCloudhsm || k.origin == types.OriginTypeExternalKeyStore) != (k.keyStore != nil):
		return fmt.Errorf("a key of origin %s and a custom key store do not go together", k.origin)
	case k.keyStore != nil && (mr || !isSymmetric(k.spec)):
		return errors.New("a custom key store holds single-Region symmetric encryption keys only")
	case k.manager == types.KeyManagerTypeAws && (mr || k.origin != types.OriginTypeAwsKms):
		return errors.New("an AWS managed key is a single-Region key of origin AWS_KMS")
	case in.RotationPeriodInDays != 0 && (in.RotationPeriodInDays < leastPeriod || in.RotationPeriodInDays > mostPeriod):
		return fmt.Errorf("a rotation period has %d to %d days", leastPeriod, mostPeriod)
	case (in.RotationEnabled || len(in.Rotations) > 0) && !rotatable(k):
		return errors.New("only symmetric encryption keys of origin AWS_KMS or EXTERNAL are rotated")
	case slices.ContainsFunc(in.Rotations, s.now().Before):
		return errors.New("a rotation is still to come")
	case utf8.RuneCountInString(in.Description) > bounds["Description"].most:
		return errors.New("the description is too long")
	case !in.ValidTo.IsZero() && k.origin != types.OriginTypeExternal:
		return errors.New("only imported key material expires")
	}
	return nil
}

// completeState fills in and checks the state of a key.
func (s *Server) completeState(k *key, in Key, now time.Time) error {
	k.state = cmp.Or(k.state, types.KeyStateEnabled)
	if !slices.Contains(k.state.Values(), k.state) {
		return fmt.Errorf("there is no key state %q", k.state)
	}
	k.imported = k.origin == types.OriginTypeExternal && k.state != types.KeyStatePendingImport
	days := cmp.Or(in.PendingWindowInDays, standardWindow)
	if days < leastWindow || days > mostWindow {
		return fmt.Errorf("a waiting period has %d to %d days", leastWindow, mostWindow)
	}
	switch k.state {
	case types.KeyStateUnavailable:
		if k.keyStore == nil {
			return errors.New("only a key of a custom key store can be Unavailable")
		}
		k.state, k.unavailable = types.KeyStateEnabled, true
	case types.KeyStatePendingDeletion:
		if len(in.ReplicaRegions) > 0 {
			return errors.New("a primary key with replicas is PendingReplicaDeletion before it is PendingDeletion")
		}
		k.deletion, k.window = cmp.Or(in.DeletionDate, now.AddDate(0, 0, int(days))), days
	case types.KeyStatePendingReplicaDeletion:
		if !in.MultiRegion {
			return errors.New("only a multi-Region primary key can be PendingReplicaDeletion")
		}
		k.window = days
	case types.KeyStatePendingImport:
		if k.origin != types.OriginTypeExternal {
			return errors.New("only a key of origin EXTERNAL can be PendingImport")
		}
		k.state = types.KeyStateEnabled
	case types.KeyStateCreating, types.KeyStateUpdating:
		if in.ReplicaOf == "" && !in.MultiRegion {
			return fmt.Errorf("only a multi-Region key can be %s", k.state)
		}
	}
	return nil
}

func (s *Server) newKeyID(multiRegion bool) string {
	if multiRegion {
		return "mrk-" + s.ids.hex(16)
	}
	return s.ids.uuid()
}

// SetState puts the key into a state without a call, whatever its state was.
// Leaving PendingDeletion takes the deletion date away, entering it sets one 30
// days from now. Unavailable is for keys in custom key stores.
func (s *Server) SetState(arn string, state types.KeyState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(arn)
	if k == nil {
		return fmt.Errorf("kmsfake: there is no key %s", arn)
	}
	old := k.lifeState
	k.lifeState = lifeState{state: state}
	in := Key{MultiRegion: k.primary()}
	if k.multiRegion() && !k.primary() {
		in.ReplicaOf = k.set.primary.arn
	}
	if err := s.completeState(k, in, s.now()); err != nil {
		k.lifeState = old
		return fmt.Errorf("kmsfake: %s: %w", arn, err)
	}
	return nil
}

// Delete takes the key away at once, with its aliases and grants, as KMS does
// when a waiting period has passed. A primary key with replicas cannot go.
func (s *Server) Delete(arn string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(arn)
	switch {
	case k == nil:
		return fmt.Errorf("kmsfake: there is no key %s", arn)
	case k.primary() && len(k.set.replicas) > 0:
		return fmt.Errorf("kmsfake: %s has replicas", arn)
	}
	s.drop(k)
	s.logDeletion(k)
	return nil
}

// UseOptions say how a key is used: see [Server.Use].
type UseOptions struct {
	// Principal is the ARN of who uses the key. Empty: the administrator of the
	// key's account.
	Principal string
	// EncryptionContext is what CloudTrail's record says of it.
	EncryptionContext map[string]string
	Caller
}

// Use records a successful cryptographic operation on the key at a time, as if
// it had been called then. The operation is one that KMS tracks, a
// [types.KeyLastUsageTrackingOperation]; others are recorded all the same, for
// tests with operations that the SDK does not know yet. A time before tracking
// began leaves a record in CloudTrail only; one later than now, or within
// [Options].Lag of it, shows when its time has come.
func (s *Server) Use(arn, operation string, at time.Time, optFns ...func(*UseOptions)) error {
	var o UseOptions
	for _, fn := range optFns {
		fn(&o)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	k := s.find(arn)
	switch {
	case k == nil:
		return fmt.Errorf("kmsfake: there is no key %s", arn)
	case operation == "":
		return fmt.Errorf("kmsfake: the use of %s needs an operation", arn)
	case at.Before(k.created):
		return fmt.Errorf("kmsfake: %s cannot have been used at %s: it was created at %s", arn, at.UTC().Format(time.RFC3339Nano), k.created.UTC().Format(time.RFC3339Nano))
	}
	who := adminOf(k.store.account, k.store.region)
	if o.Principal != "" {
		account, ok := accountOf(o.Principal)
		if !ok {
			return fmt.Errorf("kmsfake: not a principal: %q", o.Principal)
		}
		who = principal{account: account, arn: o.Principal}
	}
	who.Caller = o.Caller
	s.use(k, operation, at, who, o.EncryptionContext)
	return nil
}

// use records a use without a call, in KMS and in CloudTrail.
func (s *Server) use(k *key, operation string, at time.Time, who principal, context map[string]string) {
	eventID, requestID := s.ids.uuid(), s.ids.uuid()
	s.recordUse(k, operation, at, eventID, requestID)
	s.logUse(k, operation, at, eventID, requestID, who, context)
}

// KeyInfo is what [Server.Keys] tells of a key.
type KeyInfo struct {
	ARN, ID, Account, Region string
	Created                  time.Time
	State                    types.KeyState
	Spec                     types.KeySpec
	Usage                    types.KeyUsageType
	Origin                   types.OriginType
	Manager                  types.KeyManagerType
	MultiRegion              bool
	// Primary is the ARN of the primary key of a multi-Region key, its own for
	// a primary; empty for others.
	Primary string
	// LastUsed is the time of the last recorded use, visible already or not;
	// zero if there is none.
	LastUsed time.Time
}

// Keys lists every key of the server, sorted by ARN.
func (s *Server) Keys() []KeyInfo {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []KeyInfo
	for _, st := range s.stores {
		for _, k := range st.keys {
			info := KeyInfo{
				ARN: k.arn, ID: k.id, Account: st.account, Region: st.region, Created: k.created, State: k.keyState(),
				Spec: k.spec, Usage: k.usage, Origin: k.origin, Manager: k.manager, MultiRegion: k.multiRegion(),
				LastUsed: k.log.latest(),
			}
			if k.multiRegion() {
				info.Primary = k.set.primary.arn
			}
			out = append(out, info)
		}
	}
	slices.SortFunc(out, func(a, b KeyInfo) int { return strings.Compare(a.ARN, b.ARN) })
	return out
}

// InRegion returns the ARN that the multi-Region key with the ARN given has in
// another Region. It panics if arn is not the ARN of a KMS key.
func InRegion(arn, region string) string {
	sc, _, resource, ok := arnParts(arn)
	if !ok {
		panic(fmt.Sprintf("kmsfake: %q is not the ARN of a KMS key", arn))
	}
	return scope{sc.account, region}.arn(resource)
}
