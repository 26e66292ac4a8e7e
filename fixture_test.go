package usage_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// What the tests of Inspect share: a KMS on a simulated clock, and clients that
// answer what a test tells them to.

const (
	home = "111122223333" // the account
	ohio = "us-east-2"    // its Region

	oneID = "1234abcd-12ab-34cd-56ef-1234567890ab" // of oneARN
)

// today is when these tests take place: as in the tables of Classify, read an
// hour after upTo.
var today = readThen

// onToday moves the clock of a synctest bubble to today. The fake KMS, its Date
// header and the library all follow that clock, and waiting takes no time.
func onToday(t *testing.T) {
	t.Helper()
	if time.Now().Year() != 2000 { // where bubbles begin
		t.Fatalf("it is %v: not in a new bubble", time.Now())
	}
	time.Sleep(time.Until(today))
}

// unlimited are quotas that hold nobody up, for tests of other things.
func unlimited(o *kmsfake.Options) { o.Quotas = map[string]float64{} }

// hurried raises every quota to what the library takes at most.
func hurried(o *usage.InspectOptions) {
	o.Quotas = usage.DefaultQuotas()
	for op := range o.Quotas {
		o.Quotas[op] = 1e6
	}
}

// listingOnly switches every reading off.
func listingOnly(o *usage.InspectOptions) {
	o.Readings = usage.Readings{NoAliases: true, NoMetadata: true, NoLastUsage: true, NoGrants: true, NoPolicy: true, NoTags: true, NoRotations: true}
}

// recording keeps the calls of a test.
func recording(o *kmsfake.Options) { o.Record = 100_000 }

// fill puts n customer keys into an account and Region and returns their ARNs in
// order. They are symmetric, older than tracking, and were used 200 days ago.
func fill(tb testing.TB, srv *kmsfake.Server, account, region string, n int, edits ...func(int, *kmsfake.Key)) []string {
	tb.Helper()
	arns := make([]string, 0, n)
	for i := range n {
		k := kmsfake.Key{Account: account, Region: region, Created: longAgo, LastUsed: ago(200)}
		for _, e := range edits {
			e(i, &k)
		}
		arn, err := srv.AddKey(k)
		if err != nil {
			tb.Fatal(err)
		}
		arns = append(arns, arn)
	}
	slices.Sort(arns)
	return arns
}

// arnsOf lists the ARNs of findings in their order.
func arnsOf(fs []usage.Finding) []string {
	out := make([]string, 0, len(fs))
	for _, f := range fs {
		out = append(out, f.ARN)
	}
	return out
}

// mustCollect collects and wants no error.
func mustCollect(t *testing.T, c kmsiface.Inspector, optFns ...func(*usage.InspectOptions)) []usage.Finding {
	t.Helper()
	fs, err := usage.Collect(usage.Inspect(t.Context(), c, optFns...))
	if err != nil {
		t.Fatalf("Inspect: %v", err)
	}
	return fs
}

// mustInspectOne inspects an account of one key.
func mustInspectOne(t *testing.T, c kmsiface.Inspector, optFns ...func(*usage.InspectOptions)) usage.Finding {
	t.Helper()
	fs := mustCollect(t, c, optFns...)
	if len(fs) != 1 {
		t.Fatalf("got %d findings, want one", len(fs))
	}
	return fs[0]
}

// wantWhole checks that every key was read to the last reading.
func wantWhole(t *testing.T, fs []usage.Finding, arns []string) {
	t.Helper()
	if got := arnsOf(fs); !slices.Equal(got, arns) {
		t.Errorf("found %d keys, want %d: missing %q, too many %q", len(got), len(arns), without(arns, got), without(got, arns))
	}
	for _, f := range fs {
		if len(f.Gaps) > 0 || f.LastUsage == nil || f.Metadata == nil || f.Grants == nil || f.Policy == "" || f.Tags == nil || f.Aliases == nil {
			t.Errorf("not all was read of %s: gaps %v", f.ARN, f.Gaps)
		}
	}
}

// without returns the elements of a that b lacks, counting repetitions.
func without(a, b []string) []string {
	left := map[string]int{}
	for _, s := range b {
		left[s]++
	}
	var out []string
	for _, s := range a {
		if left[s]--; left[s] < 0 {
			out = append(out, s)
		}
	}
	return out
}

// gapsOf returns the reason of each gap by operation.
func gapsOf(f usage.Finding) map[string]usage.GapReason {
	out := map[string]usage.GapReason{}
	for _, g := range f.Gaps {
		out[g.Op] = g.Reason
	}
	return out
}

