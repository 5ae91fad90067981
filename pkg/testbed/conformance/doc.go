// Package conformance tests that every fault which a runbook names raises the alert that the runbook names, in time, and no unrelated
// critical one: real processes of the built program, a real Prometheus that scrapes them, and the rules of deploy/prometheus.
//
// # What the scaling leaves out
//
// So that the test takes minutes, all durations of the rules (for, ranges, offsets, thresholds in seconds) are divided by Scale, and
// Prometheus scrapes and evaluates every second. The detection inside a process (probes, back-off, sessions) is not scaled: what an
// operator waits is the sum of both. An alert that would fire only after a long time (a day's growth of the ledger, an audit of last
// week), and false alarms that take longer to develop than the test lasts, are left to the rules' own tests with promtool.
//
// The clock of a process cannot be set here without setting that of its machine: that nothing depends on it is shown by
// pkg/testbed/faulttest. Here the clock of a shop is wrong.
package conformance
