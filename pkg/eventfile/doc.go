// Package eventfile owns the reading of a shop's past from files: CSV and NDJSON, plain or gzipped, with a mapping from
// the file's columns to the fields of events. Its rows are events ready to be produced; what it cannot read it reports
// with line and reason, and goes on.
//
// It refuses to guess: a date that can be read in two ways, an unknown column, a file in another encoding are errors
// that say which flag to give. Amounts pass through as text and never through a float. Whether an event is accepted in
// the end is the business of intake, which reads these events like any others.
//
// A row without an identity of its own (an order id, a refund id, a response id) gets one from the file's content and
// its line, so that importing a file again is all duplicates, gzipped or not.
//
// Read mapping.go for what may be asked, reader.go for how a file is gone through, records.go for where a record ends,
// times.go for dates, row.go for how a record becomes an event.
package eventfile
