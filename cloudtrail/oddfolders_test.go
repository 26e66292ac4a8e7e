package cloudtrail_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kmsusage/usage/cloudtrail"
)

// oddFolder is a file system whose root lists one entry more, of any name.
type oddFolder struct {
	fstest.MapFS
	name   string
	folder bool
	always bool // in every folder
}

func (o oddFolder) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := o.MapFS.ReadDir(dir)
	if dir != "." && !o.always {
		return entries, err
	}
	return append(entries, fs.FileInfoToDirEntry(oddEntry{o.name, o.folder})), nil
}

type oddEntry struct {
	name   string
	folder bool
}

func (e oddEntry) Name() string      { return e.name }
func (e oddEntry) IsDir() bool       { return e.folder }
func (oddEntry) Sys() any            { return nil }
func (oddEntry) Size() int64         { return 0 }
func (e oddEntry) Mode() fs.FileMode { return map[bool]fs.FileMode{true: fs.ModeDir}[e.folder] }
func (oddEntry) ModTime() (t time.Time) {
	return t
}

func TestFoldersThatLeadRoundInACircleAreGaps(t *testing.T) {
	for name, tt := range map[string]struct {
		fsys oddFolder
		gap  cloudtrail.GapReason // empty: none
		path string               // how that of the gap ends
	}{
		"a folder without a name":            {oddFolder{name: "", folder: true}, cloudtrail.BadName, "."},
		"a folder that is itself":            {oddFolder{name: ".", folder: true}, cloudtrail.BadName, "."},
		"the folder above":                   {oddFolder{name: "..", folder: true}, cloudtrail.BadName, "."},
		"a folder with a slash":              {oddFolder{name: "a/b", folder: true}, cloudtrail.BadName, "."},
		"a folder in each folder":            {oddFolder{name: "a", folder: true, always: true}, cloudtrail.TooDeep, "/a/a/a/a"},
		"a folder in each folder of a day":   {oddFolder{name: "05", folder: true, always: true}, cloudtrail.TooDeep, "/05/05/05"},
		"the object that stands for it":      {oddFolder{name: ""}, "", ""},
		"a file that is called like a place": {oddFolder{name: ".."}, cloudtrail.BadName, "."},
	} {
		t.Run(name, func(t *testing.T) {
			tt.fsys.MapFS = fstest.MapFS{
				"AWSLogs/111122223333/CloudTrail/us-west-2/2026/03/05/records.json": {Data: []byte(`{"Records":[]}`)},
			}
			h, err := cloudtrail.Scan(t.Context(), tt.fsys)
			if err != nil {
				t.Fatal(err)
			}
			if h.Stats().Files < 1 {
				t.Errorf("%d files were read, want the one that is there", h.Stats().Files)
			}
			gaps := h.Gaps()
			if tt.gap == "" {
				if len(gaps) > 0 {
					t.Errorf("gaps %v", gaps)
				}
				return
			}
			if !slices.ContainsFunc(gaps, func(g cloudtrail.Gap) bool { return g.Reason == tt.gap && strings.HasSuffix(g.Path, tt.path) }) {
				t.Errorf("%d gaps, none of them %q at %s", len(gaps), tt.gap, tt.path)
			}
		})
	}
}
