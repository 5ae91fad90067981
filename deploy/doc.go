// Package deploy owns nothing that runs: it is where the tests of what operators are given stand. They hold Prometheus's rules,
// Grafana's boards and the runbooks against each other and against the program: a metric that is not there, an alert without
// a page, a reason without a section are found here.
package deploy