// wantGaps checks that a finding has these gaps and no other, each once.
func wantGaps(t *testing.T, f usage.Finding, want map[string]usage.GapReason) {
	t.Helper()
	if got := gapsOf(f); !maps.Equal(got, want) || len(f.Gaps) != len(want) {
		t.Errorf("gaps of %s = %v, want %v", f.ARN, f.Gaps, want)
	}
}

// targetErrors takes a joined error apart. Every part must be a *TargetError.
func targetErrors(t *testing.T, err error) []*usage.TargetError {
	t.Helper()
	var out []*usage.TargetError
	for _, e := range parts(err) {
		te, ok := errors.AsType[*usage.TargetError](e)
		if !ok {
			t.Errorf("an error that is no TargetError: %v", e)
			continue
		}
		out = append(out, te)
	}
	return out
}

// parts are the errors that errors.Join has put together.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	switch e := err.(type) { //nolint:errorlint // to take it apart, not to look into it
	case *usage.TargetError:
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return []error{err}
}

// attempts counts the attempts by operation.
func attempts(srv *kmsfake.Server) map[string]int {
	out := map[string]int{}
	for _, c := range srv.Calls() {
		out[c.Operation] += c.Attempts
	}
	return out
}

// rewrite edits the JSON object that the fake would answer.
func rewrite(edit func(body map[string]any)) *kmsfake.Fault {
	return kmsfake.Edit(func(b []byte) []byte {
		var body map[string]any
		if err := json.Unmarshal(b, &body); err != nil {
			panic(fmt.Sprintf("the fake's answer %s: %v", b, err))
		}
		edit(body)
		out, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		return out
	})
}

// object and array are values of a JSON body, of which the test knows the kind.
func object(v any) map[string]any {
	m, ok := v.(map[string]any)
	if !ok {
		panic(fmt.Sprintf("%v is no JSON object", v))
	}
	return m
}

func array(v any) []any {
	a, ok := v.([]any)
	if !ok {
		panic(fmt.Sprintf("%v is no JSON array", v))
	}
	return a
}

// faultAt injects one fault into all calls of an operation.
func faultAt(op string, f *kmsfake.Fault) func(kmsfake.Call) *kmsfake.Fault {
	return func(c kmsfake.Call) *kmsfake.Fault {
		if c.Operation == op {
			return f
		}
		return nil
	}
}

// stub is a client that ignores option functions and contexts, as mocks do. It
// answers for the keys given; a test replaces the answers it is about.
type stub struct {
	keys []string

	listKeys      func(*kms.ListKeysInput) (*kms.ListKeysOutput, error)
	listAliases   func(*kms.ListAliasesInput) (*kms.ListAliasesOutput, error)
	describeKey   func(*kms.DescribeKeyInput) (*kms.DescribeKeyOutput, error)
	lastUsage     func(*kms.GetKeyLastUsageInput) (*kms.GetKeyLastUsageOutput, error)
	listGrants    func(*kms.ListGrantsInput) (*kms.ListGrantsOutput, error)
	keyPolicy     func(*kms.GetKeyPolicyInput) (*kms.GetKeyPolicyOutput, error)
	listTags      func(*kms.ListResourceTagsInput) (*kms.ListResourceTagsOutput, error)
	listRotations func(*kms.ListKeyRotationsInput) (*kms.ListKeyRotationsOutput, error)

	calls tally
}

var _ kmsiface.Inspector = (*stub)(nil)

// answer calls the replacement if there is one.
func answer[In, Out any](s *stub, op string, in *In, replaced func(*In) (*Out, error), standard func() *Out) (*Out, error) {
	s.calls.add(op)
	if replaced != nil {
		return replaced(in)
	}
	return standard(), nil
}

func entries(arns ...string) []types.KeyListEntry {
	out := make([]types.KeyListEntry, 0, len(arns))
	for _, arn := range arns {
		out = append(out, types.KeyListEntry{KeyArn: aws.String(arn), KeyId: aws.String(arn[strings.LastIndex(arn, "/")+1:])})
	}
	return out
}

func (s *stub) ListKeys(_ context.Context, in *kms.ListKeysInput, _ ...func(*kms.Options)) (*kms.ListKeysOutput, error) {
	return answer(s, "ListKeys", in, s.listKeys, func() *kms.ListKeysOutput {
		return &kms.ListKeysOutput{Keys: entries(s.keys...)}
	})
}

func (s *stub) ListAliases(_ context.Context, in *kms.ListAliasesInput, _ ...func(*kms.Options)) (*kms.ListAliasesOutput, error) {
	return answer(s, "ListAliases", in, s.listAliases, func() *kms.ListAliasesOutput {
		return &kms.ListAliasesOutput{Aliases: []types.AliasListEntry{}}
	})
}

