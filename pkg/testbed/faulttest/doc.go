// Package faulttest owns the proof of the protocol: the whole system, with its real client libraries, against a Kafka and a
// Redis in memory and a clock that jumps, while faults strike at every labelled step. A run is one seed. An oracle that
// knows nothing of the code recounts the answers from the input topics; an audit folds the ledger again; and invariants
// that no final state shows (nothing late under the live clock, sequences without gaps) are watched on the way.
//
// It refuses real time, real networks and real disks, and to know how the protocol keeps its promise: it strikes wherever
// a request leaves or a step is named, and looks at what readers of committed data see.
package faulttest
