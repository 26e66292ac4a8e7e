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
// gzip content, in the order of the paths. Trails are named by their ARN; those
// deleted meanwhile are still known. Without trails named it is those of all
// trails that there are or were; if there never was one, all events are written,
// as a trail that leaves nothing out would deliver them. The trail of an
// organization has its ID in its paths.
//
// What a trail delivers goes by how it was set when the event was recorded: no
// event of KMS while its selectors leave KMS out, none while logging is stopped.
// Two trails with one bucket deliver an event twice, as they do in AWS. A file
// holds five minutes, by the time of its events; it is named, and put under the
// day, by the time at which these end. Files are the same in every run of the
// same calls.
//
// The error is that of write, or says which trail is not known.
func (s *Server) WriteArchive(write func(path string, content []byte) error, trails ...string) error {
	files, err := s.log.files(s.now(), s.deliverers(), trails)
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
	return nil
}

// deliverers are the trails that there are or were, by ARN.
func (s *Server) deliverers() map[string]trailState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string]trailState{}
	for arn, t := range s.trails {
		out[arn] = *t
	}
	return out
}

// files sorts the records that trails deliver into files, by path.
func (g *eventLog) files(now time.Time, known map[string]trailState, wanted []string) (map[string][]logged, error) {
	for _, arn := range wanted {
		if _, ok := known[arn]; !ok {
			return nil, fmt.Errorf("kmsfake: there is no trail %s", arn)
		}
	}
	if len(wanted) == 0 {
		wanted = slices.Sorted(maps.Keys(known))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	events := g.all()
	files := map[string][]logged{}
	if len(known) == 0 {
		everything := func(*logged) bool { return true }
		g.deliver(files, events, now, trailState{}, everything)
	}
	for _, arn := range wanted {
		t, settings := known[arn], g.settings[arn]
		g.deliver(files, events, now, t, func(l *logged) bool {
			s := inEffect(settings, l)
			return s.logging && t.mayCover(l.scope.Value(), s.multiRegion) && s.selects(l)
		})
	}
	return files, nil
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

func (g *eventLog) deliver(files map[string][]logged, events []logged, now time.Time, t trailState, delivered func(*logged) bool) {
	type slot struct {
		scope scope
		end   int64
	}
	full := map[slot]int{} // records so far
	for _, l := range events {
		if !g.visible(&l, now) || !delivered(&l) {
			continue
		}
		end := l.at.UTC().Truncate(fileSpan).Add(fileSpan)
		at := slot{l.scope.Value(), end.Unix()}
		path := t.path(at.scope, end, full[at]/mostRecords)
		full[at]++
		files[path] = append(files[path], l)
	}
}

// path is where the trail puts a file.
//
// Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
func (t *trailState) path(sc scope, end time.Time, part int) string {
	dir := "AWSLogs/"
	if t.Prefix != "" {
		dir = t.Prefix + "/" + dir
	}
	if t.Organization != "" {
		dir += t.Organization + "/"
	}
	name := sc.account + "_CloudTrail_" + sc.region + "_" + end.Format("20060102T1504Z")
	sum := sha256.Sum256([]byte(t.arn + " " + name + " " + strconv.Itoa(part)))
	return dir + sc.account + "/CloudTrail/" + sc.region + "/" + end.Format("2006/01/02") + "/" + name + "_" + base32.StdEncoding.EncodeToString(sum[:])[:16] + ".json.gz"
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
