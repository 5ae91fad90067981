// Package deploy owns the tests of what operators are given: the Prometheus rules, the Grafana dashboards and the runbooks. They check
// these against each other and against the program: unknown metrics, alerts without a runbook, halt reasons without a section. The
// package refuses to contain code that runs in production.
package deploy
