// Package eventfile owns the reading of a shop's past from files: CSV, NDJSON and JSON arrays, in UTF-8 or UTF-16, plain or
// compressed (gzip, zstd, zip), sheets of workbooks (XLSX), and Parquet, with a mapping from the file's columns to the fields of
// events. Its rows are events ready to be produced; it reports a row that it cannot read with line and reason, and continues.
//
// It refuses to guess: a date that can be read in two ways and an unknown column are errors that name the flag to give, with the columns that have
// usual names as an offer (guess.go). A header that it knows is no guess: it is that of a preset (preset.go). Amounts
// pass through as text and never through a float. Intake decides whether an event is accepted: it reads these events like any
// others.
//
// A row without an identity of its own (an order id, a refund id, a response id) gets one from the file's content and its line, so
// that importing the file again, compressed or not, sends only duplicates.
//
// Read mapping.go for the options, columns.go for what a mapping may say of a column, content.go for encodings, tables.go for workbooks and Parquet, syntax.go for delimiters and
// headers, records.go for where a record ends, detect.go for dates, row.go for how a record becomes an event.
package eventfile
