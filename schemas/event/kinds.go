package event

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// Kind is the kind of event that a topic carries.
type Kind uint8

// The kinds of events. The numbers are hashed into the facts of events, so they never change.
const (
	Purchase Kind = iota
	Cancellation
	Referral
	Survey
	Erasure
	Engagement
	Identity
	Kinds // how many there are
)

// Descriptor is what is declared of a kind of event. Everything that treats the kinds alike walks the descriptors; a new
// kind is a file with its descriptor, a constant, a body, and a line in the table below, and what processors.Step does with it.
type Descriptor struct {
	Name     string   // in types, sources, metrics, dead-letter topics and schemas
	Topic    string   // its setting in kafka.topics, and the input topic by default
	Topics   string   // doc of that setting
	Title    string   // doc of the kind
	Types    []string // what its type may be called, in lower case
	Fields   []*Field // in the order in which they are written
	Customer *Field   // the customer that the event belongs to
	Occurred *Field   // when it happened
	Example  string   // flags of an example of `send`
	Optional bool     // it has no topic unless the settings name one
	States   bool     // it may state attributes of its customer
	Apart    bool     // its events come by topics and addresses of their own alone: who may report purchases may not erase or merge customers

	read  func(*Decoder, *common)                  // reads the body, and sets the natural key
	facts func(*canonical, *ledger.Event, *common) // appends the body's facts
	is    func(*ledger.Event) bool                 // the event has a body of this kind
}

var kinds = [Kinds]*Descriptor{Purchase: &purchase, Cancellation: &cancellation, Referral: &referral, Survey: &survey, Erasure: &erasure, Engagement: &engagement, Identity: &identity}

// bodies is room for a body of each kind, so that decoding allocates none.
type bodies struct {
	purchase     ledger.Purchase
	details      details
	cancellation ledger.Cancellation
	referral     ledger.Referral
	survey       ledger.Survey
	erasure      ledger.Erasure
	engagement   ledger.Engagement
	merge        ledger.Merge
	attributes   []*ledger.Attribute // grows to the most that this result has needed
}

// Descriptor returns what is declared of the kind.
func (k Kind) Descriptor() *Descriptor { return kinds[k] }

// String is the kind's name in types, sources and metrics.
func (k Kind) String() string { return kinds[k].Name }

// ParseKind reads a kind's name.
func ParseKind(name string) (Kind, error) {
	for k, d := range kinds {
		if name == d.Name {
			return Kind(k), nil
		}
	}
	return 0, fmt.Errorf("%q is not a kind of event: want one of %s", name, strings.Join(KindNames(), ", "))
}

// KindNames returns the names of all kinds.
func KindNames() []string {
	var names []string
	for _, d := range kinds {
		names = append(names, d.Name)
	}
	return names
}

// EntryKind returns the kind of ledger entry that an event is kept as.
func EntryKind(e *ledger.Event) ledger.Kind {
	switch {
	case e.Erasure != nil:
		return ledger.Kind_KIND_ERASE
	case e.Merge != nil:
		return ledger.Kind_KIND_MERGE
	}
	return ledger.Kind_KIND_EVENT
}

// KindOf returns the kind of an event's body; ok is false where there is none.
func KindOf(e *ledger.Event) (kind Kind, ok bool) {
	for k, d := range kinds {
		if d.is(e) {
			return Kind(k), true
		}
	}
	return 0, false
}

// Field returns the field of this name, nil if the kind has none.
func (d *Descriptor) Field(name string) *Field {
	for _, f := range d.Fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// KindOfRecord returns the kind that a record in Mainstay's own format states as its type, for where no topic says it. The error is a
// *Refused.
func KindOfRecord(record []byte) (Kind, error) {
	var typed struct {
		Type  string `json:"type"`
		Event string `json:"event"`
	}
	if err := json.Unmarshal(record, &typed); err != nil {
		return 0, &Refused{Reason: Malformed, Detail: "one JSON object is wanted, with a text as type"}
	}
	for _, stated := range []string{typed.Type, typed.Event} {
		if kind, _, ok := kindOfType([]byte(stated)); ok {
			return kind, nil
		}
	}
	if typed.Type == "" {
		return 0, &Refused{Field: fType.Name, Reason: Missing, Detail: "one of " + strings.Join(KindNames(), ", ") + " is wanted where events of all kinds are sent"}
	}
	return 0, &Refused{Field: fType.Name, Reason: UnknownValue, Detail: "one of " + strings.Join(KindNames(), ", ") + " is wanted"}
}
