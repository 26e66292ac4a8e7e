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
	gaps    []placedGap
	skipped int // folders and files that the options or their kind leave out
	earlier int // of these, what lies before From
	ignored int // files that are no log files, by their name
	// before is what has log files of the day before From.
	before map[delivery]bool
}

// placedGap is a gap and what its path tells.
type placedGap struct {
	Gap
	place place
	file  bool
}

func (w *walk) gap(name string, p place, reason GapReason, err error) {
	w.gaps = append(w.gaps, placedGap{Gap{Path: name, Account: p.account, Region: p.region, Day: p.date(), Reason: reason, Count: 1, Err: err}, p, false})
}

func (w *walk) fileGap(name string, p place, reason GapReason) {
	w.gap(name, p, reason, nil)
	w.gaps[len(w.gaps)-1].file = true
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
		switch dir, ok := w.isDir(name, e); {
		case !ok:
			continue
		case !dir:
			w.loose = w.file(w.loose, name, e, here)
			continue
		}
		p := folderPlace(name)
		switch {
		case w.dayBefore(p):
			w.skip(p)
			w.peek(name, p)
		case !w.wanted(p) && !w.leadsBefore(p):
			w.skip(p)
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
		w.gap(dir, folderPlace(dir), reasonOf(err), err)
	}
	return entries, nil
}

// skip counts what is left out.
func (w *walk) skip(p place) {
	w.skipped++
	if _, to, ok := p.span(); ok && !w.o.From.IsZero() && !to.After(w.o.From) && w.asked(p) {
		w.earlier++
	}
}

// dayBefore tells whether something is of the day before that of From.
func (w *walk) dayBefore(p place) bool {
	return !w.o.From.IsZero() && p.day != 0 && p.date().Equal(w.o.From.Truncate(oneDay).Add(-oneDay)) && w.asked(p)
}

// leadsBefore tells whether the day before that of From can lie in a folder.
func (w *walk) leadsBefore(p place) bool {
	from, to, ok := p.span()
	day := w.o.From.Truncate(oneDay)
	return ok && p.day == 0 && !w.o.From.IsZero() && from.Before(day) && !to.Before(day) && w.asked(p)
}

// peek finds out what has log files on the day before that of From: of it, files
// had begun to come when From came. They need not be read for that.
func (w *walk) peek(dir string, here place) {
	entries, err := fs.ReadDir(w.fsys, dir)
	if err != nil {
		return // nothing is claimed then
	}
	for _, e := range entries {
		if name := path.Join(dir, e.Name()); e.Type().IsRegular() && isLog(name) {
			w.hasBefore(filePlace(here, name))
		}
	}
}

func (w *walk) hasBefore(p place) {
	if p.other || !p.placed() || !w.dayBefore(p) {
		return
	}
	if w.before == nil {
		w.before = map[delivery]bool{}
	}
	w.before[p.delivery()] = true
}

// maxFolders is how many may lie in one another. CloudTrail's lie ten deep,
// besides a prefix of up to 200 characters.
const maxFolders = 256

// name is the path of an entry of a folder; false if it is not to be followed,
// which could go round in a circle. A file without a name is the object that stands
// for a folder in some buckets; all else is a gap.
func (w *walk) name(dir string, e fs.DirEntry) (string, bool) {
	name := path.Join(dir, e.Name())
	switch {
	case e.Name() == "" && !e.IsDir():
		w.ignored++
		return "", false
	case e.Name() == "." || strings.Contains(e.Name(), "/") || !fs.ValidPath(e.Name()):
		w.gap(dir, folderPlace(dir), BadName, fmt.Errorf("an entry is called %q", e.Name()))
	case strings.Count(name, "/") >= maxFolders:
		w.gap(name, folderPlace(dir), TooDeep, nil)
	default:
		return name, true
	}
	return "", false
}

// isDir tells whether an entry is a folder. It is false if it is a link that is not
// followed: to a folder, or to what cannot be told and may be one, unless it is
// called like a file that is read.
func (w *walk) isDir(name string, e fs.DirEntry) (dir, ok bool) {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir(), true
	}
	p := folderPlace(name)
	if !w.wanted(p) {
		return false, true
	}
	switch info, err := fs.Stat(w.fsys, name); {
	case err == nil && info.IsDir():
		w.gap(name, p, NotFollowed, nil)
	case err != nil && !isLog(name):
		w.gap(name, p, reasonOf(err), err)
	default:
		return false, true
	}
	return false, false
}

// file appends a file to the list if it is to be read.
func (w *walk) file(list []logFile, name string, e fs.DirEntry, folder place) []logFile {
	p := filePlace(folder, name)
	log, t := isLog(name), e.Type()
	// Among the log files of a day there is nothing else but by accident: a copy that
	// was not finished, or packed in another way.
	expected := log || folder.day != 0 || isNamed(name)
	switch {
	case !expected:
		w.ignored++
	case !w.wanted(p):
		w.skip(p)
		if log && t.IsRegular() {
			w.hasBefore(p)
		}
	case !t.IsRegular() && t&fs.ModeSymlink == 0:
		w.fileGap(name, p, NoFile) // a device or a socket
	case log:
		return append(list, logFile{name, p})
	default:
		w.fileGap(name, p, OddName)
	}
	return list
}

// asked tells whether something at p can be of an account and Region that the
// options ask for.
func (w *walk) asked(p place) bool {
	return !p.other &&
		(p.account == "" || within(w.o.Accounts, []byte(p.account))) &&
		(p.region == "" || within(w.o.Regions, []byte(p.region)))
}

// wanted tells whether something at p can hold what the options ask for.
func (w *walk) wanted(p place) bool {
	if !w.asked(p) {
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
func (w *walk) filesOf(ctx context.Context, list []logFile, folder string) ([]logFile, error) {
	entries, err := w.entries(ctx, folder)
	if err != nil {
		return list, err
	}
	here := folderPlace(folder)
	for _, e := range entries {
		name, ok := w.name(folder, e)
		if !ok {
			continue
		}
		dir, ok := w.isDir(name, e)
		if !ok {
			continue
		}
		switch {
		case !dir:
			list = w.file(list, name, e, here)
		case !w.wanted(folderPlace(name)):
			w.skip(folderPlace(name))
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
