package sendevent

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/ops/timeflag"
	"github.com/mainstay/mainstay/schemas/event"
)

// Flag is a field of an event that `mainstay send` takes as a flag.
type Flag struct {
	*event.Field
	Required bool
}

// Flags returns the fields of a kind that `mainstay send` takes as flags, in the order in which Compose writes them.
func Flags(kind event.Kind) []Flag {
	var all []Flag
	for _, f := range kind.Descriptor().Fields {
		if f.Flag != "" {
			all = append(all, Flag{f, f.Always() && f.Default == "" && f.Name != "kind"}) // kind: see inferKind
		}
	}
	return all
}

// Help is the flag's line of help.
func (f Flag) Help() string {
	text := strings.TrimSuffix(f.Doc, ".")
	if f.Format == event.Time {
		text += "; also a day, now, or a duration from now (-36h, -30d)"
	}
	if text[1] >= 'a' { // not an abbreviation
		text = strings.ToLower(text[:1]) + text[1:]
	}
	return text
}

// Compose returns the record of an event from the values of its flags, by flag name. unique becomes the id of an event whose id
// was not given; no other event of the kind may have it. The error names the flag.
func Compose(kind event.Kind, texts map[string]string, now time.Time, unique string) (key, value []byte, err error) {
	if kind == event.Cancellation {
		inferKind(texts)
	}
	out := []byte(`{"type":` + strconv.Quote(kind.String()))
	for _, f := range Flags(kind) {
		text := texts[f.Flag]
		if text == "" {
			text = f.Default
		}
		if text == event.Unique {
			text = unique
		}
		if text == "" {
			if f.Required {
				return nil, nil, fmt.Errorf("--%s is needed: %s", f.Flag, f.Help())
			}
			continue
		}
		literal, err := f.literal(text, now)
		if err != nil {
			return nil, nil, fmt.Errorf("--%s: %w", f.Flag, err)
		}
		out = append(out, ","+strconv.Quote(f.Name)+":"...)
		out = append(out, literal...)
	}
	return []byte(texts[kind.Descriptor().Customer.Flag]), append(out, '}'), nil
}

// inferKind sets the kind of a cancellation by which other flags are given.
func inferKind(texts map[string]string) {
	if texts["kind"] != "" {
		return
	}
	texts["kind"] = "account"
	for _, by := range []struct{ flag, kind string }{{"refund", "refund"}, {"total", "refund"}, {"order", "order"}, {"subscription", "subscription"}} {
		if texts[by.flag] != "" {
			texts["kind"] = by.kind
			return
		}
	}
}

func (f Flag) literal(text string, now time.Time) ([]byte, error) {
	switch f.Format {
	case event.Amount, event.PositiveAmount, event.Score:
		if !json.Valid([]byte(text)) || !strings.ContainsAny(text[:1], "-0123456789") {
			return nil, fmt.Errorf("must be a number such as 49.90; it is %q", text)
		}
		return []byte(text), nil
	case event.Flag:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("must be true or false; it is %q", text)
		}
		return []byte(text), nil
	case event.Time:
		t, err := timeflag.Parse(text, now)
		if err != nil {
			return nil, err
		}
		return json.Marshal(t.UTC().Format(time.RFC3339Nano))
	default:
		return json.Marshal(text)
	}
}
