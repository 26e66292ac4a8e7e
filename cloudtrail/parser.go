package cloudtrail

import (
	"bytes"
	"io"
)

// parser finds the records of a file: one object around an array of records, as
// CloudTrail delivers them and LookupEvents answers, arrays of records, and
// records one after another, in any mixture.
type parser struct {
	stream

	rec      record
	records  int  // elements so far
	complete bool // what was read so far is complete
	// found is called with each record; it may use it until it returns.
	found func(r *record)
	// odd is called with what is no record, or is too long.
	odd func(GapReason)
}

// run reads the file to its end, or to where it cannot be read any further.
func (p *parser) run() error {
	p.records, p.complete = 0, false
	if _, err := p.peek(); err == nil && bytes.HasPrefix(p.bytes(), []byte("\ufeff")) {
		p.lo += len("\ufeff")
	}
	for {
		c, err := p.peek()
		switch {
		case err == io.EOF && !p.complete: //nolint:errorlint // fill returns it as it is
			return errNoRecords
		case err == io.EOF: //nolint:errorlint // fill returns it as it is
			return nil
		case err != nil:
			return err
		}
		switch {
		case c == '{':
			p.complete = false
			err = p.top()
		case c == '[':
			p.complete = false
			p.lo++
			err = p.elements(p.top)
		case p.complete:
			return errTrailing
		default:
			return errInvalid
		}
		if err != nil {
			return err
		}
		p.complete = true
	}
}

// top reads an object that is a record or stands around records.
func (p *parser) top() error {
	for {
		n, around := p.rec.scanTop(p.bytes(), p.clean())
		switch {
		case around:
			itself := len(p.rec.raw(mEventSource)) > 0 || len(p.rec.raw(mCloudTrailEvent)) > 0
			if itself {
				p.alsoRecord()
			}
			p.lo += n + 1
			if err := p.elements(p.object); err != nil {
				return err
			}
			return p.rest(itself)
		case n >= 0:
			p.element(n)
			return nil
		case n == invalid:
			return errInvalid
		}
		if done, err := p.more(); done || err != nil {
			return err
		}
	}
}

// alsoRecord notes that an object that stands around records looks like a record
// itself. As one it is not read.
func (p *parser) alsoRecord() {
	p.records++
	p.odd(NoRecord)
}

// rest reads the members behind the array of an object that stands around
// records. There may be another such array. itself: it has been noted that the
// object looks like a record.
func (p *parser) rest(itself bool) error {
	for {
		c, err := p.peek()
		switch {
		case err != nil:
			return inside(err)
		case c == '}':
			p.lo++
			return nil
		case c != ',':
			return errInvalid
		}
		p.lo++
		if c, err = p.peek(); err != nil {
			return inside(err)
		} else if c != '"' {
			return errInvalid
		}
		end := stringEnd(p.bytes(), 0)
		for end < 0 {
			if err := p.fill(); err != nil {
				return inside(err)
			}
			end = stringEnd(p.bytes(), 0)
		}
		name := memberOf(keyText(p.bytes(), span{1, end - 1}))
		around := name == mWrapped
		if !itself && (name == mEventSource || name == mCloudTrailEvent) {
			itself = true
			p.alsoRecord()
		}
		p.lo += end
		if c, err = p.peek(); err != nil {
			return inside(err)
		} else if c != ':' {
			return errInvalid
		}
		p.lo++
		if c, err = p.peek(); err != nil {
			return inside(err)
		}
		if around && c == '[' {
			p.lo++
			err = p.elements(p.object)
		} else {
			err = p.skip()
		}
		if err != nil {
			return err
		}
	}
}

// elements reads an array, whose '[' has been read, of objects that are for the
// function given to read. Only those of the outermost array may stand around
// records, which jq -s makes of several files: what is nested deeper is none.
func (p *parser) elements(object func() error) error {
	for first := true; ; first = false {
		c, err := p.peek()
		if err != nil {
			return inside(err)
		}
		if c == ']' {
			p.lo++
			return nil
		}
		if !first {
			if c != ',' {
				return errInvalid
			}
			p.lo++
			if c, err = p.peek(); err != nil {
				return inside(err)
			}
		}
		if c != '{' {
			p.records++
			p.odd(NoRecord)
			if err := p.skip(); err != nil {
				return err
			}
			continue
		}
		if err := object(); err != nil {
			return err
		}
	}
}

// object reads an object that is a record.
func (p *parser) object() error {
	for {
		n := p.rec.scanClean(p.bytes(), p.clean())
		switch {
		case n >= 0:
			p.element(n)
			return nil
		case n == invalid:
			return errInvalid
		}
		if done, err := p.more(); done || err != nil {
			return err
		}
	}
}

// element hands over the record of n bytes.
func (p *parser) element(n int) {
	p.records++
	p.found(&p.rec)
	p.lo += n
}

// more reads on within a record. done: the record is too long and was skipped.
func (p *parser) more() (done bool, err error) {
	switch err := p.fill(); err {
	case nil:
		return false, nil
	case errTooLong: //nolint:errorlint // fill returns it as it is
		p.records++
		p.odd(RecordTooLong)
		return true, p.skipLong()
	default:
		return false, inside(err)
	}
}
