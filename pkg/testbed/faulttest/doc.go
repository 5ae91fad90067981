// Package faulttest owns the proof of the protocol: it runs the whole system, with its real client libraries, on an in-memory
// Kafka, Redis and schema registry in virtual time, and injects faults at every request and every labelled step. A run is one seed. An oracle
// that shares no code with the system recounts the answers from the input topics, an audit folds the ledger again, and
// invariants that no final state shows (no event late under the live clock, sequence numbers without gaps) are checked while
// the system runs.
//
// It refuses real time, real networks and real disks. It does not know how the protocol keeps its promise: it sees requests,
// labelled steps and what readers of committed data see.
package faulttest
