// Package event owns the reading of input records: from the bytes that a shop emits (plain JSON, or CloudEvents in binary
// or structured mode) to a ledger.Event, understood, validated and normalised.
//
// It refuses what cannot be understood, naming the field and the reason and nothing of the payload, and it refuses to
// judge what is understood: duplicates, conflicts and excess refunds are the business of the fold.
//
// How a field is found: the first of its names, the plain one before its aliases in their order, and for each name the
// first place among the body, the body's `properties` and the body's `data`, at which it is neither null nor an empty
// string. What stands elsewhere is not looked at. Of a member name that an object repeats, the last one stands, as with
// nearly every JSON reader. Attributes of CloudEvents (headers or envelope) come after all names within the body.
// A customer id that is null stands for no particular customer, like the text "null".
package event
