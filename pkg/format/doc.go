// Package format owns the formats of input records other than Mainstay's own: each is one table that says, for each kind of event that
// a vendor's record may be, by what it is known, and from which path each field is read. Shipped tables and users' tables are
// written in the same language (see table.go), and shipped ones can be printed: `mainstay formats show shopify`.
//
// A format translates a record into the JSON of its events, one or several, with the plain field names, which the decoder then reads as if the
// shop had written them (package schemas/event). The events of a record and their order depend on the record and the table alone, since an
// event is known in the ledger by its number in the record. The format mainstay is the decoder alone and costs nothing more.
//
// It refuses to judge values: whether an amount, a time or a status is acceptable is the decoder's business. It refuses to guess: a
// record that fits no event of its format is refused, naming what was looked for.
//
// Read table.go and source.go for the language, path.go for paths, translate.go for how a record becomes events, write.go for how one is written.
package format
