// Package recount owns an independent count of a simulated or real shop: it computes every customer's answers from the events that
// were sent, by a batch computation that shares no code with the processors, and compares them with the state in Redis and with the
// published outputs. Tests on real servers use it as their oracle.
//
// It refuses to read the ledger, which is what the audit does, and to use the decoder under test: events are read with encoding/json
// and their plain field names.
package recount
