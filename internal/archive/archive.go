// Package archive makes archives of CloudTrail log files, as CloudTrail delivers
// them to S3, for tests, benchmarks and examples. The same [Spec] gives the same
// bytes on every machine.
package archive

import (
	"bytes"
	"cmp"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/gzip"
)

// Spec says what an archive looks like. The zero value is a small one: 12 files
// of 200 records, 20 keys.
type Spec struct {
	Seed     uint64        // another seed, other values
	Files    int           // log files; zero: 12
	Records  int           // records a file; zero: 200
	Bytes    int           // of a record, on average; zero: 2048
	KMS      float64       // share of KMS records; zero: 0.3
	Keys     int           // keys in use; zero: 20. A few are used far more than others
	Account  string        // zero: 111122223333
	Regions  []string      // files take turns; zero: us-east-1 and eu-west-1
	Start    time.Time     // of the first file; zero: 2026-03-01 UTC
	Interval time.Duration // between files of a Region; zero: 2 hours
}

// Large is the archive of the benchmarks: about 1.2 GB unpacked.
func Large() Spec { return Spec{Files: 240, Records: 2500, Keys: 500} }

// Quick is a tenth of [Large].
func Quick() Spec { return Spec{Files: 48, Records: 1250, Keys: 500} }

// Tiny is thousands of files of two kilobytes, packed.
func Tiny() Spec { return Spec{Files: 4000, Records: 5, Keys: 100, Interval: 5 * time.Minute} }

func (s Spec) withDefaults() Spec {
	s.Files = cmp.Or(s.Files, 12)
	s.Records = cmp.Or(s.Records, 200)
	s.Bytes = cmp.Or(s.Bytes, 2048)
	s.KMS = cmp.Or(s.KMS, 0.3)
	s.Keys = cmp.Or(s.Keys, 20)
	s.Account = cmp.Or(s.Account, "111122223333")
	s.Interval = cmp.Or(s.Interval, 2*time.Hour)
	if len(s.Regions) == 0 {
		s.Regions = []string{"us-east-1", "eu-west-1"}
	}
	if s.Start.IsZero() {
		s.Start = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	}
	return s
}

// Truth is what a correct reading of an archive finds.
type Truth struct {
	Records int // all records
	KMS     int // KMS records
	Bytes   int64
	Keys    map[string]*Key // by ARN
}

// Key is what the records say of one key.
type Key struct {
	First, Last   time.Time // successful tracked operations
	LastOperation string
	LastEventID   string
	Operations    map[string]int // all calls
	Errors        map[string]int // failed calls
	Refusals      int            // failed since the key was off
}

// Each makes the files one after another and hands them over: a path with
// slashes, and the packed content, which is good until the next call.
func (s Spec) Each(file func(name string, packed []byte) error) (Truth, error) {
	s = s.withDefaults()
	g := newGenerator(s)
	var (
		plain  []byte
		packed bytes.Buffer
	)
	zip, err := gzip.NewWriterLevel(nil, gzip.DefaultCompression)
	if err != nil {
		return Truth{}, err
	}
	for i := range s.Files {
		var name string
		name, plain = g.file(i, plain[:0])
		packed.Reset()
		zip.Reset(&packed)
		if _, err := zip.Write(plain); err != nil {
			return g.truth, err
		}
		if err := zip.Close(); err != nil {
			return g.truth, err
		}
		g.truth.Bytes += int64(len(plain))
		if err := file(name, packed.Bytes()); err != nil {
			return g.truth, err
		}
	}
	return g.truth, nil
}

// FS makes the archive in memory.
func (s Spec) FS() (fs.FS, Truth) {
	m := fstest.MapFS{}
	truth, err := s.Each(func(name string, packed []byte) error {
		m[name] = &fstest.MapFile{Data: bytes.Clone(packed), Mode: 0o444}
		return nil
	})
	if err != nil {
		panic("archive: " + err.Error()) // writing to memory does not fail
	}
	return m, truth
}

// Dir makes the archive in a folder of its own under the folder given, unless it
// is there from an earlier call, and returns its path.
func (s Spec) Dir(under string) (string, error) {
	s = s.withDefaults()
	h := fnv.New64a()
	_, _ = h.Write(fmt.Appendf(nil, "%d %+v", version, s)) // never fails
	dir := filepath.Join(under, fmt.Sprintf("cloudtrail-%016x", h.Sum64()))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(under, 0o750); err != nil {
		return "", err
	}
	part, err := os.MkdirTemp(under, "part-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(part) //nolint:errcheck // gone after the rename below, or of no use
	_, err = s.Each(func(name string, packed []byte) error {
		path := filepath.Join(part, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		return os.WriteFile(path, packed, 0o600)
	})
	if err != nil {
		return "", err
	}
	if err := os.Rename(part, dir); err != nil {
		return "", err
	}
	return dir, nil
}
