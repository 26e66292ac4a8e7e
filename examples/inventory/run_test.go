package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

// result is what a run leaves.
type result struct {
	stdout, stderr string
	code           int
}

func runWith(ctx context.Context, line string) result {
	var stdout, stderr strings.Builder
	code := run(ctx, strings.Fields(line), &stdout, &stderr)
	return result{stdout.String(), stderr.String(), code}
}

func (r result) want(t *testing.T, code int, out ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d", r.code, code)
	}
	words := strings.Join(strings.Fields(r.stdout+r.stderr), " ") // however the lines break
	for _, s := range out {
		if !strings.Contains(words, s) {
			t.Errorf("nothing says %q", s)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", r.stdout, r.stderr)
	}
}

func TestTheDemo(t *testing.T) {
	// What the environment says of AWS is not for the demo.
	t.Setenv("AWS_PROFILE", "prod")
	t.Setenv("AWS_REGION", "eu-north-1")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	var runs [2]result
	for i := range runs {
		// In a bubble: its quota is kept, in no time.
		synctest.Test(t, func(t *testing.T) { runs[i] = runWith(t.Context(), "") })
	}
	r := runs[0]
	r.want(t, exitOK,
		"2 accounts (111122223333, 444455556666), 3 Regions (ap-south-1, eu-west-1, us-east-1), as of 2026-11-16; window 90 days.",
		"keys can be retired", "clears what stands here", "cannot be judged", "cannot be retired now", "keys in use", "more, use -all",
		"Not seen: denied DescribeKey of", "Out of sight: CloudTrail, IAM policies,")
	for _, c := range usage.Classes() {
		if !strings.Contains(r.stdout, "\n"+c.String()) {
			t.Errorf("the summary lacks %v", c)
		}
	}
	first, _, _ := strings.Cut(r.stdout, "\n")
	if !strings.Contains(first, "fake") || !strings.Contains(first, "quota is raised from 5/s to 100/s") {
		t.Errorf("the first line does not say that it is a fake with a raised quota: %s", first)
	}
	mustFit(t, r.stdout, tableWidth)
	if r.stderr != "" {
		t.Errorf("stderr: %s", r.stderr)
	}
	if runs[0] != runs[1] {
		t.Error("two runs print different things")
	}
}

func TestTheDemoSaysWhatItsQuotaIs(t *testing.T) {
	for quota, says := range map[float64]string{
		5:   "is AWS's own, 5/s.",
		2.5: "is lowered from 5/s to 2.5/s.",
		300: "is raised from 5/s to 300/s.",
	} {
		if title := demoTitle(quota); !strings.HasSuffix(title, says) || cells(title) > tableWidth {
			t.Errorf("%v: %s", quota, title)
		}
	}
}

func TestJSONLinesAreAssessments(t *testing.T) {
	var r result
	synctest.Test(t, func(t *testing.T) { r = runWith(t.Context(), "-json -quota 1000") })
	r.want(t, exitOK)
	if !strings.HasPrefix(r.stderr, "Embedded fake of AWS KMS") {
		t.Errorf("stderr does not say that this is a fake: %q", r.stderr)
	}

	var (
		findings []usage.Finding
		classes  = map[string]usage.Class{}
		able     = map[string]bool{}
		lines    = bufio.NewScanner(strings.NewReader(r.stdout))
	)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a usage.Assessment
		var flat struct {
			ARN, Class string
			Retirable  bool
			Holds      []struct{ Kind string }
		}
		if err := errors.Join(json.Unmarshal(lines.Bytes(), &a), json.Unmarshal(lines.Bytes(), &flat)); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if a.Finding.ARN != flat.ARN || a.Verdict.Class.String() != flat.Class || a.Retirable() != flat.Retirable || len(a.Holds) != len(flat.Holds) {
			t.Errorf("read back as another: %s", lines.Text())
		}
		findings = append(findings, a.Finding)
		classes[flat.ARN], able[flat.ARN] = a.Verdict.Class, flat.Retirable
	}
	if len(findings) < demoKeys {
		t.Errorf("%d lines for %d keys and those of AWS", len(findings), demoKeys)
	}
	// What was judged as it came is judged the same as a whole.
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		if arn := a.Finding.ARN; classes[arn] != a.Verdict.Class || able[arn] != a.Retirable() {
			t.Errorf("%s: %v, retirable %v; want %v, %v", arn, classes[arn], able[arn], a.Verdict.Class, a.Retirable())
		}
	}
}

func TestJSONThatCannotBeWrittenIsAnError(t *testing.T) {
	full, w := io.Pipe()
	if err := full.CloseWithError(errors.New("no space left")); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var stderr strings.Builder
		if code := run(t.Context(), []string{"-json"}, w, &stderr); code != exitIncomplete || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("exit code %d: %s", code, stderr.String())
		}
	})
}

