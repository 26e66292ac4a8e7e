package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/kmsusage/usage/kmsiface/kmsfake"
)

func TestTheReadmeShowsThisProgram(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```go\n"+string(program)+"```\n") {
		t.Error("README.md does not hold main.go as it is")
	}
}

func TestTheProgramPrintsVerdictsAndHolds(t *testing.T) {
	srv := kmsfake.New()
	idle := srv.MustAddKey(kmsfake.Key{
		Account: "111122223333", Region: "us-east-1",
		Created:  time.Date(2019, 1, 1, 0, 0, 0, 0, time.UTC),
		LastUsed: time.Now(), LastOperation: "Decrypt",
	})
	url, stop, err := srv.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	creds, err := kmsfake.Credentials("111122223333").Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}

	cmd := exec.CommandContext(t.Context(), "go", "run", ".")
	cmd.Env = append(os.Environ(),
		"AWS_ENDPOINT_URL_KMS="+url, "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID="+creds.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+creds.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go run: %v\n%s", err, out)
	}
	for _, want := range []string{"Active " + idle + " retirable: false", "block in-use: KMS recorded Decrypt"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
