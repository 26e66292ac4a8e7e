package cloudtrail

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// awkward writes legal files as awkwardly as JSON allows: members in any order,
// some twice, any spacing, any escapes, and inside of texts whatever could be
// taken for something else.
type awkward struct {
	r *rand.Rand
	b strings.Builder
}

func newAwkward(seed uint64) *awkward {
	return &awkward{r: rand.New(rand.NewPCG(seed, 7))} //nolint:gosec // not for secrets
}

func (a *awkward) chance(n int) bool { return a.r.IntN(n) == 0 }

func oneOf[T any](a *awkward, of ...T) T { return of[a.r.IntN(len(of))] }

// file writes a file, in one of the shapes that are known.
func (a *awkward) file() []byte {
	n := a.r.IntN(12)
	switch a.r.IntN(6) {
	case 0: // one after another
		for range n + 1 {
			a.record()
			a.b.WriteString(oneOf(a, "\n", "", " ", "\r\n"))
		}
	case 1:
		a.list(n, a.record)
	case 2:
		a.object([]func(){
			func() { a.member("NextToken", func() { a.text("x") }) },
			func() { a.member("Events", func() { a.list(n, a.lookup) }) },
		})
	case 3: // several files in one, as jq -s writes them
		a.list(a.r.IntN(4), func() { a.around(n) })
	default:
		a.around(n)
	}
	return []byte(a.b.String())
}

// around writes an object around records, at times one that looks like a record.
func (a *awkward) around(n int) {
	members := []func(){func() { a.member("Records", func() { a.list(n, a.record) }) }}
	for range a.r.IntN(3) {
		members = append(members, func() { a.member("x", a.junk) })
	}
	if a.chance(8) {
		members = append(members, func() { a.member("eventSource", func() { a.text("kms.amazonaws.com") }) })
	}
	a.object(members)
}

func (a *awkward) space() {
	for a.chance(9) {
		a.b.WriteString(oneOf(a, " ", "\n", "\t", "\r\n", "    "))
	}
}

func (a *awkward) list(n int, element func()) {
	a.b.WriteByte('[')
	for i := range n {
		if i > 0 {
			a.b.WriteByte(',')
		}
		a.space()
		element()
		a.space()
	}
	a.b.WriteByte(']')
}

// object writes members in any order, some twice.
func (a *awkward) object(members []func()) {
	for a.chance(6) && len(members) > 0 {
		members = append(members, oneOf(a, members...))
	}
	a.r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	a.b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			a.b.WriteByte(',')
		}
		a.space()
		m()
		a.space()
	}
	a.b.WriteByte('}')
}

func (a *awkward) member(key string, value func()) {
	a.text(key)
	a.space()
	a.b.WriteByte(':')
	a.space()
	value()
}

// text writes a string, at times with escapes that it does not need.
func (a *awkward) text(s string) {
	often := 1 << 30
	if a.chance(6) {
		often = 1 + a.r.IntN(20)
	}
	a.b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"':
			a.b.WriteString(oneOf(a, `\"`, `\u0022`))
		case c == '\\':
			a.b.WriteString(oneOf(a, `\\`, `\u005c`))
		case c == '\n':
			a.b.WriteString(`\n`)
		case c == '/' && a.chance(often):
			a.b.WriteString(`\/`)
		case c < ' ' || c < 0x10000 && a.chance(often):
			fmt.Fprintf(&a.b, `\u%04x`, c)
		default:
			a.b.WriteRune(c)
		}
	}
	a.b.WriteByte('"')
}