func TestJSONHasNothingThatATerminalActsUpon(t *testing.T) {
	in, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	line := visible(in)
	for _, r := range string(line) {
		if r == 0x7f || r == 0x9b || r == 0x202e || r == 0x200b {
			t.Errorf("%U in %s", r, line)
		}
	}
	var before, after string
	if err := errors.Join(json.Unmarshal(in, &before), json.Unmarshal(line, &after)); err != nil || before != after {
		t.Errorf("%q became %q: %v", before, after, err)
	}
	if got := string(visible([]byte("\"\U000e0041\""))); got != `"\udb40\udc41"` { // an invisible tag character
		t.Errorf("got %s", got)
	}
}

// At AWS's own quota the demo takes about half a minute.
func TestAnInterruptedRunPrintsWhatItHasRead(t *testing.T) {
	for _, line := range []string{"-quota 5", "-quota 5 -json"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, cancel)
			r := runWith(ctx, line)
			r.want(t, exitIncomplete, "111122223333 us-east-1 was interrupted: ", "keys listed by then were read")
			if !strings.Contains(r.stdout, "Active") {
				t.Errorf("%s: nothing was printed of what had been read", line)
			}
			if strings.Contains(r.stderr, "context canceled") {
				t.Errorf("%s: an error as only a programmer knows it", line)
			}
			if line == "-quota 5" {
				r.want(t, exitIncomplete, "Regions that could not be read to the end (see the errors)")
			}
		})
	}
}

// environment points the SDK at nothing of the machine that the test runs on.
func environment(t *testing.T, accessKey string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": accessKey, "AWS_SECRET_ACCESS_KEY": "none", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": filepath.Join(dir, "config"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "credentials"),
		"AWS_PROFILE": "", "AWS_DEFAULT_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_ENDPOINT_URL": "", "AWS_ENDPOINT_URL_KMS": "", "AWS_CA_BUNDLE": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_ROLE_ARN": "", "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	if accessKey == "" {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	}
	return dir
}

const administrator = "AKIA0000111122223333" // the fake's: see kmsfake.Credentials

// served is a small fake behind HTTP with a key that is Unused, one in use and
// one younger than the window, in each Region.
func served(t *testing.T, regions ...string) (*kmsfake.Server, string) {
	t.Helper()
	now := time.Now()
	srv := kmsfake.New(func(o *kmsfake.Options) {
		o.TrackingStart = now.AddDate(0, 0, -200)
		o.Quotas = map[string]float64{}
	})
	for _, region := range regions {
		for alias, days := range map[string][2]int{"unused": {150, -1}, "busy": {150, 1}, "young": {9, -1}} {
			k := kmsfake.Key{Account: "111122223333", Region: region, Aliases: []string{alias + "-" + region}, Created: now.AddDate(0, 0, -days[0])}
			if days[1] >= 0 {
				k.LastUsed = now.AddDate(0, 0, -days[1])
			}
			srv.MustAddKey(k)
		}
	}
	url, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return srv, url
}

func TestOverHTTP(t *testing.T) {
	_, url := served(t, "us-east-1", "eu-west-1")
	environment(t, administrator)
	r := runWith(t.Context(), "-quota 1000 -regions us-east-1,eu-west-1 -endpoint "+url)
	r.want(t, exitOK, "AWS KMS, at "+url+": us-east-1, eu-west-1",
		"6 keys in 1 account (111122223333), 2 Regions (eu-west-1, us-east-1)", "2 keys can be retired",
		"unused-eu-west-1", "unused-us-east-1", "Everything that was asked for was read.")
	if strings.Contains(r.stdout, "ake") {
		t.Error("the real mode speaks of a fake")
	}

	t.Setenv("AWS_REGION", "eu-west-1")
	runWith(t.Context(), "-quota 1000 -window 7d -endpoint "+url).want(t, exitOK, "3 keys in 1 account", "2 keys can be retired", "window 7 days")
	runWith(t.Context(), "-quota 1000 -regions us-east-1 -regions eu-west-1 -endpoint "+url).want(t, exitOK, "6 keys in 1 account")
	r = runWith(t.Context(), "-quota 1000 -json -endpoint "+url)
	r.want(t, exitOK, `"class":"Unused"`)
	if n := strings.Count(r.stdout, "\n"); n != 3 {
		t.Errorf("%d lines for 3 keys", n)
	}
}

