package kmsfake

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// scope is one account in one Region, the space in which key IDs and alias
// names are unique.
type scope struct{ account, region string }

func (s scope) arn(resource string) string {
	return "arn:" + partition(s.region) + ":kms:" + s.region + ":" + s.account + ":" + resource
}

// store holds what KMS keeps for one account and Region.
type store struct {
	scope
	keys       map[string]*key // by key ID
	keyIDs     index
	aliases    map[string]*alias // by name, with the prefix alias/
	aliasNames index
	keyStores  map[string]*keyStore // custom key stores by ID
	grants     map[string]*grant    // by grant ID
}

// store returns the store of a scope, an empty one that is not kept if nothing
// was ever put there. The caller holds the lock for reading.
func (s *Server) store(sc scope) *store {
	if st := s.stores[sc]; st != nil {
		return st
	}
	return &store{scope: sc}
}

// makeStore returns the store of a scope to change. The caller holds the lock
// for writing.
func (s *Server) makeStore(sc scope) *store {
	st := s.stores[sc]
	if st == nil {
		st = &store{
			scope:     sc,
			keys:      map[string]*key{},
			aliases:   map[string]*alias{},
			keyStores: map[string]*keyStore{},
			grants:    map[string]*grant{},
		}
		s.stores[sc] = st
	}
	return st
}

// key is a KMS key. All but its uses is guarded by the lock of the server.
type key struct {
	store       *store
	id, arn     string
	created     time.Time
	description string
	spec        types.KeySpec
	usage       types.KeyUsageType
	origin      types.OriginType
	manager     types.KeyManagerType

	lifeState
	keyStore  *keyStore // nil: the standard one
	xksKeyID  string
	policy    string
	trust     []trust // what the policy lets other accounts do
	tags      []types.Tag
	aliases   []string  // names, sorted
	grants    []*grant  // by ID
	expires   time.Time // of imported key material
	set       *set      // multi-Region, or nil
	rotation  *rotation
	materials *materials

	log useLog
}

// lifeState is what the state of a key follows from.
type lifeState struct {
	// state is never PendingImport nor Unavailable, which follow from what else
	// there is; see (*key).keyState.
	state       types.KeyState
	imported    bool      // EXTERNAL: there is key material
	unavailable bool      // put so by SetState
	deletion    time.Time // when PendingDeletion
	window      int32     // waiting period in days, when pending
}

// keyState is the state KMS reports. Pending deletion comes before all else;
// then a key without the key material to import is PendingImport, and one of a
// custom key store that is not connected Unavailable.
func (k *key) keyState() types.KeyState {
	switch {
	case k.state != types.KeyStateEnabled && k.state != types.KeyStateDisabled:
		return k.state
	case k.origin == types.OriginTypeExternal && !k.imported:
		return types.KeyStatePendingImport
	case k.unavailable || k.keyStore != nil && k.keyStore.state != types.ConnectionStateTypeConnected:
		return types.KeyStateUnavailable
	}
	return k.state
}

func (k *key) multiRegion() bool { return k.set != nil }
func (k *key) primary() bool     { return k.set != nil && k.set.primary == k }

// set is a multi-Region primary with its replicas. They share key material and
// rotation; all else is each one's own.
type set struct {
	primary  *key
	replicas []*key // by Region
}

func (s *set) members() []*key { return append([]*key{s.primary}, s.replicas...) }

func (s *set) in(region string) *key {
	for _, k := range s.members() {
		if k.store.region == region {
			return k
		}
	}
	return nil
}

func (s *set) add(replica *key) {
	s.replicas = append(s.replicas, replica)
	slices.SortFunc(s.replicas, func(a, b *key) int { return strings.Compare(a.store.region, b.store.region) })
}

func (s *set) remove(replica *key) {
	s.replicas = slices.DeleteFunc(s.replicas, func(k *key) bool { return k == replica })
}

// keyStore is a custom key store.
type keyStore struct {
	id, name  string
	kind      types.CustomKeyStoreType
	state     types.ConnectionStateType
	created   time.Time
	clusterID string
	failure   types.ConnectionErrorCodeType
}

// rotation says how the material of a key, or of a whole set, is rotated.
type rotation struct {
	enabled bool
	period  int32     // days
	since   time.Time // when it was enabled
	done    []rotated // oldest first
}

type rotated struct {
	at         time.Time
	kind       types.RotationType
	materialID string
}

// insert puts a key into its store.
func (st *store) insert(k *key) {
	st.keys[k.id] = k
	st.keyIDs.add(k.id)
}

// drop takes a key away with all that hangs on it. When the last replica goes,
// the waiting period of a primary key that was scheduled for deletion begins.
func (s *Server) drop(k *key) {
	for _, name := range slices.Clone(k.aliases) {
		k.store.dropAlias(name)
	}
	for _, g := range slices.Clone(k.grants) {
		s.dropGrant(k, g)
	}
	delete(k.store.keys, k.id)
	k.store.keyIDs.remove(k.id)
	if k.set == nil || k.primary() {
		return
	}
	k.set.remove(k)
	if p := k.set.primary; len(k.set.replicas) == 0 && p.state == types.KeyStatePendingReplicaDeletion {
		p.state, p.deletion = types.KeyStatePendingDeletion, s.now().Add(time.Duration(p.window)*day)
	}
}

var (
	uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	mrkPattern  = regexp.MustCompile(`^mrk-[0-9a-f]{32}$`)
)

// isKeyID tells whether s has the form of a key ID.
func isKeyID(s string) bool {
	return len(s) == 36 && (mrkPattern.MatchString(s) || uuidPattern.MatchString(s))
}

// arnParts splits a KMS ARN. ok is false if s is not one.
func arnParts(s string) (sc scope, part, resource string, ok bool) {
	p := strings.SplitN(s, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] != "kms" || p[3] == "" || !isAccount(p[4]) || p[5] == "" {
		return scope{}, "", "", false
	}
	return scope{account: p[4], region: p[3]}, p[1], p[5], true
}

// find returns the key an ARN names, or nil.
func (s *Server) find(arn string) *key {
	sc, part, resource, ok := arnParts(arn)
	id, isKey := strings.CutPrefix(resource, "key/")
	if !ok || !isKey || part != partition(sc.region) {
		return nil
	}
	return s.store(sc).keys[id]
}
