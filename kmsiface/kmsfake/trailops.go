package kmsfake

// trailOperations are the operations of CloudTrail that are served, by name.
var trailOperations = trailTable(
	op(lookupEvents, operation{}),
	op(describeTrails, operation{}),
	op(getEventSelectors, operation{}),
	op(getTrailStatus, operation{}),
	op(createTrail, operation{changes: true}),
	op(updateTrail, operation{changes: true}),
	op(deleteTrail, operation{changes: true}),
	op(startLogging, operation{changes: true}),
	op(stopLogging, operation{changes: true}),
	op(putEventSelectors, operation{changes: true}),
)

// trailTable is table for operations of CloudTrail. They check their members
// themselves, since each has errors of its own for them.
func trailTable(ops ...*operation) map[string]*operation {
	for _, o := range ops {
		o.service, o.plan, o.keyField, o.ciphertextField = trailService, nil, -1, -1
	}
	return table(ops...)
}
