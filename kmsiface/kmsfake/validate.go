package kmsfake

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkedField is a member of an input whose value is checked against what the
// model of KMS allows.
type checkedField struct {
	index  int
	name   string
	checks []func(v reflect.Value, member string) *apiError
}

// bounds are the lengths that the model of KMS sets for members of a name,
// whatever the operation.
//
// Source: the API Reference of each operation,
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Operations.html
var bounds = map[string]struct{ least, most int }{
	"AliasName":                  {1, 256},
	"CiphertextBlob":             {1, 6144},
	"CustomKeyStoreId":           {1, 64},
	"CustomKeyStoreName":         {1, 256},
	"Description":                {0, 8192},
	"DestinationKeyId":           {1, 2048},
	"GrantId":                    {1, 128},
	"GrantToken":                 {1, 8192},
	"GrantTokens":                {0, 10},
	"GranteePrincipal":           {1, 256},
	"GranteeServicePrincipal":    {1, 256},
	"KeyId":                      {1, 2048},
	"Mac":                        {1, 6144},
	"Marker":                     {1, 1024},
	"Message":                    {0, 4096},
	"Name":                       {1, 256},
	"Plaintext":                  {1, 4096},
	"Policy":                     {1, 131072},
	"PolicyName":                 {1, 128},
	"PrimaryRegion":              {1, 32},
	"PublicKey":                  {1, 8192},
	"ReplicaRegion":              {1, 32},
	"RetiringPrincipal":          {1, 256},
	"RetiringServicePrincipal":   {1, 256},
	"SharedSecretCiphertextBlob": {1, 6144},
	"Signature":                  {1, 6144},
	"SourceKeyId":                {1, 2048},
	"TargetKeyId":                {1, 2048},
	"XksKeyId":                   {1, 128},
}

// ranges are the values that members of type integer may have.
var ranges = map[string]struct{ least, most int64 }{
	"NumberOfBytes":        {1, 1024},
	"PendingWindowInDays":  {leastWindow, mostWindow},
	"RotationPeriodInDays": {leastPeriod, mostPeriod},
}

func checks(operation string, t reflect.Type) []checkedField {
	var plan []checkedField
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		c := checkedField{index: i, name: f.Name}
		if b, ok := bounds[f.Name]; ok {
			c.checks = append(c.checks, lengthCheck(b.least, b.most))
		}
		if f.Name == "Limit" {
			l := limitsOf[operation]
			c.checks = append(c.checks, rangeCheck(1, int64(l.most)))
		}
		if r, ok := ranges[f.Name]; ok {
			c.checks = append(c.checks, rangeCheck(r.least, r.most))
		}
		if values := enumValues(f.Type); values != nil {
			c.checks = append(c.checks, enumCheck(values))
		}
		if len(c.checks) > 0 {
			plan = append(plan, c)
		}
	}
	return plan
}

// validate checks required members and then every member that is present.
func (o *operation) validate(in any) error {
	v := reflect.ValueOf(in).Elem()
	for _, name := range o.required {
		if unset(v.FieldByName(name)) {
			return fail(codeValidation, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(name))
		}
	}
	for _, f := range o.plan {
		m := v.Field(f.index)
		if unset(m) {
			continue
		}
		if m.Kind() == reflect.Pointer {
			m = m.Elem()
		}
		for _, check := range f.checks {
			if err := check(m, lowerFirst(f.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func lengthCheck(least, most int) func(reflect.Value, string) *apiError {
	return func(v reflect.Value, member string) *apiError {
		shown := v.Interface()
		n := v.Len()
		switch {
		case v.Kind() == reflect.String:
			n = utf8.RuneCountInString(v.String())
		case v.Type() == bytesType:
			shown = fmt.Sprintf("java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", n, n)
		}
		switch {
		case n < least:
			return invalidMember(shown, member, fmt.Sprintf("Member must have length greater than or equal to %d", least))
		case n > most:
			return invalidMember(shown, member, fmt.Sprintf("Member must have length less than or equal to %d", most))
		}
		return nil
	}
}

func rangeCheck(least, most int64) func(reflect.Value, string) *apiError {
	return func(v reflect.Value, member string) *apiError {
		switch n := v.Int(); {
		case n < least:
			return invalidMember(n, member, fmt.Sprintf("Member must have value greater than or equal to %d", least))
		case n > most:
			return invalidMember(n, member, fmt.Sprintf("Member must have value less than or equal to %d", most))
		}
		return nil
	}
}

// enumValues returns the values of an enumeration of the SDK, or of a list of
// one; nil for other types.
func enumValues(t reflect.Type) []string {
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	m := reflect.Zero(t).MethodByName("Values")
	if t.Kind() != reflect.String || !m.IsValid() {
		return nil
	}
	list := m.Call(nil)[0]
	values := make([]string, list.Len())
	for i := range values {
		values[i] = list.Index(i).String()
	}
	return values
}

func enumCheck(values []string) func(reflect.Value, string) *apiError {
	known := make(map[string]bool, len(values))
	for _, v := range values {
		known[v] = true
	}
	text := "Member must satisfy enum value set: [" + strings.Join(values, ", ") + "]"
	return func(v reflect.Value, member string) *apiError {
		if v.Kind() == reflect.String {
			if !known[v.String()] {
				return invalidMember(v.String(), member, text)
			}
			return nil
		}
		for i := range v.Len() {
			if !known[v.Index(i).String()] {
				return invalidMember(v.Interface(), member, "Member must satisfy constraint: ["+text+"]")
			}
		}
		return nil
	}
}

func lowerFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
