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

// Form is how the text of a field is read.
type Form uint8

// The forms.
const (
	Text   Form = iota
	Number      // written into the event digit for digit
	Moment      // RFC 3339, a day, now, or a duration from now such as -36h or -30d
	Truth
)

// Field is one that can be given by hand.
type Field struct {
	Name     string // as a flag
	Member   string // as a member of the event
	Form     Form
	Required bool
	Default  string
	Doc      string
}

// Fields of a kind of event, in the order in which they are written.
func Fields(kind event.Kind) []Field {
	customer := Field{Name: "customer", Member: "customer_id", Required: true, Doc: "customer's id"}
	if kind == event.Referral {
		customer = Field{Name: "customer", Member: "referred_customer_id", Required: true, Doc: "id of the customer who was referred"}
	}
	fields := []Field{
		customer,
		{Name: "event-id", Member: "event_id", Doc: "identity of the event; the order, refund, response or referral stands in for it"},
		{Name: "source", Member: "source", Doc: "where the event comes from; an event id is unique within it"},
		{Name: "at", Member: "occurred_at", Form: Moment, Default: "now", Doc: "when it happened: RFC 3339, a day, now, or from now (-36h, -30d)"},
		{Name: "test", Member: "test", Form: Truth, Doc: "a test: counted and skipped"},
	}
	order := Field{Name: "order", Member: "order_id", Doc: "order's id"}
	total := Field{Name: "total", Member: "total", Form: Number, Doc: "amount, such as 49.90"}
	currency := Field{Name: "currency", Member: "currency", Doc: "ISO 4217 code; without it money.default_currency counts"}
	switch kind {
	case event.Purchase:
		order.Required, total.Required = true, true
		fields = append(fields, order, total, currency,
			Field{Name: "subtotal", Member: "subtotal", Form: Number, Doc: "amount before tax, shipping and discount"},
			Field{Name: "tax", Member: "tax", Form: Number, Doc: "tax within the total"},
			Field{Name: "shipping", Member: "shipping", Form: Number, Doc: "shipping within the total"},
			Field{Name: "discount", Member: "discount", Form: Number, Doc: "discount that was given"},
			Field{Name: "coupon", Member: "coupon", Doc: "coupon's code"},
			Field{Name: "channel", Member: "channel", Doc: "web, store, app, phone ..."},
			Field{Name: "referral-code", Member: "referral_code", Doc: "code by which the customer came"},
			Field{Name: "status", Member: "status", Doc: "of the order: paid, shipped, cancelled ..."},
			Field{Name: "updated-at", Member: "updated_at", Form: Moment, Doc: "the event is a snapshot of its order as of then"})
	case event.Cancellation:
		fields = append(fields,
			Field{Name: "kind", Member: "kind", Doc: "order, refund, subscription or account; by default what the other flags say"},
			Field{Name: "refund", Member: "refund_id", Doc: "refund's id"}, order, total, currency,
			Field{Name: "subscription", Member: "subscription_id", Doc: "subscription's id"},
			Field{Name: "effective-at", Member: "effective_at", Form: Moment, Doc: "when a subscription or an account ends"},
			Field{Name: "reason", Member: "cancel_reason", Doc: "customer, fraud, inventory, declined, price ..."})
	case event.Referral:
		fields = append(fields,
			Field{Name: "referrer", Member: "referrer_customer_id", Required: true, Doc: "id of the customer who referred"},
			Field{Name: "status", Member: "status", Default: "approved", Doc: "pending, approved or voided"},
			Field{Name: "referral", Member: "referral_id", Doc: "referral's id"},
			Field{Name: "referral-code", Member: "referral_code", Doc: "code that was used"})
	case event.Survey:
		fields = append(fields,
			Field{Name: "score", Member: "score", Form: Number, Required: true, Doc: "0-10 (nps), 1-5 (csat), 1-7 (ces)"},
			Field{Name: "response", Member: "response_id", Doc: "response's id; a new one by default"},
			Field{Name: "survey", Member: "survey_id", Doc: "survey's id"},
			Field{Name: "type", Member: "survey_type", Default: "nps", Doc: "nps, csat, ces or equity"},
			Field{Name: "dimension", Member: "dimension", Doc: "of an equity survey: brand, value or relationship"},
			Field{Name: "comment", Member: "comment", Doc: "in the customer's words; kept only with surveys.keep_comments"},
			Field{Name: "created-at", Member: "created_at", Form: Moment, Doc: "when the response was given"},
			Field{Name: "updated-at", Member: "updated_at", Form: Moment, Doc: "when the response was changed"})
	}
	return fields
}

// Compose writes an event from texts by field name. unique is an id that no other event of this kind has.
func Compose(kind event.Kind, texts map[string]string, now time.Time, unique string) (key, value []byte, err error) {
	complete(kind, texts, unique)
	out := []byte(`{"type":` + strconv.Quote(kind.String()))
	for _, f := range Fields(kind) {
		text := texts[f.Name]
		if text == "" {
			text = f.Default
		}
		if text == "" {
			if f.Required {
				return nil, nil, fmt.Errorf("--%s is needed: %s", f.Name, f.Doc)
			}
			continue
		}
		literal, err := f.literal(text, now)
		if err != nil {
			return nil, nil, fmt.Errorf("--%s: %w", f.Name, err)
		}
		out = append(out, ","+strconv.Quote(f.Member)+":"...)
		out = append(out, literal...)
	}
	return []byte(texts["customer"]), append(out, '}'), nil
}

// complete fills in what the other texts say.
func complete(kind event.Kind, texts map[string]string, unique string) {
	switch {
	case kind == event.Survey && texts["response"] == "":
		texts["response"] = unique
	case kind == event.Cancellation && texts["kind"] == "":
		texts["kind"] = "account"
		for _, by := range []struct{ field, kind string }{{"refund", "refund"}, {"total", "refund"}, {"order", "order"}, {"subscription", "subscription"}} {
			if texts[by.field] != "" {
				texts["kind"] = by.kind
				break
			}
		}
	}
}

func (f Field) literal(text string, now time.Time) ([]byte, error) {
	switch f.Form {
	case Number:
		if !json.Valid([]byte(text)) || !strings.ContainsAny(text[:1], "-0123456789") {
			return nil, fmt.Errorf("must be a number such as 49.90; it is %q", text)
		}
		return []byte(text), nil
	case Truth:
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("must be true or false; it is %q", text)
		}
		return []byte(text), nil
	case Moment:
		t, err := timeflag.Parse(text, now)
		if err != nil {
			return nil, err
		}
		return json.Marshal(t.UTC().Format(time.RFC3339Nano))
	default:
		return json.Marshal(text)
	}
}
