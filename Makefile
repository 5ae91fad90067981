# Everything here runs on a machine with Go alone, but for test-real, bench and image, which need Docker.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
SEEDS    ?= 200
FUZZTIME ?= 5s

LINT_VERSION := v2.15.0
BUF_VERSION  := v1.50.0
LINT := bin/golangci-lint-$(LINT_VERSION)

LDFLAGS := -s -w -X github.com/mainstay/mainstay/pkg/telemetry.version=$(VERSION)
# What is generated, as one hash: drift shows in a clean clone and in a changed tree alike.
GENERATED = { find schemas -name '*.pb.go' -print0 -o -name '*.json' -print0 | sort -z | xargs -0 cat; cat docs/configuration.md deploy/grafana/dashboards/*.json; } | sha256sum
# Packages with tests that need real servers.
REAL = $(shell grep -rl --include='*_test.go' '^//go:build real' . | xargs -r -n1 dirname | sort -u)

.PHONY: help
help: ## what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

.PHONY: build
build: ## bin/mainstay
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/mainstay ./cmd/mainstay

.PHONY: generate
generate: ## code from the .proto files, JSON Schemas, docs/configuration.md, Grafana's boards
	go run github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION) generate
	go generate ./...

.PHONY: check-generate
check-generate: ## fails when generated files are not what generate makes
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory generate; after=$$($(GENERATED)); \
	[ "$$before" = "$$after" ] || { echo 'generated files were out of date; they have been made anew: commit them' >&2; exit 1; }

$(LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $(LINT)

.PHONY: lint
lint: $(LINT) ## golangci-lint, import rules and "time is an argument" among it; every file formatted
	$(LINT) run

.PHONY: format
format: $(LINT) ## formats every file
	$(LINT) fmt

.PHONY: test
test: ## all tests that need no Docker
	go test -timeout 15m ./...

.PHONY: race
race: ## the tests of what runs concurrently, under the race detector
	go test -race -timeout 15m $$(go list ./pkg/... | grep -vE '/pkg/(testbed/faulttest|lifetimes|sandbox/groundtruth)$$')

.PHONY: test-real
test-real: ## the tests on real Kafka and Redis (Docker)
	go test -tags real -count=1 -timeout 30m -p 1 $(REAL)

.PHONY: check-rules
check-rules: ## Prometheus's rules and their tests (promtool, or Docker)
	go test -tags real -count=1 -run '^TestPromtool$$' ./deploy

.PHONY: test-compose
test-compose: ## docker compose up, events through it, every query of the boards, and down again
	go test -tags compose -count=1 -timeout 15m ./pkg/testbed/compose

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's/^(.*)\/[^/]+:[0-9]+:func /\1 /' | sort | while read -r package target; do \
	  echo "$$package $$target"; \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" | grep -vE '^fuzz: elapsed' || exit 1; \
	done

.PHONY: simulate
simulate: ## SEEDS simulated histories with faults at every step
	go test -count=1 -timeout 0 -v -run '^TestSeeds$$' ./pkg/testbed/faulttest -seeds=$(SEEDS)

.PHONY: mutants
mutants: ## broken rules, each of which the simulation must find: prints the table
	go run ./cmd/mutants -seeds $(SEEDS)

.PHONY: bench
bench: ## the whole pipeline on real Kafka and Redis (Docker)
	go run ./cmd/bench

.PHONY: image
image: ## mainstay:VERSION for docker
	VERSION=$(VERSION) docker compose build mainstay

.PHONY: clean
clean: ## removes bin
	rm -rf bin
