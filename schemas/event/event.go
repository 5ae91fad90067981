package event

import (
	"bytes"
	"time"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Message is the part of an input record that the decoder reads.
type Message struct {
	Key, Value []byte
	Null       bool                             // the value is null: a tombstone
	Timestamp  int64                            // Kafka's, ms since 1970
	Header     func(name string) ([]byte, bool) // nil: the record has none
	Lookup     func(path []string) any          // finds what encoding/json has decoded in the record that Value was translated from; nil: it is Value itself
}

// AnonymousPolicy states what happens to events of anonymous customers: ids that stand for no particular customer.
type AnonymousPolicy string

// The policies.
const (
	AnonymousSkip       AnonymousPolicy = "skip"
	AnonymousDeadLetter AnonymousPolicy = "dead_letter"
)

// Normalise is how customer ids are normalised. It handles ASCII only, so that a later version of Unicode cannot move a customer
// to another partition.
type Normalise string

// The normalisations, as written in a ledger's genesis.
const (
	NormaliseNone  Normalise = "none"
	NormaliseTrim  Normalise = "trim"  // without white space at both ends
	NormaliseLower Normalise = "lower" // trim, and A-Z become a-z
)

// AppendCustomer appends a customer id to dst in its normalised form, which the ledger uses.
func (n Normalise) AppendCustomer(dst, id []byte) []byte {
	if n != NormaliseTrim && n != NormaliseLower {
		return append(dst, id...)
	}
	for _, c := range bytes.Trim(id, " \t\r\n\v\f") {
		if n == NormaliseLower && 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// Total is which amount of a purchase counts.
type Total string

// The amounts. Where tax or shipping is not stated it is 0.
const (
	TotalTotal                     Total = "total"
	TotalSubtotal                  Total = "subtotal"
	TotalWithoutTax                Total = "total_without_tax"
	TotalWithoutShipping           Total = "total_without_shipping"
	TotalWithoutTaxAndShipping     Total = "total_without_tax_and_shipping"
	maxCustomer, maxID, maxComment       = 256, 1024, 2000 // bytes
)

// Options are the settings of a Decoder.
type Options struct {
	Currency        string                 // where an event states none; "": every event must state one
	Currencies      map[string]money.Alias // codes besides ISO 4217
	Total           Total                  // "": total
	Anonymous       []string               // customer ids that stand for no particular customer, in any ASCII case
	AnonymousPolicy AnonymousPolicy        // "": skip
	Normalise       Normalise              // "": none
	KeepComments    bool                   // survey comments go into the ledger
	EventTime       bool                   // the ledger's clock is the events' own time
	Zone            *time.Location         // of times that do not state theirs; nil: UTC
	Attributes      []AttributePath        // of customers, which purchases and engagement state
}

// DefaultOptions are the options as shipped: no default currency, the toman as an alias, the usual ids of anonymous customers.
func DefaultOptions() Options {
	return Options{
		Currencies:      money.Shipped(),
		Total:           TotalTotal,
		Anonymous:       []string{"0", "0.0", "null", "undefined", "anonymous", "guest", "nan", "none", "nil", "n/a", "<na>", "\\N", "-"},
		AnonymousPolicy: AnonymousSkip,
		Normalise:       NormaliseNone,
	}
}

// The reasons for which an event is skipped: counted, neither an error nor an entry.
const (
	SkipNull       = "null"
	SkipTest       = "test"
	SkipAnonymous  = "anonymous"
	SkipSurveyType = "survey_type"
	SkipDraft      = "draft"        // a purchase that is no order yet
	SkipDeleted    = "deleted"      // a row that was deleted (Debezium): it tells nothing of what happened to the order
	SkipOther      = "other_record" // a record of a vendor's format that tells of no event
)

// Skips returns all reasons for which an event is skipped.
func Skips() []string {
	return []string{SkipNull, SkipTest, SkipAnonymous, SkipSurveyType, SkipDraft, SkipDeleted, SkipOther}
}

// Result is a decoded record. Its strings and bodies point into the message and the decoder: they are valid until the next Decode
// with this decoder or this result, and only while the message's bytes are unchanged.
type Result struct {
	Customer string       // the customer of the event; of a referral, the referred one
	Event    ledger.Event // one body is set
	Time     int64        // ms: the entry's time under the ledger's clock; Event.OccurredAt or the record's timestamp
	Skip     string       // "", or why it is skipped; then the other fields have no meaning
	Rounded  bool         // an amount had more decimals than its currency
	Cut      bool         // a reason became "other", or a comment was shortened

	NoRefunds int // refunds of a snapshot that are left out since they are of 0

	bodies
	refunds     []*ledger.Refund // grows to the most that this result has needed
	refundTimed []bool           // their occurred_at is stated
}

// Reason is why a record is refused: a small closed set, used as a metric's label and a dead letter's class.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"     // not one JSON object, or nested more than 128 deep
	Encoding     Reason = "encoding"      // not UTF-8, or half of a surrogate pair
	Missing      Reason = "missing"       // a required field
	WrongType    Reason = "wrong_type"    // e.g. an object where an id is read
	BadFormat    Reason = "bad_format"    // a time that cannot be read, or in two ways; an amount that is no number
	UnknownValue Reason = "unknown_value" // of type, kind, status, currency, dimension, specversion
	Mismatch     Reason = "mismatch"      // type is not that of the topic
	Negative     Reason = "negative"      // an amount
	NotPositive  Reason = "not_positive"  // a refund
	Overflow     Reason = "overflow"      // beyond int64 minor units
	OutOfRange   Reason = "out_of_range"  // a score
	NotWhole     Reason = "not_whole"     // a score
	TooLong      Reason = "too_long"      // an id
	TooMany      Reason = "too_many"      // refunds of an order
	TooEarly     Reason = "too_early"     // before 1990
	TooLate      Reason = "too_late"      // more than 48 h ahead
	Anonymous    Reason = "anonymous"     // an anonymous customer, if the policy is dead_letter
	Schema       Reason = "schema"        // the registry does not know its schema, or it cannot be read by it
)

// The reasons for which the ledger refuses the entry of an event that was decoded (kafka.Code.ProduceOutcome).
const (
	TooLarge         Reason = "too_large"         // for the ledger's max.message.bytes
	InvalidTimestamp Reason = "invalid_timestamp" // too far from the broker's time, in a ledger without LogAppendTime
	InvalidRecord    Reason = "invalid_record"    // by a check of the cluster's own
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{
		Malformed, Encoding, Missing, WrongType, BadFormat, UnknownValue, Mismatch, Negative, NotPositive, Overflow, OutOfRange, NotWhole, TooLong, TooMany,
		TooEarly, TooLate, Anonymous, Schema, TooLarge, InvalidTimestamp, InvalidRecord,
	}
}

// Refused is why a record cannot be decoded. It contains nothing of the payload.
type Refused struct { //nolint:errname // a record is refused; "refused" is the domain term
	Field  string // plain name of the field; "" for the record as a whole
	Reason Reason
	Detail string // what is accepted instead
}

// Error is one line for a log or a header.
func (r *Refused) Error() string {
	field := r.Field
	if field == "" {
		field = "record"
	}
	if r.Detail == "" {
		return field + ": " + string(r.Reason)
	}
	return field + ": " + string(r.Reason) + ": " + r.Detail
}

// FieldReading is how one field was read, for Explain. Unlike Refused it contains the payload.
type FieldReading struct {
	Field   string `json:"field"`             // plain name
	From    string `json:"from,omitempty"`    // JSON path, "header ce_id", "record timestamp", "topic", "setting" or "" if it is absent
	Text    string `json:"text,omitempty"`    // verbatim
	Value   string `json:"value,omitempty"`   // as decoded
	Refused string `json:"refused,omitempty"` // why it was refused
}
