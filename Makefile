# Every check is a step of .ci/run, so that here, there and in the workflow the
# same thing runs. `make ci` runs them all.

.DEFAULT_GOAL := test
.PHONY: help test format vet lint race drift tidy-check examples fuzz mutants ci fmt generate tidy bench

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' Makefile

test: ## run the tests as the README does
	go test ./...

ci: ## run everything that CI runs
	bash .ci/run

format vet lint race drift examples fuzz mutants: ## one step of .ci/run
	bash .ci/run $@

tidy-check: ## check that every go.mod is tidy
	bash .ci/run tidy

fmt: ## format all Go code as the linter wants it
	go tool -modfile=tools/lint/go.mod golangci-lint fmt

generate: ## make the generated code anew
	go generate ./...

tidy: ## tidy every module
	for mod in . cloudtrail/sqltest examples tools/mockgen tools/lint; do go -C $$mod mod tidy || exit 1; done

bench: ## run the benchmarks: of the code, then against a quota (minutes)
	go test -run '^$$' -bench . -benchmem ./...
	go run -C examples ./bench