func TestAProfileGivesCredentialsAndRegion(t *testing.T) {
	_, url := served(t, "eu-central-1")
	dir := environment(t, "")
	config := fmt.Sprintf("[profile audit]\nregion = eu-central-1\naws_access_key_id = %s\naws_secret_access_key = none\n", administrator)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	runWith(t.Context(), "-quota 1000 -profile audit -endpoint "+url).want(t, exitOK, "profile audit", "unused-eu-central-1")
	runWith(t.Context(), "-profile audits -endpoint "+url).want(t, exitUsage, `no profile "audits"`)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte("[profile audit\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runWith(t.Context(), "-profile audit -endpoint "+url).want(t, exitUsage, "inventory: ")
}

func TestARegionThatCannotBeListedFailsAlone(t *testing.T) {
	srv, url := served(t, "us-east-1", "eu-west-1")
	srv.Deny(func(c kmsfake.Call) bool { return c.Region == "eu-west-1" && c.Operation == "ListKeys" })
	environment(t, administrator)
	r := runWith(t.Context(), "-quota 1000 -regions eu-west-1,us-east-1 -endpoint "+url)
	r.want(t, exitIncomplete, "unused-us-east-1", "keys of 1 Region that could not be read to the end (see the errors)")
	if !strings.HasPrefix(r.stderr, "inventory: eu-west-1 could not be read: ListKeys: AccessDeniedException: ") {
		t.Errorf("stderr: %s", r.stderr)
	}
}

func TestWhatIsDeniedOfSingleKeysIsAGapAndNoFailure(t *testing.T) {
	srv, url := served(t, "us-east-1")
	srv.Deny(func(c kmsfake.Call) bool { return c.Operation == "ListGrants" })
	environment(t, administrator)
	runWith(t.Context(), "-quota 1000 -regions us-east-1 -endpoint "+url).want(t, exitOK,
		"Not seen: denied ListGrants of 3 keys.", "1 key cannot be judged", "ListGrants was not read: denied")
}

func TestRegionsWithoutAKeyAreNoFailure(t *testing.T) {
	srv, url := served(t)
	environment(t, administrator)
	r := runWith(t.Context(), "-regions eu-west-1,us-east-1 -endpoint "+url)
	r.want(t, exitOK, "No keys were read.")
	srv.Deny(func(c kmsfake.Call) bool { return c.Region == "eu-west-1" && c.Operation == "ListKeys" })
	r = runWith(t.Context(), "-regions eu-west-1,us-east-1 -endpoint "+url)
	r.want(t, exitIncomplete, "No keys were read.", "eu-west-1 could not be read: ListKeys")
}

func TestWithoutCredentialsItSaysWhatToDo(t *testing.T) {
	environment(t, "")
	start := time.Now()
	r := runWith(t.Context(), "-regions us-east-1")
	r.want(t, exitIncomplete, "-profile", "AWS_ACCESS_KEY_ID", "aws sso login", "leave out -profile, -regions and")
	if !strings.HasPrefix(r.stderr, "inventory: no AWS credentials. Sign in") || r.stdout != "" {
		t.Errorf("stdout %q, stderr %q", r.stdout, r.stderr)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	mustFit(t, r.stderr, tableWidth)
	runWith(t.Context(), "-regions us-east-1 -endpoint http://127.0.0.1:9").want(t, exitIncomplete, "An emulator takes any key")
	runWith(t.Context(), "-endpoint http://127.0.0.1:9").want(t, exitUsage, "no Region: give -regions")
}

func TestWrongCredentialsAreToldAtOnce(t *testing.T) {
	_, url := served(t, "us-east-1")
	environment(t, "AKIAUNKNOWN")
	r := runWith(t.Context(), "-regions us-east-1 -endpoint "+url)
	r.want(t, exitIncomplete, "us-east-1 could not be read: ListKeys: UnrecognizedClientException: ")
	if r.stdout != "" {
		t.Errorf("stdout %q", r.stdout)
	}
}

func TestHelpAndWrongFlags(t *testing.T) {
	if r := runWith(t.Context(), "-h"); r != (result{stdout: help, code: exitOK}) {
		t.Errorf("-h: %+v", r)
	}
	r := runWith(t.Context(), "-window soon")
	r.want(t, exitUsage, "-window", "days such as 90d", "-h for help")
	if r.stdout != "" {
		t.Errorf("stdout %q", r.stdout)
	}
}

func TestErrorsAreToldInWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&usage.TargetError{Account: "1", Region: "r", Op: "ListKeys", Listed: 1000, Read: 10, Err: io.ErrUnexpectedEOF}, "1 r was not read to its end (10 of the 1000 keys listed): ListKeys: unexpected EOF"},
		{&usage.TargetError{Region: "r", Err: context.Canceled}, "r was interrupted: 0 of the 0 keys listed by then were read"},
		{&usage.TargetError{Err: fmt.Errorf("a: %w", fmt.Errorf("b: %w", context.DeadlineExceeded))}, "AWS KMS could not be read: no answer within 10s"},
		{errors.New("other"), "other"},
	} {
		if got := describe(c.err); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	if errs := split(errors.Join(io.EOF, io.ErrClosedPipe)); len(errs) != 2 || split(nil) != nil {
		t.Errorf("got %v", errs)
	}
}
