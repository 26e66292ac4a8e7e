// Package trailmock holds gomock mocks of the interfaces of package cloudtrail
// through which AWS is read, for unit tests of code that takes one of them. What
// the comment of package kmsmock says of its mocks holds for these.
package trailmock

//go:generate go tool -modfile=../../tools/mockgen/go.mod mockgen -typed -write_package_comment=false -package=trailmock -destination=mocks.go github.com/kmsusage/usage/cloudtrail EventReader,TrailReader,TrailDescriber,EventSelectorsGetter,TrailStatusGetter
