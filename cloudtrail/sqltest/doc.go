// Package sqltest executes the statements that package cloudtrail writes for
// Athena and CloudTrail Lake on DuckDB, over the records that cloudtrail.Scan
// reads, and compares the answers. It is a module of its own: DuckDB needs cgo
// and has no place among the dependencies of the library.
package sqltest
