package event

import (
	"bytes"

	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// Message is an input record as far as reading it needs it.
type Message struct {
	Key, Value []byte
	Null       bool                             // the value is null: a tombstone
	Timestamp  int64                            // Kafka's, ms since 1970
	Header     func(name string) ([]byte, bool) // nil: the record has none
}

// AnonymousPolicy says what becomes of events of nobody in particular.
type AnonymousPolicy string

// The policies.
const (
	AnonymousSkip       AnonymousPolicy = "skip"
	AnonymousDeadLetter AnonymousPolicy = "dead_letter"
)

// Normalise says how customer ids are made equal. Both forms know ASCII only, so that a later Unicode cannot reroute a customer.
type Normalise string

// The normalisations, as they stand in a ledger's genesis.
const (
	NormaliseNone  Normalise = "none"
	NormaliseTrim  Normalise = "trim"  // white space at both ends goes
	NormaliseLower Normalise = "lower" // trim, and A-Z become a-z
)

// AppendCustomer appends a customer id to dst in its normalised form, as the ledger knows it.
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

// Total says which amount of a purchase counts.
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

// Options are the settings that reading depends on.
type Options struct {
	Currency        string                 // where an event states none; "": it must
	Currencies      map[string]money.Alias // codes besides ISO 4217
	Total           Total                  // "": total
	Anonymous       []string               // customer ids that mean nobody, without regard to ASCII case
	AnonymousPolicy AnonymousPolicy        // "": skip
	Normalise       Normalise              // "": none
	KeepComments    bool                   // survey comments go into the ledger
	EventTime       bool                   // the ledger's clock is the events' own time
}

// DefaultOptions are the options as shipped: no default currency, the toman as an alias, the usual names for nobody.
func DefaultOptions() Options {
	return Options{
		Currencies:      money.Shipped(),
		Total:           TotalTotal,
		Anonymous:       []string{"0", "null", "undefined", "anonymous", "guest"},
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
)

// Result is what a record says. Its strings and bodies point into the message and the decoder: they are valid until the
// next Decode with this decoder or this result, and as long as the message's bytes stand.
type Result struct {
	Customer string       // whom the event belongs to; the referred customer of a referral
	Event    ledger.Event // one body is set
	Time     int64        // ms: the entry's time under the ledger's clock; Event.OccurredAt or the record's timestamp
	Skip     string       // "", or the reason for which it is skipped; the rest means nothing then
	Rounded  bool         // an amount had more decimals than its currency
	Cut      bool         // a reason became "other", or a comment was shortened

	bodies
	refunds     []*ledger.Refund // all that this result ever needed
	refundTimed []bool           // their occurred_at is stated
}

// Reason is why a record is refused: a small closed set, fit for a metric's label and a dead letter's class.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"     // not one JSON object, or nested more than 128 deep
	Encoding     Reason = "encoding"      // not UTF-8, or half of a surrogate pair
	Missing      Reason = "missing"       // a required field
	WrongType    Reason = "wrong_type"    // e.g. an object where an id is read
	BadFormat    Reason = "bad_format"    // a time that is not RFC 3339, an amount that is no number
	UnknownValue Reason = "unknown_value" // of type, kind, status, currency, dimension, specversion
	Mismatch     Reason = "mismatch"      // type is not that of the topic
	Negative     Reason = "negative"      // an amount
	NotPositive  Reason = "not_positive"  // a refund
	Overflow     Reason = "overflow"      // beyond int64 minor units
	OutOfRange   Reason = "out_of_range"  // a score
	NotWhole     Reason = "not_whole"     // a score
	TooLong      Reason = "too_long"      // an id
	TooEarly     Reason = "too_early"     // before 1990
	TooLate      Reason = "too_late"      // more than 48 h ahead
	Anonymous    Reason = "anonymous"     // nobody in particular, where the policy is to dead-letter that
)

// Refused says why a record cannot be understood. It holds nothing of the payload.
type Refused struct { //nolint:errname // a record is refused; "refused" is the domain term
	Field  string // plain name of the field; "" for the record as a whole
	Reason Reason
	Detail string // what would have been right
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

// FieldReading says how one field was read, for a person who asks why. Unlike Refused it shows the payload.
type FieldReading struct {
	Field   string `json:"field"`             // plain name
	From    string `json:"from,omitempty"`    // JSON path, "header ce_id", "record timestamp", "topic", "setting" or "" where it is absent
	Text    string `json:"text,omitempty"`    // as it stands there
	Value   string `json:"value,omitempty"`   // what it became
	Refused string `json:"refused,omitempty"` // why not
}
