package main

import (
	"flag"
	"fmt"
	"io"
)

const help = `Walk goes the whole way that a key takes out of service, on an embedded fake of KMS and CloudTrail.
No AWS account is needed, and none is asked.

  walk

Two keys have been silent for months. What KMS says of them is printed first; then what CloudTrail
adds: who made the last use, whether a key was used before KMS began to track use, and, once both
keys are disabled, that somebody was refused. The fake keeps AWS's request quotas, so that it takes
ten seconds.

  -h               this help

Exit codes:
  0  it went the whole way
  1  it did not, or could not print it
  2  the arguments do not make sense
`

// parseArgs refuses all arguments but -h, which is [flag.ErrHelp].
func parseArgs(argv []string) error {
	fs := flag.NewFlagSet("walk", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	if err := fs.Parse(argv); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; it takes none", fs.Arg(0))
	}
	return nil
}
