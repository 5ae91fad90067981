// Package timeform owns the forms in which shops write times, besides RFC 3339: civil times of the ledger's zone, names of zones,
// Unix time in four units, the days of spreadsheets, dates of the Solar Hijri and the Hijri calendar, in the digits of Persian and
// Arabic too. Files find one form for a column (Families, Named); events are read one by one (Reader).
//
// It refuses to guess: of a text that can be read in two ways it returns both. The zone is an argument.
package timeform
