package usage_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/kmsusage/usage"
)

// vast is an account of n keys, each with an alias, that exists only in its
// answers: what is in memory is the library's.
type vast struct {
	stub
	n int
}

func (v *vast) id(i int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", i) }

func (v *vast) page(marker *string, size int) (from, to int, next *string, truncated bool) {
	from = pageOf(marker)
	to = min(v.n, from+size)
	if to < v.n {
		return from, to, aws.String(strconv.Itoa(to)), true
	}
	return from, to, nil, false
}

func (v *vast) ListKeys(_ context.Context, in *kms.ListKeysInput, _ ...func(*kms.Options)) (*kms.ListKeysOutput, error) {
	from, to, next, truncated := v.page(in.Marker, 1000)
	out := &kms.ListKeysOutput{NextMarker: next, Truncated: truncated}
	for i := from; i < to; i++ {
		out.Keys = append(out.Keys, types.KeyListEntry{
			KeyId: aws.String(v.id(i)), KeyArn: aws.String("arn:aws:kms:" + ohio + ":" + home + ":key/" + v.id(i)),
		})
	}
	return out, nil
}

func (v *vast) ListAliases(_ context.Context, in *kms.ListAliasesInput, _ ...func(*kms.Options)) (*kms.ListAliasesOutput, error) {
	from, to, next, truncated := v.page(in.Marker, 100)
	out := &kms.ListAliasesOutput{NextMarker: next, Truncated: truncated}
	for i := from; i < to; i++ {
		name := fmt.Sprintf("alias/service-%06d/production/data", i)
		out.Aliases = append(out.Aliases, types.AliasListEntry{
			AliasName: aws.String(name), TargetKeyId: aws.String(v.id(i)),
			AliasArn: aws.String("arn:aws:kms:" + ohio + ":" + home + ":" + name),
		})
	}
	return out, nil
}

// heapAfter is the live heap that inspecting n keys holds when a tenth of them
// have been taken, and half of them, the listing complete.
func heapAfter(t *testing.T, n int) (tenth, half int64) {
	t.Helper()
	client := &vast{n: n}
	listed, complete := make(chan struct{}), false
	before, taken := liveHeap(), 0
	for f, err := range usage.Inspect(t.Context(), client, func(o *usage.InspectOptions) {
		// The other readings leave nothing behind either; they would only take time.
		o.Readings = usage.Readings{NoMetadata: true, NoGrants: true, NoPolicy: true, NoTags: true, NoRotations: true}
		o.Progress = func(p usage.Progress) {
			if p.Complete && !complete {
				complete = true
				close(listed)
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if f.LastUsage == nil || len(f.Aliases) != 1 || !strings.HasPrefix(f.Aliases[0], "alias/service-") {
			t.Fatalf("not read as it should be: %+v", f)
		}
		switch taken++; taken {
		case n / 10:
			<-listed
			tenth = liveHeap() - before
		case n / 2:
			return tenth, liveHeap() - before
		}
	}
	t.Fatalf("%d keys of %d", taken, n)
	return 0, 0
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// "at most 1 KiB a key for what listing must remember (ARN, aliases), all else
// constant; shown at 1,000 and 100,000 keys"
func TestMemoryIsAKibibyteAKeyAtMostAndElseConstant(t *testing.T) {
	const few, many, constant = 1_000, 100_000, 1 << 20
	smallTenth, smallHalf := heapAfter(t, few)
	largeTenth, largeHalf := heapAfter(t, many)
	for n, heap := range map[int64]int64{few: max(smallTenth, smallHalf), many: max(largeTenth, largeHalf)} {
		t.Logf("%d keys: %d KiB", n, heap>>10)
		if heap > n<<10+constant {
			t.Errorf("%d keys take %d bytes, want at most a KiB each and %d", n, heap, constant)
		}
	}
	// What was taken is forgotten: reading on does not add to it.
	for _, grown := range []int64{smallHalf - smallTenth, largeHalf - largeTenth} {
		if grown > constant {
			t.Errorf("%d bytes more after half of the keys than after a tenth", grown)
		}
	}
}
