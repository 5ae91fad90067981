package event

import (
	"slices"
	"strings"
)

// Format is how the value of a field is read.
type Format uint8

// The formats. Identifiers and labels are text or the literal digits of a number.
const (
	Text           Format = iota // any text
	Identifier                   // at most 1,024 bytes
	CustomerID                   // an identifier of at most 256 bytes; null stands for an anonymous customer
	Label                        // at most 32 bytes; longer text becomes "other"
	Code                         // one of Field.Codes, in any case
	Currency                     // a code of ISO 4217, or one that the settings add
	Amount                       // at least 0
	PositiveAmount               // above 0
	Score                        // a whole number
	Time                         // RFC 3339, or another form of schemas/timeform
	Flag                         // true or false
	Objects                      // an array of objects
	Object                       // an object
	Detail                       // text, or the literal of a number, of which at most 100 bytes are kept; anything else is left out
	EventType                    // one of Descriptor.Types
)

// Field is a field of an event: where it is found, how it is read, and what the tools that write events need to know of it.
type Field struct {
	Name      string
	Aliases   []string // read where no name before them is present
	Attribute string   // of CloudEvents: id, type, source or time; read where no name is present
	Format    Format
	Codes     []string // of a Code
	Required  bool     // where its condition holds
	When      *Condition
	Identity  bool     // the identity of what the event is about; an import makes one for rows that have none
	Optional  bool     // the JSON Schema does not constrain it: it is not read, or only under some settings
	Parts     []*Field // of Objects, and of an Object
	MaxItems  int      // of Objects that are read: more elements are refused

	Doc     string
	Example any
	Flag    string // of the command `send`; "": none
	Default string // of that flag; see Unique

	within    string  // of a part: where Explain has found it, such as "refunds[]."
	names     []name  // the plain name first
	mask      nameSet // of names
	attribute attribute
}

// Unique is the default of a flag for which `send` makes a value that no other event has.
const Unique = "(unique)"

// Condition says for which codes of another field a field has a meaning.
type Condition struct {
	Field *Field
	Codes []string
}

// Holds says whether the condition of a field holds for a value of the field that it depends on.
func (c *Condition) Holds(code string) bool { return c == nil || slices.Contains(c.Codes, code) }

// Always says whether the field is required of every event of its kind.
func (f *Field) Always() bool {
	return f.Required && (f.When == nil || len(f.When.Codes) == len(f.When.Field.Codes))
}

// declare numbers the names of a field.
func declare(f Field) *Field { return f.numbered(names) }

// declarePart numbers the names of a field of an inner object; the error names it with the field that holds the object. within is
// that field's name, and "[]" behind it if it is an array.
func declarePart(within string, f Field) *Field {
	part := f.numbered(partNames)
	part.Name, part.within = strings.TrimSuffix(within, "[]")+"."+f.Name, within+"."
	return part
}

func (f Field) numbered(table *nameTable) *Field {
	for _, text := range append([]string{f.Name}, f.Aliases...) {
		n := table.number(text)
		f.names = append(f.names, n)
		f.mask.add(n)
	}
	if f.Attribute != "" {
		f.attribute = attribute(slices.Index(attributeTexts[:], f.Attribute)) //nolint:gosec // a short table
	}
	return &f
}

// The fields that events of every kind have.
var (
	fType = declare(Field{
		Name: "type", Aliases: []string{"event"}, Attribute: "type", Format: EventType, Example: "purchase",
		Doc: "Must agree with the topic; taken from it when missing. May have a reverse domain name before it and a version behind it.",
	})
	fEventID = declare(Field{
		Name: "event_id", Aliases: []string{"messageId"}, Attribute: "id", Format: Identifier, Example: "0197b3c2-9f0e", Flag: "event-id",
		Doc: "Unique within its source; a repeat is dropped. Without it the natural key stands in.",
	})
	fOccurredAt = declare(Field{
		Name: "occurred_at", Aliases: []string{"timestamp", "time"}, Attribute: "time", Format: Time, Example: "2026-03-01T12:00:00Z", Flag: "at", Default: "now",
		Doc: "RFC 3339 (other forms are read too), from 1990 to 48 h ahead. Without it the record's timestamp stands in.",
	})
	fSource = declare(Field{
		Name: "source", Attribute: "source", Format: Identifier, Example: "webshop", Flag: "source",
		Doc: "Within which event_id is unique; by default the kind of event.",
	})
	fSchemaVersion = declare(Field{Name: "schema_version", Optional: true, Doc: "Version of the sender's schema; not read."})
	fTest          = declare(Field{Name: "test", Format: Flag, Example: false, Flag: "test", Doc: "true: counted and skipped."})
)

// fCustomerID belongs to every kind whose customer is not named otherwise.
var fCustomerID = declare(Field{
	Name: "customer_id", Aliases: []string{"userId"}, Format: CustomerID, Required: true, Example: "c-1001", Flag: "customer",
	Doc: "The customer of the event, at most 256 bytes.",
})

// fDeleted marks a deleted row in records that Debezium's ExtractNewRecordState has unwrapped (delete.tombstone.handling.mode: rewrite).
var fDeleted = declare(Field{Name: "__deleted"})

// Members of a structured CloudEvent.
var (
	fSpecversion = declare(Field{Name: "specversion"})
	fData        = declare(Field{Name: "data"})
)

// fRecord stands for the record as a whole.
var fRecord = &Field{}

// withCommon is the fields of an event of some kind, in the order in which tools write them: those of every event with the
// customer among them, and those of the kind.
func withCommon(customer *Field, own ...*Field) []*Field {
	return withTime(fOccurredAt, customer, own...)
}

// withTime is withCommon with another field in place of fOccurredAt.
func withTime(occurred, customer *Field, own ...*Field) []*Field {
	return append([]*Field{fType, fEventID, occurred, customer, fSource, fSchemaVersion, fTest}, own...)
}
