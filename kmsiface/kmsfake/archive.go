package kmsfake

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// fileSpan is how long a log file is filled: CloudTrail delivers about every
	// five minutes.
	//
	// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
	fileSpan = 5 * time.Minute
	// mostRecords is how many records a file holds here, so that it stays under
	// CloudTrail's 50 MB.
	mostRecords = 5000
)

// WriteArchive writes what trails have delivered so far, as log files in the
// layout of their bucket: for every file it calls write with the path and the
// gzip content, in the order of the paths. Without from it is what all trails
// delivered that there are or were; if there never was one, all events are
// written, as a trail that leaves nothing out would deliver them. With from it is
// what the trails delivered whose ARNs it holds, and what went to the buckets
// whose ARNs it holds, for example arn:aws:s3:::central. A trail that was deleted
// meanwhile is still known.
//
// A path says nothing of the bucket, as in AWS: without from, the files of
// different buckets lie in one tree, which exists in no bucket. To look into one
// bucket alone, name it. The trail of an organization has its ID in its paths.
//
// What a trail delivers, and to which bucket and prefix, goes by how it was set
// when the event was recorded: no event of KMS while its selectors leave KMS out,
// none while logging is stopped. Two trails with one bucket deliver an event
// twice, as they do in AWS. A file holds five minutes, by the time of its events;
// it is named, and put under the day, by the time at which these end. Files are
// the same in every run of the same calls.
//
// The error is that of write, or says which trail or bucket is not known. When
// all is written, it says how many more records would have been if they had not
// been forgotten ([Options].LogSize): AWS forgets none. Of a trail that was added
// after events were forgotten it counts all of them.
func (s *Server) WriteArchive(write func(path string, content []byte) error, from ...string) error {
	files, forgotten, err := s.log.files(s.now(), from)
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		content, err := pack(files[path])
		if err != nil {
			return fmt.Errorf("kmsfake: cannot pack %s: %w", path, err)
		}
		if err := write(path, content); err != nil {
			return err
		}
	}
	if forgotten > 0 {
		return fmt.Errorf("kmsfake: the archive lacks %d records that were delivered: the log remembers the newest %d events (Options.LogSize)", forgotten, s.log.size)
	}
	return nil
}

// wanted reads which deliveries the caller of WriteArchive asks for. The caller
// holds the lock.
func (g *eventLog) wanted(from []string) (func(delivery) bool, error) {
	trails, buckets := map[string]bool{}, map[string]bool{}
	for _, arn := range from {
		if _, bucket, ok := strings.Cut(arn, ":s3:::"); ok {
			known := false
			for _, settings := range g.settings {
				known = known || slices.ContainsFunc(settings, func(s setting) bool { return s.Bucket == bucket })
			}
			if !known {
				return nil, fmt.Errorf("kmsfake: there is no trail with the bucket %s", arn)
			}
			buckets[bucket] = true
			continue
		}
		if _, ok := g.settings[arn]; !ok {
			return nil, fmt.Errorf("kmsfake: there is no trail %s", arn)
		}
		trails[arn] = true
	}
	return func(d delivery) bool { return len(from) == 0 || trails[d.trail] || buckets[d.bucket] }, nil
}

// files sorts the records that trails deliver into files, by path, and counts
// those that are forgotten.
func (g *eventLog) files(now time.Time, from []string) (files map[string][]logged, forgotten int, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	wanted, err := g.wanted(from)
	if err != nil {
		return nil, 0, err
	}
	kept, dropped := g.all()
	gone := lost{all: g.lost.all, deliveries: maps.Clone(g.lost.deliveries)}
	for i := range dropped {
		g.lose(&gone, &dropped[i])
	}
	files = map[string][]logged{}
	if len(g.settings) == 0 {
		g.deliver(files, kept, now, "", func(*logged) (s trailSetting, ok bool) { return s, true })
		return files, gone.all, nil
	}
	for _, arn := range slices.Sorted(maps.Keys(g.settings)) {
		settings := g.settings[arn]
		g.deliver(files, kept, now, arn, func(l *logged) (trailSetting, bool) {
			s := inEffect(settings, l)
			return s, s.delivers(l) && wanted(delivery{arn, s.Bucket})
		})
	}
	for d, n := range gone.deliveries {
		if wanted(d) {
			forgotten += n
		}
	}
	return files, forgotten, nil
}

// inEffect is the last setting that is not later than the event, or, of one with
// the same time, was made before.
func inEffect(settings []setting, l *logged) trailSetting {
	var last trailSetting
	for _, s := range settings {
		if cmp.Or(s.at.Compare(l.at), cmp.Compare(s.seq, l.seq)) < 0 {
			last = s.trailSetting
		}
	}
	return last
}

// deliver puts the events into files that the trail, as it was set then, delivers.
func (g *eventLog) deliver(files map[string][]logged, events []logged, now time.Time, arn string, delivered func(*logged) (trailSetting, bool)) {
	type slot struct {
		scope       scope
		dir, bucket string
		end         int64
	}
	full := map[slot]int{} // records so far
	for _, l := range events {
		if !g.visible(&l, now) {
			continue
		}
		t, ok := delivered(&l)
		if !ok {
			continue
		}
		end := l.at.UTC().Truncate(fileSpan).Add(fileSpan)
		at := slot{l.scope.Value(), t.folder(), t.Bucket, end.Unix()}
		path := at.dir + fileName(arn, at.bucket, at.scope, end, full[at]/mostRecords)
		full[at]++
		files[path] = append(files[path], l)
	}
}

// folder is where the trail puts its files, of all accounts.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
func (t *Trail) folder() string {
	dir := "AWSLogs/"
	if t.Prefix != "" {
		dir = t.Prefix + "/" + dir
	}
	if t.Organization != "" {
		dir += t.Organization + "/"
	}
	return dir
}

// fileName is the name of a file under that folder.
func fileName(arn, bucket string, sc scope, end time.Time, part int) string {
	name := sc.account + "_CloudTrail_" + sc.region + "_" + end.Format("20060102T1504Z")
	sum := sha256.Sum256([]byte(arn + " " + bucket + " " + name + " " + strconv.Itoa(part)))
	return sc.account + "/CloudTrail/" + sc.region + "/" + end.Format("2006/01/02") + "/" + name + "_" + base32.StdEncoding.EncodeToString(sum[:])[:16] + ".json.gz"
}

func pack(records []logged) ([]byte, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for i := range records {
		head := ","
		if i == 0 {
			head = `{"Records":[`
		}
		if _, err := w.Write(append([]byte(head), records[i].record()...)); err != nil {
			return nil, err
		}
	}
	if _, err := w.Write([]byte("]}")); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
