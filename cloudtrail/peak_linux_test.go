package cloudtrail

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage/internal/archive"
)

// peakOf is set for the process whose memory is measured: a folder, or "huge".
const peakOf = "KMSUSAGE_TEST_PEAK"

// TestMemoryIsBoundedWhateverTheSize measures what another process needed at most,
// of physical memory and for everything, the Go runtime and this test included.
func TestMemoryIsBoundedWhateverTheSize(t *testing.T) {
	if what := os.Getenv(peakOf); what != "" {
		fsys := os.DirFS(what)
		if what == "huge" {
			fsys = hugeFS{size: 300 << 20}
		}
		h, err := Scan(t.Context(), fsys, func(o *ScanOptions) { o.Workers = 2 })
		if err != nil || len(h.Gaps()) > 0 {
			t.Fatal(err, h.Gaps())
		}
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(status)) {
			if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				fmt.Printf("peak%s records %d keys %d\n", strings.TrimSuffix(peak, "\n"), h.Stats().Records, h.Stats().Keys)
			}
		}
		return
	}
	if testing.Short() {
		t.Skip("reads hundreds of megabytes")
	}
	var dir string
	if os.Getenv("KMSUSAGE_BENCH") != "" {
		dir = benchArchive(t)
	} else {
		var err error
		if dir, err = archive.Quick().Dir(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	for name, what := range map[string]string{"an archive": dir, "a single huge file": "huge"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMemoryIsBoundedWhateverTheSize$", "-test.v")
			cmd.Env = append(os.Environ(), peakOf+"="+what)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			_, rest, ok := strings.Cut(string(out), "peak")
			if !ok {
				t.Skipf("this system does not tell: %s", out)
			}
			line, _, _ := strings.Cut(rest, "\n")
			kib, err := strconv.Atoi(strings.Fields(line)[0])
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("peak memory %d MiB,%s", kib>>10, line)
			if limit := 64 << 10; kib > limit && !raceEnabled {
				t.Errorf("%d KiB, want at most %d", kib, limit)
			}
		})
	}
}

// hugeFS is a file system of one plain file with records of one event after
// another, made while it is read.
type hugeFS struct{ size int64 }

func (h hugeFS) Open(name string) (fs.File, error) {
	if name == "." {
		return fstest.MapFS{"huge.json": {}}.Open(name)
	}
	f, err := fstest.MapFS{name: {}}.Open(name)
	r := &hugeReader{left: h.size}
	r.rest = r.buf[:copy(r.buf[:], `{"Records":[`)]
	return hugeFile{f, r}, err
}

type hugeFile struct {
	fs.File
	r io.Reader
}

func (h hugeFile) Read(p []byte) (int, error) { return h.r.Read(p) }

type hugeReader struct {
	left int64
	n    int
	buf  [4096]byte
	rest []byte
}

func (h *hugeReader) Read(p []byte) (int, error) {
	if len(h.rest) == 0 {
		switch {
		case h.left < 0:
			return 0, io.EOF
		case h.left < int64(len(h.buf)):
			h.left = -1
			h.rest = append(h.buf[:0], "]}"...)
		default:
			b := h.buf[:0]
			if h.n > 0 {
				b = append(b, ',')
			}
			at := time.Date(2026, time.March, 1, 0, 0, h.n/100, 0, time.UTC)
			b = fmt.Appendf(b, `{"eventTime":%q,"eventSource":"kms.amazonaws.com","eventName":"Decrypt","eventID":"%032x","resources":[{"ARN":"arn:aws:kms:us-west-2:111122223333:key/%d"}],"requestParameters":{"encryptionContext":{"object":"%d"}},"x":"`,
				at.Format(time.RFC3339), h.n, h.n%500, h.n)
			for len(b) < 1500 {
				b = append(b, 'x')
			}
			h.rest = append(b, `"}`...)
			h.n++
		}
	}
	n := copy(p, h.rest)
	h.rest = h.rest[n:]
	if h.left >= 0 {
		h.left -= int64(n)
	}
	return n, nil
}
