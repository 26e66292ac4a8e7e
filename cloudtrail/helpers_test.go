package cloudtrail

import "context"

// noContext never ends.
var noContext = context.Background()
