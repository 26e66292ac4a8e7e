package pace

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/smithy-go/middleware"
)

// Timeout bounds each attempt of a call, from the moment it is sent until its
// answer has been read. An SDK client waits for an answer for as long as its
// context lives; one connection that went dead would hold a worker for good.
// The waits between attempts do not count.
func Timeout(d time.Duration) func(*middleware.Stack) error {
	return func(s *middleware.Stack) error {
		return s.Finalize.Insert(middleware.FinalizeMiddlewareFunc("usageAttemptTimeout",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				attempt, cancel := context.WithTimeout(ctx, d)
				defer cancel()
				out, md, err := next.HandleFinalize(attempt, in)
				if err != nil && attempt.Err() != nil && ctx.Err() == nil {
					err = fmt.Errorf("no answer within %v: %w", d, err)
				}
				return out, md, err
			}), "Retry", middleware.After)
	}
}
