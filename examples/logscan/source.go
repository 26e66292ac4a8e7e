package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kmsusage/usage/internal/archive"
)

// source is what is scanned.
type source struct {
	fsys  fs.FS
	title string
	close io.Closer // nil: nothing to close
}

// open opens a folder, a zip file, a single log file or, without a path, a small
// archive that it makes up.
func open(path string) (source, error) {
	if path == "" {
		fsys, _ := archive.Spec{Files: 48, Records: 250, Keys: 24}.FS()
		return source{fsys: fsys, title: "A made-up archive of two days and two Regions, not one of yours. Give a folder to read that."}, nil
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return source{}, err
	case info.IsDir():
		return source{fsys: os.DirFS(path), title: "CloudTrail log files in " + plain(path)}, nil
	case !info.Mode().IsRegular():
		return source{}, fmt.Errorf("%s is neither a folder nor a file", path)
	case strings.EqualFold(filepath.Ext(path), ".zip"):
		z, err := zip.OpenReader(path)
		// What is not safe to unpack is safe to read: nothing is written anywhere.
		if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
			return source{}, fmt.Errorf("%s: %w", path, err)
		}
		return source{fsys: z, title: "CloudTrail log files in " + plain(path), close: z}, nil
	default:
		dir, name := filepath.Split(path)
		if dir == "" {
			dir = "."
		}
		return source{fsys: oneFile{os.DirFS(dir), name}, title: "CloudTrail records in " + plain(path)}, nil
	}
}

// oneFile is a file system of a single file of a folder.
type oneFile struct {
	fs.FS
	name string
}

// ReadDir lists that file.
func (o oneFile) ReadDir(string) ([]fs.DirEntry, error) {
	info, err := fs.Stat(o.FS, o.name)
	if err != nil {
		return nil, err
	}
	return []fs.DirEntry{fs.FileInfoToDirEntry(info)}, nil
}