// junk writes a value that means nothing, and looks as if it did.
func (a *awkward) junk() {
	switch a.r.IntN(10) {
	case 9: // quotes and brackets out of which a scan that counts them does not find
		a.object([]func(){func() {
			a.member("x", func() { a.text(strings.Repeat(oneOf(a, `a"b`, `"{`, `"[`, `"}`, `"]`, `\"{`), 1+a.r.IntN(3))) })
		}})
	case 0:
		a.b.WriteString(oneOf(a, "null", "true", "false", "0", "-1.5e+30"))
	case 1:
		a.list(a.r.IntN(4), a.junk)
	case 2, 3:
		var members []func()
		for range a.r.IntN(4) {
			members = append(members, func() {
				a.member(oneOf(a, "eventSource", "ARN", "Records", "errorCode", "", "}", `"`, "ключ"), a.junk)
			})
		}
		a.object(members)
	case 4:
		n := 40
		if a.chance(12) { // long values are scanned in another way
			n = 3000
		}
		a.text(strings.Repeat(oneOf(a, "ab}", `"{[`, `\`, "x", "€"), a.r.IntN(n)))
	default:
		a.text(oneOf(a, `"eventSource":"kms.amazonaws.com"`, `{"a":"}`, `]},{`, `\"`, `\\`, "", "arn:aws:kms:us-west-2:111122223333:key/x", "tag:\"team\"", "#\"#", "日本"))
	}
}

var awkwardKeys = []string{
	"arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	"arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab",
	"arn:aws-cn:kms:cn-north-1:444455556666:key/0987dcba-09fe-87dc-65ba-ab0987654321",
	"arn:aws-us-gov:kms:us-gov-west-1:444455556666:key/0987dcba",
}

func (a *awkward) arn() string {
	if a.chance(5) {
		return oneOf(a, "", "arn:aws:kms:us-west-2:111122223333:alias/app", "1234abcd", "arn:aws:s3:::bucket/key/x", "arn:aws:kms:us-west-2:111122223333:key/a b")
	}
	return oneOf(a, awkwardKeys...)
}

// lookup writes an element of a LookupEvents answer.
func (a *awkward) lookup() {
	inner := &awkward{r: a.r}
	inner.record()
	a.object([]func(){
		func() { a.member("EventId", func() { a.text("x") }) },
		func() { a.member("EventSource", func() { a.text("kms.amazonaws.com") }) },
		func() { a.member("CloudTrailEvent", func() { a.text(inner.b.String()) }) },
		func() { a.member("Resources", a.junk) },
	})
}

// context writes a member that is an encryption context.
func (a *awkward) context(key string) {
	a.member(key, func() {
		var pairs []func()
		for range a.r.IntN(4) {
			pairs = append(pairs, func() { a.member(oneOf(a, "aws:s3:arn", "app", `q"`), a.junk) })
		}
		a.object(pairs)
	})
}

func (a *awkward) record() {
	values := map[string]func(){
		"eventSource": func() {
			a.text(oneOf(a, "kms.amazonaws.com", "kms.amazonaws.com", "kms.amazonaws.com", "s3.amazonaws.com", "ec2.amazonaws.com"))
		},
		"eventName": func() {
			a.text(oneOf(a, "Decrypt", "Encrypt", "ReEncrypt", "GetPublicKey", "DescribeKey", "CreateGrant", "Sign",
				"DisableKey", "EnableKey", "ScheduleKeyDeletion", "CancelKeyDeletion", "ImportKeyMaterial", "DeleteImportedKeyMaterial", "CreateKey", "ReplicateKey"))
		},
		"eventTime": func() {
			a.text(fmt.Sprintf("2026-%02d-%02dT%02d:00:%02dZ", 1+a.r.IntN(11), 1+a.r.IntN(15), a.r.IntN(9), a.r.IntN(60)))
		},
		"eventID":         func() { a.text(oneOf(a, fmt.Sprint(a.r.IntN(30)), "")) },
		"requestID":       func() { a.text(fmt.Sprint(a.r.Uint64())) },
		"awsRegion":       func() { a.text("us-west-2") },
		"sourceIPAddress": func() { a.text(oneOf(a, "192.0.2.1", "rds.amazonaws.com", "AWS Internal")) },
		"readOnly":        func() { a.b.WriteString("true") },
		"eventVersion":    func() { a.text("1.11") },
	}
	optional := map[string]func(){
		"errorCode": func() {
			if a.chance(12) {
				a.b.WriteString(oneOf(a, "null", "403", "{}", `["DisabledException"]`, "false"))
				return
			}
			a.text(oneOf(a, "", "DisabledException", "DisabledException", "AccessDenied", "KMSInvalidStateException"))
		},
		"errorMessage": func() {
			a.text(oneOf(a, "", a.arn()+" is disabled.", "on resource: "+a.arn()+" because", "arn:"+a.arn()+", "+a.arn()))
		},
		"resources": func() {
			if a.chance(6) {
				a.junk()
				return
			}
			a.list(a.r.IntN(3), func() {
				a.object([]func(){
					func() { a.member("accountId", func() { a.text("111122223333") }) },
					func() { a.member(oneOf(a, "ARN", "ARN", "arn"), func() { a.text(a.arn()) }) },
				})
			})
		},
		"requestParameters": func() {
			a.object([]func(){
				func() { a.member(oneOf(a, "keyId", "sourceKeyId"), func() { a.text(a.arn()) }) },
				func() { a.member("destinationKeyId", func() { a.text(a.arn()) }) },
				func() {
					if a.chance(3) {
						a.member("constraints", a.junk)
						return
					}
					a.member("constraints", func() {
						a.object([]func(){
							func() { a.context(oneOf(a, "encryptionContextSubset", "encryptionContextEquals", "x")) },
						})
					})
				},
				func() { a.context(oneOf(a, "encryptionContext", "sourceEncryptionContext", "x")) },
				func() { a.context(oneOf(a, "encryptionContext", "destinationEncryptionContext", "x")) },
			})
		},
		"userIdentity": func() {
			a.object([]func(){
				func() { a.member("arn", func() { a.text("arn:aws:sts::111122223333:assumed-role/r/s") }) },
				func() { a.member("invokedBy", func() { a.text(oneOf(a, "dynamodb.amazonaws.com", "")) }) },
				func() { a.member("sessionContext", a.junk) },
			})
		},
		"responseElements": func() {
			metadata := func(key string) func() {
				return func() {
					a.member(key, func() { a.object([]func(){func() { a.member("arn", func() { a.text(a.arn()) }) }}) })
				}
			}
			a.object([]func(){
				func() { a.member("keyId", func() { a.text(a.arn()) }) },
				metadata("keyMetadata"), metadata("replicaKeyMetadata"), func() { a.member("x", a.junk) },
			})
		},
		"additionalEventData": a.junk, "tlsDetails": a.junk, "": a.junk,
	}
	var members []func()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		members = append(members, func() { a.member(key, values[key]) })
	}
	for _, key := range slices.Sorted(maps.Keys(optional)) {
		if !a.chance(3) {
			members = append(members, func() { a.member(key, optional[key]) })
		}
	}
	a.object(members)
}
