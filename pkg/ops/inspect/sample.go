package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/registry"
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
	Suggests []string             `json:"suggested_formats,omitempty"` // under which it would be accepted, if it has no format and is refused or looks like a vendor's
	Import   []string             `json:"import_flags,omitempty"`      // of a file: the flags by which mainstay import reads it so
	Events   []SampleEvent        `json:"events,omitempty"`            // that are not skipped
	Fields   []event.FieldReading `json:"fields"`
}

// SampleEvent is an event of a payload.
type SampleEvent struct {
	Kind     string `json:"kind"`
	Customer string `json:"customer_id"`
	EventID  string `json:"event_id"`
}

// DecodeSample decodes a message as intake does, and returns what was read from which field. f is nil for Mainstay's own format.
//
// The schema of a framed message is asked of the registry, which may be nil; the error is of a registry that does not answer.
func DecodeSample(ctx context.Context, schemas *registry.Registry, d *event.Decoder, f *format.Format, kind event.Kind, m *event.Message, now int64) (Sample, error) {
	framing, err := schemas.Open(ctx, m)
	for errors.Is(err, registry.ErrPending) && ctx.Err() == nil { // at most for registry.timeout: then it has failed
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
		framing, err = schemas.Open(ctx, m)
	}
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		return refusedSample(kind, f, refused), nil
	}
	if err != nil {
		return Sample{}, fmt.Errorf("%w (registry.urls)", err)
	}
	s := decodeSample(d, f, kind, m, now)
	if text := framing.String(); text != "" {
		s.Fields = append([]event.FieldReading{{Field: "record", Value: "taken off: " + text}}, s.Fields...)
	}
	return s, nil
}

func refusedSample(kind event.Kind, f *format.Format, refused *event.Refused) Sample {
	s := Sample{Kind: kind.String(), Verdict: verdictRefused + refused.Error(), Format: format.Mainstay, Fields: []event.FieldReading{{Field: "record", Refused: refused.Error()}}}
	if f != nil {
		s.Format = f.Name
	}
	return s
}

const verdictRefused = "refused, to the dead letters: "

func decodeSample(d *event.Decoder, f *format.Format, kind event.Kind, m *event.Message, now int64) Sample {
	s := Sample{Kind: kind.String(), Accepted: true, Verdict: "accepted", Format: format.Mainstay, Fields: f.Readings(d, kind, m, now)}
	if f != nil {
		s.Format = f.Name
	}
	var result event.Result
	skip := ""
	err := f.Decode(d, kind, m, now, &result, func(int, []byte) {
		if result.Skip != "" {
			skip = cmp.Or(skip, result.Skip)
			return
		}
		of, _ := event.KindOf(&result.Event) // what is not skipped has a body
		s.Events = append(s.Events, SampleEvent{of.String(), strings.Clone(result.Customer), strings.Clone(result.Event.GetId())})
	})
	switch refused := (*event.Refused)(nil); {
	case errors.As(err, &refused):
		s.Accepted, s.Verdict = false, verdictRefused+refused.Error()
		s.Suggests = format.Guess(d, kind, m, now)
	case len(s.Events) == 0:
		s.Verdict = "skipped and counted: " + skip
	default:
		s.Customer, s.EventID = s.Events[0].Customer, s.Events[0].EventID
		if len(s.Events) > 1 {
			s.Verdict = fmt.Sprintf("accepted, %d events", len(s.Events))
		}
	}
	if f == nil && s.Accepted {
		s.Suggests = format.Guess(d, kind, m, now)
	}
	return s
}
