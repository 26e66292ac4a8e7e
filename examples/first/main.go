// Command first prints a verdict on every KMS key of an account and Region.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/kmsusage/usage"
)

func main() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	findings, err := usage.Collect(usage.Inspect(ctx, kms.NewFromConfig(cfg)))
	for _, a := range usage.Assess(findings, usage.Policy{}) {
		fmt.Println(a.Verdict.Class, a.Finding.ARN, "retirable:", a.Retirable())
		for _, h := range a.Holds {
			fmt.Println("    ", h)
		}
	}
	if err != nil { // last: the findings are good, whatever is missing
		log.Fatal(err)
	}
}
