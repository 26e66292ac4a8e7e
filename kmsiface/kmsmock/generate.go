// Package kmsmock holds gomock mocks of every interface of package kmsiface,
// for unit tests of code that takes one of them.
//
// A mock answers exactly what a test tells it to and fails the test on any
// other call. The mocks are typed: the compiler checks arguments and results of
// Return, Do and DoAndReturn.
//
//	ctrl := gomock.NewController(t)
//	client := kmsmock.NewMockLastUsageGetter(ctrl)
//	client.EXPECT().GetKeyLastUsage(gomock.Any(), gomock.Any()).
//		Return(&kms.GetKeyLastUsageOutput{
//			KeyLastUsage: &types.KeyLastUsageData{}, // no use on record
//		}, nil)
//
// Things to know:
//
//   - Make a mock with its constructor. The zero value of a mock has no
//     controller and panics at its first call.
//   - A call with option functions matches an expectation that has one matcher
//     more than the fixed arguments: add a third [go.uber.org/mock/gomock.Any]
//     and it matches any number of options, none included. Package usage passes
//     some on every call.
//   - Mocks ignore option functions, so nothing is paced and no test sleeps.
//   - For AWS's answer to a key without a record, return a non-nil
//     KeyLastUsageData that is empty, as above; for an empty list, a list that is
//     empty and not nil. That is what the SDK decodes, and package usage takes
//     what is absent for unread.
//
// A mock has no state. To test against a KMS that remembers what was done to
// it, pages, throttles and fails, use package kmsfake.
package kmsmock

// The list names every interface of kmsiface; a test there fails if one is
// missing. mockgen's version is pinned in a modfile of its own, so that
// importing this module brings no tools along.
//
//go:generate go tool -modfile=../../tools/mockgen/go.mod mockgen -typed -write_package_comment=false -package=kmsmock -destination=mocks.go github.com/kmsusage/usage/kmsiface Inspector,KeyDescriber,LastUsageGetter,KeyPolicyGetter,Changer,KeyDisabler,KeyEnabler,DeletionScheduler,DeletionCanceler,PrimaryRegionUpdater,Tagger,KeyPolicyPutter
