package cloudtrail

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// walk lists the files of an archive, in order of time: first the folders, then
// the files of one day after another, so that an archive of years needs the
// memory of a day.
type walk struct {
	fsys    fs.FS
	o       ScanOptions
	days    []dayFolder
	loose   []logFile // files outside of the folders of days
	gaps    []Gap
	skipped int // folders and files that the options or their kind leave out
	ignored int // files that are no log files, by their name
}

type dayFolder struct {
	path string
	place
}

// folders lists the folders from dir down to those of days.
func (w *walk) folders(ctx context.Context, dir string) error {
	entries, err := w.entries(ctx, dir)
	if err != nil {
		return err
	}
	here := folderPlace(dir)
	for _, e := range entries {
		name, ok := w.name(dir, e)
		if !ok {
			continue
		}
		if !w.isDir(name, e) {
			w.loose = w.file(w.loose, name, e, here)
			continue
		}
		p := folderPlace(name)
		switch {
		case !w.wanted(p):
			w.skipped++
		case p.day != 0:
			w.days = append(w.days, dayFolder{name, p})
		default:
			if err := w.folders(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// entries lists a folder. What cannot be listed is a gap; only the end of the
// context and a root that cannot be listed are errors.
func (w *walk) entries(ctx context.Context, dir string) ([]fs.DirEntry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		if dir == "." && len(entries) == 0 {
			return nil, err
		}
		p := folderPlace(dir)
		w.gaps = append(w.gaps, Gap{Path: dir, Account: p.account, Region: p.region, Day: p.date(), Reason: reasonOf(err), Count: 1, Err: err})
	}
	return entries, nil
}

// maxFolders is how many may lie in one another. CloudTrail's lie ten deep,
// besides a prefix of up to 200 characters.
const maxFolders = 256

// name is the path of an entry of a folder; false if it is not to be followed,
// which could go round in a circle. A file without a name is the object that stands
// for a folder in some buckets; all else is a gap.
func (w *walk) name(dir string, e fs.DirEntry) (string, bool) {
	name := path.Join(dir, e.Name())
	g := Gap{Path: name, Count: 1}
	switch {
	case e.Name() == "" && !e.IsDir():
		w.ignored++
		return "", false
	case e.Name() == "." || strings.Contains(e.Name(), "/") || !fs.ValidPath(e.Name()):
		g.Path, g.Reason = dir, BadName
		g.Err = fmt.Errorf("an entry is called %q", e.Name())
	case strings.Count(name, "/") >= maxFolders:
		g.Reason = TooDeep
	default:
		return name, true
	}
	p := folderPlace(dir)
	g.Account, g.Region, g.Day = p.account, p.region, p.date()
	w.gaps = append(w.gaps, g)
	return "", false
}

// isDir tells whether an entry is a folder.
func (w *walk) isDir(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	if info, err := fs.Stat(w.fsys, name); err == nil && info.IsDir() {
		p := folderPlace(name)
		w.gaps = append(w.gaps, Gap{Path: name, Account: p.account, Region: p.region, Day: p.date(), Reason: NotFollowed, Count: 1})
	}
	return false
}

// file appends a file to the list if it is to be read.
func (w *walk) file(list []logFile, name string, e fs.DirEntry, folder place) []logFile {
	if !isLog(name) {
		w.ignored++
		return list
	}
	if t := e.Type(); !t.IsRegular() && t&fs.ModeSymlink == 0 {
		w.ignored++ // a device or a socket
		return list
	}
	p := filePlace(folder, name)
	if !w.wanted(p) {
		w.skipped++
		return list
	}
	return append(list, logFile{name, p})
}

// wanted tells whether something at p can hold what the options ask for.
func (w *walk) wanted(p place) bool {
	if p.other ||
		p.account != "" && !within(w.o.Accounts, []byte(p.account)) ||
		p.region != "" && !within(w.o.Regions, []byte(p.region)) {
		return false
	}
	from, to, ok := p.span()
	return !ok || (w.o.To.IsZero() || from.Before(w.o.To)) && (w.o.From.IsZero() || to.After(w.o.From))
}

// each calls day with the files of one day after another; first those whose day
// nobody knows. Files are in order of the time in their name, so that copies of
// one file come together.
func (w *walk) each(ctx context.Context, day func([]logFile) error) error {
	byDate := func(a, b place) int { return a.date().Compare(b.date()) }
	slices.SortStableFunc(w.days, func(a, b dayFolder) int { return byDate(a.place, b.place) })
	slices.SortStableFunc(w.loose, func(a, b logFile) int { return byDate(a.place, b.place) })
	folders, loose := w.days, w.loose
	for len(folders) > 0 || len(loose) > 0 {
		date := w.nextDate(folders, loose)
		var list []logFile
		for len(loose) > 0 && loose[0].date().Equal(date) {
			list = append(list, loose[0])
			loose = loose[1:]
		}
		for len(folders) > 0 && folders[0].date().Equal(date) {
			var err error
			if list, err = w.filesOf(ctx, list, folders[0].path); err != nil {
				return err
			}
			folders = folders[1:]
		}
		slices.SortFunc(list, func(a, b logFile) int {
			return cmp.Or(a.stamp.Compare(b.stamp), cmp.Compare(path.Base(a.path), path.Base(b.path)), cmp.Compare(a.path, b.path))
		})
		if err := day(list); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) nextDate(folders []dayFolder, loose []logFile) time.Time {
	switch {
	case len(folders) == 0:
		return loose[0].date()
	case len(loose) == 0 || folders[0].date().Before(loose[0].date()):
		return folders[0].date()
	default:
		return loose[0].date()
	}
}

// filesOf appends all files below a folder.
func (w *walk) filesOf(ctx context.Context, list []logFile, dir string) ([]logFile, error) {
	entries, err := w.entries(ctx, dir)
	if err != nil {
		return list, err
	}
	here := folderPlace(dir)
	for _, e := range entries {
		name, ok := w.name(dir, e)
		switch {
		case !ok:
		case !w.isDir(name, e):
			list = w.file(list, name, e, here)
		case !w.wanted(folderPlace(name)):
			w.skipped++
		default:
			if list, err = w.filesOf(ctx, list, name); err != nil {
				return list, err
			}
		}
	}
	return list, nil
}

// dates is how many different days there are.
func (w *walk) dates() int {
	seen := map[time.Time]bool{}
	for _, d := range w.days {
		seen[d.date()] = true
	}
	for _, f := range w.loose {
		seen[f.date()] = true
	}
	return len(seen)
}
