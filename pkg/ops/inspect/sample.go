package inspect

import (
	"errors"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

// Sample is the human-readable result of decoding one payload. It contains the payload.
type Sample struct {
	Kind     string               `json:"kind"`
	Accepted bool                 `json:"accepted"`
	Verdict  string               `json:"verdict"`
	Customer string               `json:"customer_id,omitempty"`
	EventID  string               `json:"event_id,omitempty"`
	Format   string               `json:"format"`
	Suggests []string             `json:"suggested_formats,omitempty"` // under which a payload that is refused would be accepted
	Fields   []event.FieldReading `json:"fields"`
}

// DecodeSample decodes a message as intake does, and returns what was read from which field. f is nil for Mainstay's own format.
func DecodeSample(d *event.Decoder, f *format.Format, kind event.Kind, m *event.Message, now int64) Sample {
	s := Sample{Kind: kind.String(), Accepted: true, Verdict: "accepted", Format: format.Mainstay, Fields: f.Readings(d, kind, m, now)}
	if f != nil {
		s.Format = f.Name
	}
	var result event.Result
	err := f.Decode(d, kind, m, now, &result)
	switch refused := (*event.Refused)(nil); {
	case errors.As(err, &refused):
		s.Accepted, s.Verdict = false, "refused, to the dead letters: "+refused.Error()
		s.Suggests = format.Guess(d, kind, m, now)
	case result.Skip != "":
		s.Verdict = "skipped and counted: " + result.Skip
	default:
		s.Customer, s.EventID = result.Customer, result.Event.GetId()
	}
	return s
}
