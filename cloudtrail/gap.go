package cloudtrail

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// Gap is a file, a folder or a record of an archive that could not be read. What it
// may hold events of is a blind spot of the coverage, as far as its path tells: a
// day of an account and Region, in the tree of one trail; all days where the path
// tells no day, all of everything where a folder's tells nothing. Around midnight
// it is the day before too.
//
// Only a file whose path tells neither account nor Region nor day, or that lies in
// the folder of another service, is a blind spot of nothing. It is part of no
// delivery of CloudTrail, of which alone coverage claims anything, and buckets hold
// files of others that are named like log files, such as those of S3 Inventory.
type Gap struct {
	// Path of the file or folder.
	Path string `json:"path"`
	// Account, Region and Day (UTC) that it is of, as its path tells; zero where it
	// does not.
	Account string    `json:"account,omitempty"`
	Region  string    `json:"region,omitempty"`
	Day     time.Time `json:"day,omitzero"`
	// Reason is what is wrong with it.
	Reason GapReason `json:"reason"`
	// Offset of the record concerned, in unpacked bytes; of a damaged file, of the
	// record in which the damage was noticed.
	Offset int64 `json:"offset"`
	// Record is the number of that record in its file, from 1. Zero: no record.
	Record int `json:"record,omitempty"`
	// Count is how many records of the file have this gap; the first is named.
	Count int `json:"count"`
	// Err is the cause; nil if there is none besides the reason, and after JSON.
	Err error `json:"-"`
}

// String names the file, the place in it and the reason.
func (g Gap) String() string {
	s := g.Path
	if g.Record > 0 {
		s += fmt.Sprintf(": record %d, byte %d", g.Record, g.Offset)
	}
	s += ": " + string(g.Reason)
	if g.Count > 1 {
		s += fmt.Sprintf(" (and %d more)", g.Count-1)
	}
	return s
}

// GapReason is why something of an archive is missing from what was read.
type GapReason string

// The reasons. What stands before the damage of a file has been read.
const (
	Truncated     GapReason = "ends too early"
	NotGzip       GapReason = "is neither gzip nor JSON"
	Corrupt       GapReason = "damaged gzip"
	Trailing      GapReason = "has something behind its end"
	TooLarge      GapReason = "larger unpacked than the limit"
	InvalidJSON   GapReason = "invalid JSON"
	NoRecords     GapReason = "holds no CloudTrail records"
	NoRecord      GapReason = "holds something that is no CloudTrail record"
	RecordTooLong GapReason = "a record or a name in one is larger than the limit"
	NoOutcome     GapReason = "a KMS record does not tell whether the call failed"
	CrowdedCall   GapReason = "a KMS record names more keys than a call has"
	NoTime        GapReason = "a record of KMS or CloudTrail has no time"
	FutureTime    GapReason = "a KMS record is of the future"
	Denied        GapReason = "no permission to read it"
	Vanished      GapReason = "gone since it was listed"
	Unreadable    GapReason = "cannot be read"
	NotFollowed   GapReason = "a symbolic link to a folder, which is not followed"
	OddName       GapReason = "lies among log files or is called so, and is not named as one"
	NoFile        GapReason = "is neither a file nor a folder"
	BadName       GapReason = "lists an entry whose name cannot be one"
	TooDeep       GapReason = "lies too many folders deep"
	TooManyKeys   GapReason = "names more keys than the limit"
)

// What reading a file can end with, besides the errors of its reader.
var (
	errTooLarge  = errors.New("unpacked size over the limit")
	errTooLong   = errors.New("record over the limit")
	errInvalid   = errors.New("invalid JSON")
	errNotGzip   = errors.New("neither gzip nor JSON")
	errNoRecords = errors.New("no records")
	errTrailing  = errors.New("something behind the end")
	errTruncated = errors.New("the file ends too early")
)

// reasonOf tells what kind of gap an error leaves.
func reasonOf(err error) GapReason {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, errTooLarge):
		return TooLarge
	case errors.Is(err, errTooLong):
		return RecordTooLong
	case errors.Is(err, errInvalid):
		return InvalidJSON
	case errors.Is(err, errNotGzip):
		return NotGzip
	case errors.Is(err, errNoRecords):
		return NoRecords
	case errors.Is(err, errTrailing):
		return Trailing
	case errors.Is(err, errTruncated), errors.Is(err, io.ErrUnexpectedEOF):
		return Truncated
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.As(err, &corrupt):
		return Corrupt
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrNotExist):
		return Vanished
	default:
		return Unreadable
	}
}
