package kmsfake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// AWS JSON 1.1 names every member but one as the SDK names its Go field, so the
// SDK's own structs serve as the wire types. What encoding/json does differently is
// done here: timestamps are seconds since 1970 with a fraction, what is not set
// is left out, and a field that is not a pointer is always there.

// decode reads a request body into one of the SDK's input structs. Unknown
// members are ignored, as AWS does. The members named times are dates.
func decode(body []byte, in any, times ...string) error {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	if len(times) > 0 {
		var err error
		if body, err = decodeTimes(body, in, times); err != nil {
			return fail(codeSerialization, "%s", serializationText(err))
		}
	}
	if err := json.Unmarshal(body, in); err != nil {
		return fail(codeSerialization, "%s", serializationText(err))
	}
	return nil
}

// decodeTimes sets members that are dates and returns the body without them.
func decodeTimes(body []byte, in any, times []string) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, err
	}
	for member, raw := range members {
		i := slices.IndexFunc(times, func(name string) bool { return strings.EqualFold(name, member) })
		if i < 0 {
			continue
		}
		delete(members, member)
		var seconds *float64
		if err := json.Unmarshal(raw, &seconds); err != nil {
			if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				t.Field = member
			}
			return nil, err
		}
		if seconds == nil {
			continue
		}
		if math.Abs(*seconds) > mostSeconds {
			return nil, fmt.Errorf("the date %s is not within 10,000 years at '%s'", raw, member)
		}
		at := time.UnixMilli(int64(math.Round(*seconds * 1000))).UTC()
		reflect.ValueOf(in).Elem().FieldByName(times[i]).Set(reflect.ValueOf(&at))
	}
	return json.Marshal(members)
}

// mostSeconds are those from 1970 to the year 10000.
const mostSeconds = 253_402_300_800

func serializationText(err error) string {
	t, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case ok && t.Field == "":
		return fmt.Sprintf("class %s can not be converted to an object", t.Value)
	case ok:
		return fmt.Sprintf("class %s can not be converted to %s at '%s'", t.Value, t.Type, t.Field)
	}
	return "Could not parse the request: " + err.Error()
}

// encode writes one of the SDK's structs as AWS does.
func encode(v any) []byte {
	buf := make([]byte, 0, 512)
	return appendValue(buf, reflect.ValueOf(v))
}

var (
	timeType  = reflect.TypeFor[time.Time]()
	bytesType = reflect.TypeFor[[]byte]()
	plans     sync.Map // reflect.Type -> []field
)

// field is a member of a struct in the order of its JSON.
type field struct {
	index int
	name  string // quoted, with the colon
}

func planOf(t reflect.Type) []field {
	if p, ok := plans.Load(t); ok {
		return as[[]field](p)
	}
	var plan []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() || f.Anonymous || f.Name == "ResultMetadata" {
			continue
		}
		name := f.Name
		if name == "TrailList" { // of DescribeTrails
			name = lowerFirst(name)
		}
		plan = append(plan, field{index: i, name: strconv.Quote(name) + ":"})
	}
	plans.Store(t, plan)
	return plan
}

func appendValue(b []byte, v reflect.Value) []byte {
	switch v.Type() {
	case timeType:
		return appendTime(b, as[time.Time](v.Interface()))
	case bytesType:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		return appendValue(b, v.Elem())
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int32, reflect.Int64, reflect.Int:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Slice:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, v.Index(i))
		}
		return append(b, ']')
	case reflect.Map:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k)
			b = append(b, ':')
			b = appendValue(b, v.MapIndex(reflect.ValueOf(k)))
		}
		return append(b, '}')
	case reflect.Struct:
		b = append(b, '{')
		first := true
		for _, f := range planOf(v.Type()) {
			m := v.Field(f.index)
			if unset(m) {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(b, f.name...)
			b = appendValue(b, m)
		}
		return append(b, '}')
	}
	panic("kmsfake: no JSON form for " + v.Type().String())
}

// unset tells whether a member is left out of the JSON.
func unset(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return false
}

func sortedKeys(m reflect.Value) []string {
	keys := make([]string, 0, m.Len())
	for _, k := range m.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	return keys
}

// appendTime writes seconds since 1970 with at most three decimals, as KMS does.
func appendTime(b []byte, t time.Time) []byte {
	ms := t.UnixMilli()
	if ms%1000 == 0 {
		return strconv.AppendInt(b, ms/1000, 10)
	}
	return strconv.AppendFloat(b, math.Round(float64(ms))/1000, 'f', 3, 64)
}

func appendString(b []byte, s string) []byte {
	plain := strings.IndexFunc(s, func(r rune) bool {
		return r < 0x20 || r > 0x7e || r == '"' || r == '\\'
	}) < 0
	if plain {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always encodes
	}
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// encodeError writes an error body. AWS leaves the message out when it has none.
func encodeError(e *apiError) []byte {
	b := append([]byte(`{"__type":`), appendString(nil, e.code)...)
	if e.message != "" {
		b = append(b, `,"message":`...)
		b = appendString(b, e.message)
	}
	return append(b, '}')
}