func (s *stub) DescribeKey(_ context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	return answer(s, "DescribeKey", in, s.describeKey, func() *kms.DescribeKeyOutput {
		return &kms.DescribeKeyOutput{KeyMetadata: &types.KeyMetadata{
			Arn: in.KeyId, KeyId: aws.String((*in.KeyId)[strings.LastIndex(*in.KeyId, "/")+1:]),
			CreationDate: aws.Time(longAgo), KeyManager: types.KeyManagerTypeCustomer, KeyState: types.KeyStateEnabled,
			KeySpec: types.KeySpecSymmetricDefault, KeyUsage: types.KeyUsageTypeEncryptDecrypt, Origin: types.OriginTypeAwsKms,
		}}
	})
}

func (s *stub) GetKeyLastUsage(_ context.Context, in *kms.GetKeyLastUsageInput, _ ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return answer(s, "GetKeyLastUsage", in, s.lastUsage, func() *kms.GetKeyLastUsageOutput {
		return &kms.GetKeyLastUsageOutput{
			KeyId: in.KeyId, KeyCreationDate: aws.Time(longAgo), TrackingStartDate: aws.Time(trackedFrom),
			KeyLastUsage: &types.KeyLastUsageData{},
		}
	})
}

func (s *stub) ListGrants(_ context.Context, in *kms.ListGrantsInput, _ ...func(*kms.Options)) (*kms.ListGrantsOutput, error) {
	return answer(s, "ListGrants", in, s.listGrants, func() *kms.ListGrantsOutput {
		return &kms.ListGrantsOutput{Grants: []types.GrantListEntry{}}
	})
}

func (s *stub) GetKeyPolicy(_ context.Context, in *kms.GetKeyPolicyInput, _ ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	return answer(s, "GetKeyPolicy", in, s.keyPolicy, func() *kms.GetKeyPolicyOutput {
		return &kms.GetKeyPolicyOutput{Policy: aws.String(delegating)}
	})
}

func (s *stub) ListResourceTags(_ context.Context, in *kms.ListResourceTagsInput, _ ...func(*kms.Options)) (*kms.ListResourceTagsOutput, error) {
	return answer(s, "ListResourceTags", in, s.listTags, func() *kms.ListResourceTagsOutput {
		return &kms.ListResourceTagsOutput{Tags: []types.Tag{}}
	})
}

func (s *stub) ListKeyRotations(_ context.Context, in *kms.ListKeyRotationsInput, _ ...func(*kms.Options)) (*kms.ListKeyRotationsOutput, error) {
	return answer(s, "ListKeyRotations", in, s.listRotations, func() *kms.ListKeyRotationsOutput {
		return &kms.ListKeyRotationsOutput{Rotations: []types.RotationsListEntry{}}
	})
}

// tally counts by name, concurrently. The zero value is ready.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

// add counts one more and returns how many that makes.
func (c *tally) add(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
	return c.n[name]
}

func (c *tally) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}

// manyARNs are made-up keys of the account.
func manyARNs(n int) []string {
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, fmt.Sprintf("arn:aws:kms:%s:%s:key/00000000-0000-0000-0000-%012d", ohio, home, i))
	}
	return out
}

var (
	errFirst  = errors.New("the first")
	errSecond = errors.New("the second")
)

// mute answers nothing, without an error: also not the list of keys if dumb.
type mute struct {
	stub
	dumb bool
}

func (m *mute) ListKeys(ctx context.Context, in *kms.ListKeysInput, fns ...func(*kms.Options)) (*kms.ListKeysOutput, error) {
	if m.dumb {
		return nil, nil
	}
	return m.stub.ListKeys(ctx, in, fns...)
}

func (*mute) ListAliases(context.Context, *kms.ListAliasesInput, ...func(*kms.Options)) (*kms.ListAliasesOutput, error) {
	return nil, nil
}

func (*mute) DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	return nil, nil
}

func (*mute) GetKeyLastUsage(context.Context, *kms.GetKeyLastUsageInput, ...func(*kms.Options)) (*kms.GetKeyLastUsageOutput, error) {
	return nil, nil
}

func (*mute) ListGrants(context.Context, *kms.ListGrantsInput, ...func(*kms.Options)) (*kms.ListGrantsOutput, error) {
	return nil, nil
}

func (*mute) GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	return nil, nil
}

func (*mute) ListResourceTags(context.Context, *kms.ListResourceTagsInput, ...func(*kms.Options)) (*kms.ListResourceTagsOutput, error) {
	return nil, nil
}

func (*mute) ListKeyRotations(context.Context, *kms.ListKeyRotationsInput, ...func(*kms.Options)) (*kms.ListKeyRotationsOutput, error) {
	return nil, nil
}
