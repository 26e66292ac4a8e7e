package kmsfake

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go/middleware"
)

// The SDK module ships, for every operation, the request it sends and an answer
// it understands: what AWS's code generator holds the wire form to be. They are
// compared with what this package reads and writes. The operations are those of
// the table that the server itself goes by.

var sdkDir = sync.OnceValues(func() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/kms").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the SDK module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// snapshot reads head and body of a snapshot; a missing one fails the test.
func snapshot(t *testing.T, parts ...string) (head, body string) {
	t.Helper()
	dir, err := sdkDir()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(append([]string{dir}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.LastIndex(raw, []byte("\n\n"))
	if i < 0 {
		t.Fatalf("no snapshot: %q", raw)
	}
	return string(raw[:i]), string(raw[i+2:])
}

func sortedOperations() []string { return Operations() }

func TestEveryRequestOfTheSDKIsReadWithoutLoss(t *testing.T) {
	for _, name := range sortedOperations() {
		t.Run(name, func(t *testing.T) {
			head, body := snapshot(t, "request_snapshot", name+".request.snap")
			if !strings.Contains(head, "X-Amz-Target: "+targetPrefix+name) || !strings.Contains(head, contentType) {
				t.Errorf("the SDK sends other headers:\n%s", head)
			}
			in, err := operations[name].decode([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			sameJSON(t, encode(in), []byte(body))
		})
	}
}

// What the encoder is given here is the snapshot's, not a handler's.
func TestTheEncoderWritesEveryAnswerAsTheSDKsSnapshotHasIt(t *testing.T) {
	for _, name := range sortedOperations() {
		t.Run(name, func(t *testing.T) {
			head, body := snapshot(t, "response_snapshot", name+".response.snap")
			if !strings.HasPrefix(head, "200\n") {
				t.Errorf("status %s", head)
			}
			method, ok := reflect.TypeFor[*kms.Client]().MethodByName(name)
			if !ok {
				t.Fatal("the SDK's client has no such operation")
			}
			out := reflect.New(method.Type.Out(0).Elem()).Interface()
			fill(t, reflect.ValueOf(out).Elem(), parse(t, []byte(body)), name)
			ours := encode(out)
			sameJSON(t, ours, []byte(body))

			// The real client reads from our bytes what we put in.
			read := decodeBySDK(t, name, ours)
			clearMetadata(read)
			if !reflect.DeepEqual(read, out) {
				t.Errorf("the SDK reads\n%+v\nfrom\n%s", read, ours)
			}
		})
	}
}

// modeled are the errors that KMS's model, and so the SDK, has a snapshot of. The
// others are common to all AWS services:
// https://docs.aws.amazon.com/kms/latest/APIReference/CommonErrors.html
var modeled = []string{
	codeAlreadyExists, codeConflict, codeStoreInvalidState, codeStoreNotFound, codeDisabled, codeDryRun, codeIncorrectKey,
	codeInvalidAliasName, codeInvalidArn, codeInvalidCiphertext, codeInvalidGrantID, codeInvalidGrantToken, codeInvalidKeyUsage,
	codeInvalidMarker, codeInternal, codeInvalidMac, codeInvalidSignature, codeInvalidState, codeLimitExceeded, codeMalformedPolicy,
	codeNotFound, codeTag, codeUnsupportedOperation, codeXksKeyInUse,
}

// Only the bodies are compared. The snapshots' status is the model's, which has
// 404, 409 and 412; KMS sends 400 in their place, as its API Reference says and as
// clients see: https://github.com/hashicorp/terraform-provider-aws/pull/1818
// has "NotFoundException: ... status code: 400", of 2017; nothing newer says otherwise.
func TestEveryModeledErrorHasTheBodyOfTheSDKsSnapshot(t *testing.T) {
	for _, code := range modeled {
		t.Run(code, func(t *testing.T) {
			e := fail(code, "__Message__")
			_, body := snapshot(t, "response_snapshot", code+".error.snap")
			sameJSON(t, encodeError(e), []byte(body))
			if server := code == codeInternal; server && e.status() != http.StatusInternalServerError || !server && e.status() != http.StatusBadRequest {
				t.Errorf("status %d", e.status())
			}
		})
	}
}

// sameJSON compares two JSON texts by meaning.
func sameJSON(t *testing.T, got, want []byte) {
	t.Helper()
	if !reflect.DeepEqual(parse(t, got), parse(t, want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func parse(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// fill sets a value of the SDK's types to what a snapshot has. Members that the
// type lacks fail the test.
func fill(t *testing.T, v reflect.Value, from any, path string) {
	t.Helper()
	switch x := from.(type) {
	case map[string]any:
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		if v.Kind() == reflect.Map {
			v.Set(reflect.MakeMap(v.Type()))
			for name, value := range x {
				e := reflect.New(v.Type().Elem()).Elem()
				fill(t, e, value, path+"."+name)
				v.SetMapIndex(reflect.ValueOf(name), e)
			}
			return
		}
		for name, value := range x {
			f := v.FieldByName(name)
			if !f.IsValid() {
				t.Fatalf("%s has no member %s", path, name)
			}
			fill(t, f, value, path+"."+name)
		}
	case []any:
		v.Set(reflect.MakeSlice(v.Type(), len(x), len(x)))
		for i, value := range x {
			fill(t, v.Index(i), value, fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if v.Kind() == reflect.Pointer {
			v.Set(reflect.New(v.Type().Elem()))
			v = v.Elem()
		}
		scalar(t, v, from, path)
	}
}

func scalar(t *testing.T, v reflect.Value, from any, path string) {
	t.Helper()
	switch x := from.(type) {
	case bool:
		v.SetBool(x)
	case float64:
		if v.Type() == timeType {
			v.Set(reflect.ValueOf(time.Unix(int64(x), 0).UTC()))
			return
		}
		v.SetInt(int64(x))
	case string:
		if v.Type() == bytesType {
			b, err := base64.StdEncoding.DecodeString(x)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			v.SetBytes(b)
			return
		}
		v.SetString(x)
	default:
		t.Fatalf("%s is a %T", path, from)
	}
}

// decodeBySDK has the real client read an answer.
func decodeBySDK(t *testing.T, name string, answer []byte) any {
	t.Helper()
	client := kms.New(kms.Options{
		Region:      "us-east-1",
		Credentials: Credentials("111122223333"),
		HTTPClient: doFunc(func(r *http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {contentType}},
				Body: io.NopCloser(bytes.NewReader(answer)), Request: r,
			}, nil
		}),
	})
	in := operations[name].newInput()
	_, request := snapshot(t, "request_snapshot", name+".request.snap")
	fill(t, reflect.ValueOf(in).Elem(), parse(t, []byte(request)), name)
	results := reflect.ValueOf(client).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(in)})
	if err, ok := reflect.TypeAssert[error](results[1]); ok {
		t.Fatalf("the SDK cannot read our answer: %v\n%s", err, answer)
	}
	return results[0].Interface()
}

type doFunc func(*http.Request) (*http.Response, error)

func (f doFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

func clearMetadata(out any) {
	f := reflect.ValueOf(out).Elem().FieldByName("ResultMetadata")
	f.Set(reflect.ValueOf(middleware.Metadata{}))
}
