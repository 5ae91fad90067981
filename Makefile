# test-real, nemesis, soak, test-compose, bench and image need Docker; test-browser and screenshots need Chromium, test-browser also npm; every
# other target needs Go alone.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
SEEDS    ?= 200
FUZZTIME ?= 5s
FAULTS   ?= 20
KILLS    ?= 1000
SEED     ?= 0

LINT_VERSION := v2.15.0
VULN_VERSION := v1.9.0
BUF_VERSION  := v1.50.0
AXE_VERSION  := 4.14.1
LINT := bin/golangci-lint-$(LINT_VERSION)
VULN := bin/govulncheck-$(VULN_VERSION)
AXE  := bin/axe-$(AXE_VERSION).min.js

LDFLAGS := -s -w -X github.com/mainstay/mainstay/pkg/telemetry.version=$(VERSION)
# One hash over all generated files, so that check-generate works in a clean clone and in a changed tree.
GENERATED = { find schemas -name '*.pb.go' -print0 -o -name '*.json' -print0 | sort -z | xargs -0 cat; cat schemas/asyncapi.yaml docs/configuration.md docs/openapi.json docs/licences.md deploy/grafana/dashboards/*.json; } | sha256sum
# Packages with tests that need Kafka and Redis in containers.
REAL = $(shell grep -rl --include='*_test.go' '^//go:build real' . | xargs -r -n1 dirname | sort -u)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 18

.PHONY: build
build: ## build bin/mainstay
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/mainstay ./cmd/mainstay

.PHONY: generate
generate: ## generate code from the .proto files, the JSON Schemas, schemas/asyncapi.yaml, docs/configuration.md, docs/openapi.json, docs/licences.md and the Grafana dashboards
	go run github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION) generate
	go run github.com/bufbuild/buf/cmd/buf@$(BUF_VERSION) generate --template buf.gen.ledger.yaml
	go generate ./...

.PHONY: check-generate
check-generate: ## fail if the generated files are out of date
	@before=$$($(GENERATED)); $(MAKE) --no-print-directory generate; after=$$($(GENERATED)); \
	[ "$$before" = "$$after" ] || { echo 'generated files were out of date and have been regenerated: commit them' >&2; exit 1; }

$(LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $(LINT)

.PHONY: lint
lint: $(LINT) ## run golangci-lint, including the import rules, the clock rule and the formatters
	$(LINT) run

.PHONY: format
format: $(LINT) ## format every file
	$(LINT) fmt

$(VULN):
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION)
	mv bin/govulncheck $(VULN)

.PHONY: vulncheck
vulncheck: $(VULN) ## look for known vulnerabilities in the code that the binary calls (needs https://vuln.go.dev, or a copy of it in GOVULNDB); for a weekly job
	@code=0; $(VULN) ./cmd/mainstay || code=$$?; \
	case $$code in \
	  0) ;; \
	  3) echo 'vulncheck: vulnerabilities were found' >&2 ;; \
	  *) echo 'vulncheck: NO VERDICT: the check did not run to its end. If the database could not be fetched, set GOVULNDB to a copy of it.' >&2 ;; \
	esac; exit $$code

.PHONY: test
test: ## run all tests that do not need Docker
	go test -timeout 15m ./...

.PHONY: race
race: ## run the tests of concurrent packages under the race detector
	go test -race -timeout 15m $$(go list ./pkg/... | grep -vE '/pkg/(testbed/(faulttest|onehistory)|lifetimes|models/lift|sandbox/(groundtruth|shop))$$$$')

.PHONY: test-real
test-real: ## run the tests on real Kafka and Redis (Docker)
	go test -tags real -count=1 -timeout 30m -p 1 $(REAL)

.PHONY: nemesis
nemesis: ## FAULTS faults each on a Redis Cluster, under sentinels and on three brokers; the report goes into docs/reliability.md (Docker)
	go run ./cmd/nemesis -faults $(FAULTS) -seed $(SEED) -page docs/reliability.md

.PHONY: soak
soak: ## KILLS kills under load, with failovers and rebalances, for hours; the report goes into docs/reliability.md (Docker)
	go run ./cmd/nemesis -kills $(KILLS) -seed $(SEED) -page docs/reliability.md

.PHONY: check-rules
check-rules: ## check the Prometheus rules and run their tests (promtool, or Docker)
	go test -tags real -count=1 -run '^TestPromtool$$' ./deploy

.PHONY: test-compose
test-compose: ## start the compose stack, send events through it, run every dashboard query, stop it (Docker)
	go test -tags compose -count=1 -timeout 15m ./pkg/testbed/compose

$(AXE):
	mkdir -p bin
	cd bin && tar -xzOf "$$(npm pack --silent axe-core@$(AXE_VERSION))" package/axe.min.js > $(notdir $(AXE)) && rm axe-core-$(AXE_VERSION).tgz

.PHONY: test-browser
test-browser: $(AXE) ## open every page in a headless Chromium: accessible, no error, fits a phone, works from right to left (Chromium, npm)
	AXE=$(CURDIR)/$(AXE) go test -tags browser -count=1 -timeout 15m ./pkg/testbed/browser

.PHONY: screenshots
screenshots: build ## take the pictures of the pages in docs/images (Chromium)
	go run ./cmd/screenshots

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's/^(.*)\/[^/]+:[0-9]+:func /\1 /' | sort | while read -r package target; do \
	  echo "$$package $$target"; \
	  go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" | grep -vE '^fuzz: elapsed' || exit 1; \
	done

.PHONY: faulttest
faulttest: ## run SEEDS seeds of the fault test: the whole system in memory, with faults at every step
	go test -count=1 -timeout 0 -v -run '^TestSeeds$$' ./pkg/testbed/faulttest -seeds=$(SEEDS)

.PHONY: mutants
mutants: ## break every rule of the protocol, one at a time, and fail if no test notices
	go run ./cmd/mutants -seeds $(SEEDS)

.PHONY: mutants-tenth
mutants-tenth: ## the same for a tenth of the rules, which changes with each commit
	go run ./cmd/mutants -seeds $(SEEDS) -tenth $$(( $$(git rev-list --first-parent --count HEAD) % 10 ))

.PHONY: bench
bench: ## count outputs, measure a close, and benchmark the whole pipeline on real Kafka and Redis (Docker)
	go run ./cmd/bench

.PHONY: image
image: ## build the Docker image mainstay:VERSION
	VERSION=$(VERSION) REVISION=$$(git rev-parse HEAD) docker compose build mainstay

.PHONY: clean
clean: ## remove bin
	rm -rf bin
