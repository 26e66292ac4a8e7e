package cloudtrail

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/kmsusage/usage"
)

// ScanOptions change what [Scan] reads and keeps. The zero value is valid and
// reads everything.
type ScanOptions struct {
	// Accounts and Regions whose log files are read, for example "111122223333"
	// and "us-east-1". Nil: all. Files whose path does not tell are opened; their
	// records tell.
	Accounts []string
	Regions  []string
	// From and To limit the time of the events, UTC; From included, To not. Zero:
	// no limit. Files of other days are not opened: changes of trails before From
	// are not seen, and nothing says what they left out since. Who scans an archive
	// part by part has to look at the [LogHistory.TrailChanges] of earlier parts;
	// [Stats] counts what was there to look at. Parts that meet at midnight join if
	// there are files of the day before.
	From, To time.Time
	// FirstAndLastOnly leaves out what has to be counted: operations, errors,
	// services and encryption contexts. It is faster. Refusals are kept.
	FirstAndLastOnly bool
	// RefusedSince is from when on refusals are kept, UTC. Zero: all.
	RefusedSince time.Time
	// Refusals is how many refusals of a key are kept, the newest; Contexts how
	// many pairs of encryption contexts, whichever. The rest is counted. 1 to 1000;
	// zero: 16 and 8.
	Refusals int
	Contexts int
	// Keys is how many keys are kept; what names others is a gap. Zero: 100,000.
	Keys int
	// DedupeWindow is within how many of the events before it, give or take half,
	// a copy of an event is known as such; each costs up to 43 bytes. Zero: 786,432.
	DedupeWindow int
	// MaxFile is how many bytes of a file are read, unpacked; CloudTrail's have up
	// to 50 MB. Zero: 1 GiB.
	MaxFile int64
	// MaxRecord is how many bytes a record may have; CloudTrail's have up to
	// 1 MB. Each worker may need as much memory. Zero: 4 MiB.
	MaxRecord int
	// QuietDays is for how many days in a row an account may have no reading KMS
	// event in a Region. A longer silence is a blind spot: the trail may have left
	// such events out. Zero: 7. Negative: any silence is believed.
	QuietDays int
	// Workers is how many files are read at once, 1 to 1024. Zero: one for each
	// processor that Go uses, at most 16.
	Workers int
	// Progress is called after every file, never concurrently. It must be quick.
	// Nil: nobody is told.
	Progress func(ScanProgress)
	// Logger is told of every gap. Nil: silence. No log line holds what stands in
	// a record.
	Logger *slog.Logger
	// Now is the clock by which an event is of the future, and before which nothing
	// is claimed of what may still be delivered. It is asked for each file, and by
	// several goroutines at once. Nil: the system's.
	Now func() time.Time

	firstBuffer int // what a worker begins with; tests make it small
}

// ScanProgress is how far a scan has come.
type ScanProgress struct {
	Days, DaysDone   int   // days of the archive; zero until its folders are listed
	Files, FilesDone int   // log files found so far, and read
	PackedBytes      int64 // read so far
	Bytes            int64 // the same, unpacked
	Records          int   // of all services
	KMS              int   // of KMS
	Gaps             int
}

const (
	defaultRefusals  = 16
	defaultContexts  = 8
	defaultKeys      = 100_000
	defaultWindow    = 1 << 20 * 3 / 4 // fills a table of 8 MiB
	defaultMaxFile   = 1 << 30
	defaultMaxRecord = 4 << 20
	defaultQuietDays = 7
	defaultWorkers   = 16
)

func (o ScanOptions) resolve() (ScanOptions, error) {
	for _, n := range []struct {
		name     string
		v, limit int64
	}{
		{"Refusals", int64(o.Refusals), 1000},
		{"Contexts", int64(o.Contexts), 1000},
		{"Keys", int64(o.Keys), 1 << 30},
		{"DedupeWindow", int64(o.DedupeWindow), 1 << 30},
		{"MaxFile", o.MaxFile, 1 << 50},
		{"MaxRecord", int64(o.MaxRecord), 1 << 30},
		{"Workers", int64(o.Workers), 1024},
	} {
		if n.v < 0 || n.v > n.limit {
			return o, invalidOption("%s is %d; want 0 for the default or 1 to %d", n.name, n.v, n.limit)
		}
	}
	if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) {
		return o, invalidOption("From %s is not before To %s", o.From.UTC().Format(time.RFC3339), o.To.UTC().Format(time.RFC3339))
	}
	for _, a := range o.Accounts {
		if !isAccount(a) {
			return o, invalidOption("account %q; want twelve digits", a)
		}
	}
	for _, r := range o.Regions {
		if !isRegion(r) {
			return o, invalidOption("Region %q; want names such as us-east-1", r)
		}
	}
	o.Refusals = cmp.Or(o.Refusals, defaultRefusals)
	o.Contexts = cmp.Or(o.Contexts, defaultContexts)
	o.Keys = cmp.Or(o.Keys, defaultKeys)
	o.DedupeWindow = cmp.Or(o.DedupeWindow, defaultWindow)
	o.MaxFile = cmp.Or(o.MaxFile, defaultMaxFile)
	o.MaxRecord = cmp.Or(o.MaxRecord, defaultMaxRecord)
	o.QuietDays = cmp.Or(o.QuietDays, defaultQuietDays)
	o.Workers = cmp.Or(o.Workers, min(defaultWorkers, runtime.GOMAXPROCS(0)))
	o.firstBuffer = min(cmp.Or(o.firstBuffer, firstBuffer), o.MaxRecord)
	o.From, o.To, o.RefusedSince = o.From.UTC(), o.To.UTC(), o.RefusedSince.UTC()
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func invalidOption(format string, args ...any) error {
	return fmt.Errorf("cloudtrail: %w: %s", usage.ErrInvalidOption, fmt.Sprintf(format, args...))
}
