package main

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage"
	"github.com/kmsusage/usage/cloudtrail"
	"github.com/kmsusage/usage/internal/archive"
)

func logscan(t *testing.T, argv ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	code = run(t.Context(), argv, &out, &errs)
	return code, out.String(), errs.String()
}

func TestWithoutArgumentsItReadsAMadeUpArchiveAndSaysSo(t *testing.T) {
	code, out, errs := logscan(t)
	if code != exitOK || errs != "" || !strings.Contains(out, "not one of yours") || !strings.Contains(out, "LAST USE") || !strings.Contains(out, "us-east-1") {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

func TestItReadsAFolderAndSaysWhatItCouldNotRead(t *testing.T) {
	dir, err := archive.Spec{}.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if code, out, _ := logscan(t, "-all", dir); code != exitOK || strings.Contains(out, "Not read") || !strings.Contains(out, "12 files") {
		t.Errorf("%d\n%s", code, out)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.json.gz"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := logscan(t, dir); code != exitIncomplete || !strings.Contains(out, "broken.json.gz: is neither gzip nor JSON") {
		t.Errorf("%d\n%s", code, out)
	}
}

// write writes a file and returns its name.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheDemoIsTheSameAsWithoutArguments(t *testing.T) {
	_, want, _ := logscan(t)
	if code, out, errs := logscan(t, "-demo"); code != exitOK || out != want || errs != "" {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

func TestItReadsAZipFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "logs.ZIP")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := zip.NewWriter(f)
	if _, err := (archive.Spec{}).Each(func(name string, packed []byte) error {
		entry, err := w.Create(name)
		if err == nil {
			_, err = entry.Write(packed)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := logscan(t, name); code != exitOK || !strings.Contains(out, "12 files") || errs != "" {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

const record = `{"eventTime":"2026-03-01T12:00:00Z","eventSource":"kms.amazonaws.com","eventName":"Decrypt","resources":[{"ARN":"arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}]}`

func TestItReadsASingleFileAndNoOtherOfItsFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "other.json", "broken")
	name := write(t, dir, "events.json", record)
	if code, out, _ := logscan(t, name); code != exitOK || !strings.Contains(out, "\n1 file, 1 record, 1 of KMS, 1 key; times are UTC\n") || !strings.Contains(out, "1234abcd") || !strings.Contains(out, "proves nothing") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestWhatWasNotOpenedIsSaidIfThereIsAny(t *testing.T) {
	dir, err := archive.Spec{}.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, out, _ := logscan(t, dir); strings.Contains(out, "not opened") || strings.Contains(out, "seen before") || strings.Contains(out, "name no key") {
		t.Errorf("it counts what is not there:\n%s", out)
	}
	write(t, dir, "notes.txt", "hello")
	_, out, _ := logscan(t, "-regions", "us-east-1", dir)
	if !strings.Contains(out, "\nFiles and folders not opened: 1 by path (another account, Region or day, or digests and the like), 1 by name (not that of a log file).\n") {
		t.Errorf("%s", out)
	}
	twice := write(t, t.TempDir(), "twice.json", strings.Repeat(strings.Replace(record, "{", `{"eventID":"e",`, 1), 2))
	if _, out, _ := logscan(t, twice); !strings.Contains(out, "1 file, 2 records, 2 of KMS (1 seen before), 1 key; times are UTC\n") {
		t.Errorf("%s", out)
	}
}

func TestColumnsAreCutOnATerminalOnly(t *testing.T) {
	const id = "1234abcd-12ab-34cd-56ef-1234567890ab"
	var lines strings.Builder
	for _, service := range []string{"dynamodb", "secretsmanager", "lambda", "s3"} {
		lines.WriteString(strings.Replace(record, "{", `{"userIdentity":{"arn":"arn:aws:iam::111122223333:role/`+strings.Repeat("long", 20)+`","invokedBy":"`+service+`.amazonaws.com"},`, 1))
	}
	name := write(t, t.TempDir(), "a.json", lines.String())
	_, out, _ := logscan(t, name)
	for _, want := range []string{id, strings.Repeat("long", 20), "dynamodb, lambda, s3, secretsmanager\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	src, err := open(name)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := cloudtrail.Scan(t.Context(), src.fsys)
	if err != nil {
		t.Fatal(err)
	}
	out, _ = report(t.Context(), src.title, logs, nil, args{terminal: true})
	for _, want := range []string{id[:17] + "…  ", "role/longlonglonglonglonglonglon…  ", "dynamodb, lambda, s3, secretsma…\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestNoLogFileIsSaid(t *testing.T) {
	notes := t.TempDir()
	write(t, notes, "notes.txt", "hello")
	dir, err := archive.Spec{}.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, argv := range map[string][]string{
		"an empty folder":       {t.TempDir()},
		"a folder of others":    {notes},
		"all of another Region": {"-regions", "ap-south-1", dir},
	} {
		if code, out, errs := logscan(t, argv...); code != exitIncomplete || !strings.Contains(out, "No log file was found") || errs != "" {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, errs)
		}
	}
}

func TestAFileThatCannotBeReadIsNamedAndTheRestIsPrinted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "good.json", record)
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "bad.json")); err != nil {
		t.Skip(err)
	}
	if code, out, _ := logscan(t, dir); code != exitIncomplete || !strings.Contains(out, "bad.json: gone since it was listed") || !strings.Contains(out, "1234abcd") {
		t.Errorf("%d\n%s", code, out)
	}
}

// Whoever may call KMS chooses the names of sessions and encryption contexts.
func TestTextOfRecordsCannotSteerATerminal(t *testing.T) {
	const hostile = `\u001b[2J\u009b31m\u202ereverse\u2066\r\n| all is well`
	dir := t.TempDir()
	write(t, dir, "a.json", strings.NewReplacer(
		`{"eventTime"`, `{"userIdentity":{"arn":"arn:aws:sts::999900001111:assumed-role/r/`+hostile+`","invokedBy":"`+hostile+`"},"eventTime"`,
		`1234567890ab`, hostile,
	).Replace(record)+"\n"+strings.Replace(record, `{"eventTime"`, `{"userIdentity":{"arn":"arn:aws:sts::999900001111:assumed-role/`+hostile+`","invokedBy":"`+hostile+`"},"eventTime"`, 1))
	write(t, dir, "\x1b[2Jname.json", "broken")
	_, out, errs := logscan(t, "-all", dir)
	for _, r := range out + errs {
		if r != '\n' && !harmless(r) {
			t.Errorf("%U is printed", r)
		}
	}
	if !strings.Contains(out, `\x1b[2J`) || !strings.Contains(out, "999900001111") {
		t.Errorf("%s", out)
	}
}

func TestAKeyThatIsOffIsShownSinceWhen(t *testing.T) {
	name := write(t, t.TempDir(), "a.json", record+strings.NewReplacer("Decrypt", "DisableKey", "12:00:00", "13:14:15").Replace(record))
	if code, out, _ := logscan(t, name); code != exitOK || !strings.Contains(out, "OFF SINCE") || !strings.Contains(out, "2026-03-01 13:14") {
		t.Errorf("%d\n%s", code, out)
	}
}

func TestAgainstAnInventoryItSaysWhatTheLogsChange(t *testing.T) {
	dir, err := archive.Spec{Keys: 4}.Dir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_, truth := archive.Spec{Keys: 4}.FS()
	read := time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)
	var findings []usage.Finding
	for arn, k := range truth.Keys {
		if !k.Last.IsZero() {
			findings = append(findings, usage.Finding{ARN: arn, LastUsage: &usage.LastUsage{
				ReadAt: read, Created: read.AddDate(-2, 0, 0), TrackingStart: time.Date(2026, time.April, 23, 0, 0, 0, 0, time.UTC),
			}})
		}
	}
	var lines strings.Builder
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(b, '\n'))
	}
	name := filepath.Join(t.TempDir(), "keys.jsonl")
	if err := os.WriteFile(name, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := logscan(t, "-against", name, dir)
	if code != exitOK || strings.Count(out, "Unrecorded  Idle") != len(findings) {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
}

func TestWhatMakesNoSenseEndsWithTwo(t *testing.T) {
	notAZip := write(t, t.TempDir(), "a.zip", "not a zip file")
	for name, argv := range map[string][]string{
		"two folders":         {"a", "b"},
		"a day that is none":  {"-from", "yesterday", "a"},
		"days in wrong order": {"-from", "2026-03-02", "-to", "2026-03-01", "a"},
		"an unknown flag":     {"-x"},
		"no such inventory":   {"-against", "does-not-exist.jsonl"},
		"not an inventory":    {"-against", "main.go"},
		"an empty list":       {"-regions", ","},
		"no such folder":      {"does-not-exist"},
		"no such zip file":    {"does-not-exist.zip"},
		"not a zip file":      {notAZip},
		"an account's name":   {"-accounts", "prod"},
		"a demo of a folder":  {"-demo", "."},
	} {
		t.Run(name, func(t *testing.T) {
			if code, out, errs := logscan(t, argv...); code != exitUsage || out != "" || errs == "" {
				t.Errorf("%d\n%s\n%s", code, out, errs)
			}
		})
	}
	if code, out, _ := logscan(t, "-h"); code != exitOK || out != help {
		t.Errorf("help: %d\n%s", code, out)
	}
}
