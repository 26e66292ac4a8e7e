package archive

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"testing"

	"github.com/klauspost/compress/gzip"
)

func TestTheSameSpecGivesTheSameBytes(t *testing.T) {
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		if _, err := (Spec{}).Each(func(name string, packed []byte) error {
			w.WriteString(name)
			w.Write(packed)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two runs differ")
	}
}

func TestEveryFileIsValidJSONOfRecordsOfTheSizeWanted(t *testing.T) {
	fsys, truth := Spec{Files: 4}.FS()
	var records, size, kms int
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		packed, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		plain, err := io.ReadAll(z)
		if err != nil {
			return err
		}
		size += len(plain)
		var file struct {
			Records []struct{ EventSource string }
		}
		if err := json.Unmarshal(plain, &file); err != nil {
			return err
		}
		records += len(file.Records)
		for _, r := range file.Records {
			if r.EventSource == "kms.amazonaws.com" {
				kms++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if records != truth.Records || kms != truth.KMS || int64(size) != truth.Bytes {
		t.Errorf("read %d records, %d of KMS, %d bytes; the truth is %d, %d, %d", records, kms, size, truth.Records, truth.KMS, truth.Bytes)
	}
	if mean := size / records; mean < 1900 || mean > 2300 {
		t.Errorf("a record has %d bytes on average, want about 2048", mean)
	}
}
