package cloudtrail

import (
	"bytes"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/gzip"

	"github.com/kmsusage/usage/internal/archive"
)

// BenchmarkRecords walks over records that lie in memory: what finding the
// members of all of them costs, without unpacking and without use of them.
func BenchmarkRecords(b *testing.B) {
	fsys, _ := archive.Spec{Files: 1, Records: 2500, Keys: 100}.FS()
	var plain []byte
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		packed, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		zip, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		plain, err = io.ReadAll(zip)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	plain = plain[len(`{"Records":[`):]
	b.SetBytes(int64(len(plain)))
	b.ResetTimer()
	before := cpuTime()
	defer func() { b.ReportMetric(float64(len(plain))*float64(b.N)/(cpuTime()-before).Seconds()/1e6, "MB/cpu-s") }()
	for range b.N {
		var r record
		for rest := plain; rest[0] == '{'; {
			n := r.scan(rest[:min(len(rest), firstBuffer)])
			if n < 0 {
				b.Fatal(n)
			}
			rest = rest[n+1:]
		}
	}
}

// BenchmarkPlain scans files that lie unpacked in memory.
func BenchmarkPlain(b *testing.B) {
	packed, _ := archive.Spec{Files: 8, Records: 1250, Keys: 250}.FS()
	plain := fstest.MapFS{}
	var total int
	err := fs.WalkDir(packed, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(packed, path)
		if err != nil {
			return err
		}
		zip, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return err
		}
		data, err = io.ReadAll(zip)
		total += len(data)
		plain[strings.TrimSuffix(path, ".gz")] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(total))
	b.ResetTimer()
	before := cpuTime()
	defer func() { b.ReportMetric(float64(total)*float64(b.N)/(cpuTime()-before).Seconds()/1e6, "MB/cpu-s") }()
	for range b.N {
		h, err := Scan(b.Context(), plain, func(o *ScanOptions) { o.Workers = 1 })
		if err != nil || len(h.Gaps()) > 0 {
			b.Fatal(err, h.Gaps())
		}
	}
}
