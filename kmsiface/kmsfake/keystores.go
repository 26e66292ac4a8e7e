package kmsfake

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

var keyStoreIDPattern = regexp.MustCompile(`^cks-[0-9a-f]{17}$`)

// KeyStore describes a custom key store: see [Server.AddKeyStore].
type KeyStore struct {
	Account string
	Region  string
	// ID is cks- and 17 hexadecimal digits. Empty: one is made up.
	ID   string
	Name string                   // empty: like the ID
	Type types.CustomKeyStoreType // empty: AWS_CLOUDHSM
	// State is the connection state. Empty: CONNECTED. In every other state the
	// keys of the store are Unavailable.
	State   types.ConnectionStateType
	Created time.Time // zero: now, by the server's clock
}

// AddKeyStore puts a custom key store into the server and returns its ID.
func (s *Server) AddKeyStore(in KeyStore) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, err := s.place(in.Account, in.Region)
	if err != nil {
		return "", fmt.Errorf("kmsfake: cannot add a custom key store: %w", err)
	}
	ks, err := s.newKeyStore(st, in)
	if err != nil {
		return "", fmt.Errorf("kmsfake: %w", err)
	}
	st.keyStores[ks.id] = ks
	return ks.id, nil
}

// newKeyStore makes a custom key store that is not in its place yet.
func (s *Server) newKeyStore(st *store, in KeyStore) (*keyStore, error) {
	ks := &keyStore{
		id:      cmp.Or(in.ID, "cks-"+s.ids.hex(9)[:17]),
		kind:    cmp.Or(in.Type, types.CustomKeyStoreTypeAwsCloudhsm),
		created: cmp.Or(in.Created, s.now()),
	}
	ks.name = cmp.Or(in.Name, ks.id)
	if !keyStoreIDPattern.MatchString(ks.id) || st.keyStores[ks.id] != nil {
		return nil, fmt.Errorf("%q cannot be the ID of a new custom key store", ks.id)
	}
	if !slices.Contains(ks.kind.Values(), ks.kind) {
		return nil, fmt.Errorf("there are no custom key stores of type %q", ks.kind)
	}
	if ks.kind == types.CustomKeyStoreTypeAwsCloudhsm {
		ks.clusterID = "cluster-" + s.ids.hex(6)[:11]
	}
	if err := ks.connect(cmp.Or(in.State, types.ConnectionStateTypeConnected)); err != nil {
		return nil, err
	}
	return ks, nil
}

// connect puts the store into a connection state.
func (ks *keyStore) connect(state types.ConnectionStateType) error {
	if !slices.Contains(state.Values(), state) {
		return fmt.Errorf("there is no connection state %q", state)
	}
	ks.state, ks.failure = state, ""
	if state == types.ConnectionStateTypeFailed {
		ks.failure = types.ConnectionErrorCodeTypeNetworkErrors
	}
	return nil
}

// SetKeyStoreState connects or disconnects a custom key store, and with it all
// of its keys, without a call.
func (s *Server) SetKeyStoreState(account, region, id string, state types.ConnectionStateType) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ks := s.store(scope{account, region}).keyStores[id]
	if ks == nil {
		return fmt.Errorf("kmsfake: there is no custom key store %s in %s %s", id, account, region)
	}
	if err := ks.connect(state); err != nil {
		return fmt.Errorf("kmsfake: custom key store %s: %w", id, err)
	}
	return nil
}

// ensureKeyStore returns the custom key store of the ID, a new one if need be.
func (s *Server) ensureKeyStore(st *store, id string, origin types.OriginType, created time.Time) (*keyStore, error) {
	ks := st.keyStores[id]
	if ks == nil {
		kind := types.CustomKeyStoreTypeAwsCloudhsm
		if origin == types.OriginTypeExternalKeyStore {
			kind = types.CustomKeyStoreTypeExternalKeyStore
		}
		var err error
		if ks, err = s.newKeyStore(st, KeyStore{ID: id, Type: kind, Created: created}); err != nil {
			return nil, err
		}
	}
	if origin != "" && origin != originOf(ks.kind) {
		return nil, fmt.Errorf("custom key store %s holds no keys of origin %s", id, origin)
	}
	return ks, nil
}

func originOf(kind types.CustomKeyStoreType) types.OriginType {
	if kind == types.CustomKeyStoreTypeExternalKeyStore {
		return types.OriginTypeExternalKeyStore
	}
	return types.OriginTypeAwsCloudhsm
}

// connected finds a custom key store of the caller's that is connected.
func (c *call) connected(id string) (*keyStore, error) {
	ks := c.srv.store(c.scope()).keyStores[id]
	switch {
	case ks == nil:
		return nil, fail(codeStoreNotFound, "")
	case ks.state != types.ConnectionStateTypeConnected:
		return nil, fail(codeStoreInvalidState, "Custom key store %s is %s.", ks.id, ks.state)
	}
	return ks, nil
}

func describeCustomKeyStores(c *call, in *kms.DescribeCustomKeyStoresInput) (*kms.DescribeCustomKeyStoresOutput, error) {
	if in.CustomKeyStoreId != nil && in.CustomKeyStoreName != nil {
		return nil, invalid("Cannot specify both the custom key store ID and the custom key store name")
	}
	var stores []*keyStore
	for _, ks := range c.srv.store(c.scope()).keyStores {
		if matches(in.CustomKeyStoreId, &ks.id) && matches(in.CustomKeyStoreName, &ks.name) {
			stores = append(stores, ks)
		}
	}
	if len(stores) == 0 && (in.CustomKeyStoreId != nil || in.CustomKeyStoreName != nil) {
		return nil, fail(codeStoreNotFound, "")
	}
	id := func(ks *keyStore) string { return ks.id }
	slices.SortFunc(stores, func(a, b *keyStore) int { return strings.Compare(a.id, b.id) })
	stores, next, truncated, err := page(c, stores, id, in.Limit, in.Marker, "")
	if err != nil {
		return nil, err
	}
	out := &kms.DescribeCustomKeyStoresOutput{CustomKeyStores: []types.CustomKeyStoresListEntry{}, NextMarker: next, Truncated: truncated}
	for _, ks := range stores {
		e := types.CustomKeyStoresListEntry{
			CustomKeyStoreId:    aws.String(ks.id),
			CustomKeyStoreName:  aws.String(ks.name),
			CustomKeyStoreType:  ks.kind,
			ConnectionState:     ks.state,
			ConnectionErrorCode: ks.failure,
			CreationDate:        aws.Time(ks.created),
			CloudHsmClusterId:   orNil(ks.clusterID),
		}
		if ks.kind == types.CustomKeyStoreTypeAwsCloudhsm {
			e.TrustAnchorCertificate = aws.String("-----BEGIN CERTIFICATE-----\nkmsfake\n-----END CERTIFICATE-----\n")
		} else {
			e.XksProxyConfiguration = &types.XksProxyConfigurationType{
				AccessKeyId:  aws.String("KMSFAKE" + strings.ToUpper(ks.id[4:])),
				Connectivity: types.XksProxyConnectivityTypePublicEndpoint,
				UriEndpoint:  aws.String("https://" + ks.id + ".xks.example.com"),
				UriPath:      aws.String("/kms/xks/v1"),
			}
		}
		out.CustomKeyStores = append(out.CustomKeyStores, e)
	}
	return out, nil
}
