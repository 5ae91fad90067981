package event

import (
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// reference reads documents that are known to be right, slowly and by other means: encoding/json, big.Rat and package time.
type reference struct {
	body, envelope map[string]any
}

func read(doc string) *reference {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	var body map[string]any
	if err := d.Decode(&body); err != nil {
		panic(err)
	}
	if v, _ := body["specversion"].(string); v != "" {
		return &reference{body: body["data"].(map[string]any), envelope: body}
	}
	return &reference{body: body}
}

// get is the first that is there: "a b" are names in order, ce:a is an attribute of the envelope.
func (r *reference) get(spellings string) any {
	for _, n := range strings.Fields(spellings) {
		properties, _ := r.body["properties"].(map[string]any)
		data, _ := r.body["data"].(map[string]any)
		places := []map[string]any{r.body, properties, data}
		if attribute, ok := strings.CutPrefix(n, "ce:"); ok {
			n, places = attribute, []map[string]any{r.envelope}
		}
		for _, place := range places {
			if v := place[n]; v != nil && v != "" {
				return v
			}
		}
	}
	return nil
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (r *reference) text(spellings string) string { return text(r.get(spellings)) }

func (r *reference) code(spellings string) string {
	return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(r.text(spellings)))
}

func millis(v any, absent int64) int64 {
	if v == nil {
		return absent
	}
	s := strings.ToUpper(v.(string))
	leap := int64(0)
	if strings.Contains(s, ":60") {
		s, leap = strings.Replace(s, ":60", ":59", 1), 1000
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return at.UnixMilli() + leap
}

func minor(v any, decimals int) int64 {
	amount, _ := new(big.Rat).SetString(text(v))
	amount.Mul(amount, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)))
	whole, rest := new(big.Int).QuoRem(amount.Num(), amount.Denom(), new(big.Int))
	if half := new(big.Int).Lsh(rest, 1).Cmp(amount.Denom()); half > 0 || half == 0 && whole.Bit(0) == 1 {
		whole.Add(whole, big.NewInt(1))
	}
	return whole.Int64()
}

func (r *reference) currency() (string, int) {
	switch c := strings.ToUpper(r.text("currency")); c {
	case "IRT":
		return "IRR", 3
	case "JPY":
		return c, 0
	case "":
		return "EUR", 2
	default:
		return c, 2
	}
}

// event is what the decoder should say, but for facts.
func (r *reference) event(kind Kind, timestamp int64) (customer string, e *ledger.Event) {
	when := r.get("occurred_at timestamp time ce:time")
	e = &ledger.Event{Id: r.text("event_id messageId ce:id"), Source: r.text("source ce:source"), OccurredAt: millis(when, timestamp)}
	if e.Source == "" {
		e.Source = kind.String()
	}
	customer = r.text("customer_id userId")
	natural := ""
	again := func(stated ...any) string {
		for _, v := range stated {
			if v != nil {
				return fmt.Sprintf("@%d", millis(v, 0))
			}
		}
		return ""
	}
	currency, decimals := r.currency()
	switch kind {
	case Purchase:
		p := &ledger.Purchase{OrderId: r.text("order_id transaction_id id"), Currency: currency, Total: minor(r.get("total total_price value revenue"), decimals),
			UpdatedAt: millis(r.get("updated_at"), 0), CancelledAt: millis(r.get("cancelled_at"), 0)}
		p.Cancelled = p.CancelledAt != 0 || regexp.MustCompile(`^(cancell?ed|voided|refunded|failed|declined|expired)$`).MatchString(r.code("status"))
		all, _ := r.get("refunds").([]any)
		for _, one := range all {
			part := reference{body: one.(map[string]any)}
			at := e.OccurredAt
			if p.UpdatedAt != 0 {
				at = p.UpdatedAt
			}
			p.Refunds = append(p.Refunds, &ledger.Refund{RefundId: part.text("refund_id"), Total: minor(part.get("total"), decimals), OccurredAt: millis(part.get("occurred_at"), at)})
		}
		e.Purchase, natural = p, "order:"+p.OrderId+again(r.get("updated_at"))
	case Cancellation:
		x := &ledger.Cancellation{Kind: ledger.CancellationKind(ledger.CancellationKind_value["CANCELLATION_KIND_"+strings.ToUpper(r.code("kind"))]), Reason: r.text("cancel_reason")}
		if len(x.Reason) > 32 {
			x.Reason = "other"
		}
		switch r.code("kind") {
		case "order":
			x.OrderId = r.text("order_id transaction_id")
			natural = "cancellation:" + x.OrderId
		case "refund":
			x.OrderId, x.RefundId, x.Currency, x.Total = r.text("order_id transaction_id"), r.text("refund_id"), currency, minor(r.get("total total_price value revenue"), decimals)
			natural = "refund:" + x.RefundId
		case "subscription":
			x.SubscriptionId, x.EffectiveAt = r.text("subscription_id"), millis(r.get("effective_at"), 0)
			natural = "subscription:" + x.SubscriptionId + again(r.get("effective_at"), when)
		case "account":
			x.EffectiveAt = millis(r.get("effective_at"), 0)
			natural = "account" + again(r.get("effective_at"), when)
		}
		e.Cancellation = x
	case Referral:
		customer = r.text("referred_customer_id friend")
		x := &ledger.Referral{ReferralId: r.text("referral_id"), Referrer: r.text("referrer_customer_id advocate"), Status: ledger.ReferralStatus(ledger.ReferralStatus_value["REFERRAL_STATUS_"+strings.ToUpper(r.code("status"))])}
		natural = "referral:" + x.ReferralId + ":" + r.code("status")
		if x.ReferralId == "" {
			natural = fmt.Sprintf("referral:~%x:%s", xxhash.Sum64String(x.Referrer), r.code("status"))
		}
		e.Referral = x
	case Survey:
		surveyType := r.code("survey_type")
		if surveyType == "" {
			surveyType = "nps"
		}
		x := &ledger.Survey{ResponseId: r.text("response_id"), SurveyId: r.text("survey_id"), Type: ledger.SurveyType(ledger.SurveyType_value["SURVEY_TYPE_"+strings.ToUpper(surveyType)]),
			Score: int32(minor(r.get("score"), 0)), CreatedAt: millis(r.get("created_at"), e.OccurredAt), Excluded: r.text("excluded_from_calculations") == "true"}
		x.UpdatedAt = millis(r.get("updated_at"), x.CreatedAt)
		if surveyType == "equity" {
			x.Dimension = r.code("dimension")
		}
		e.Survey, natural = x, "response:"+x.ResponseId+again(r.get("updated_at"), r.get("created_at"), when)
	}
	if e.Id == "" {
		e.Id = natural
	}
	return customer, e
}

func TestDecoderAgainstReference(t *testing.T) {
	d := decoder(t, options())
	var into Result // reused, as intake does
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		for range 20 {
			kind := Kind(rapid.IntRange(0, int(Kinds)-1).Draw(t, "kind"))
			doc := document(t, kind)
			if d.Decode(kind, &Message{Value: []byte(doc), Timestamp: now - 1000}, now, &into) != nil || into.Skip != "" {
				continue
			}
			compared++
			customer, want := read(doc).event(kind, now-1000)
			require.Equal(t, customer, into.Customer, doc)
			want.Facts = into.Event.Facts
			require.True(t, proto.Equal(want, &into.Event), "%s\nwant %v\ngot  %v", doc, want, &into.Event)
		}
	})
	require.Greater(t, compared, 200)
}

// The examples of the README are read as it says.
func TestExamplesOfTheReadme(t *testing.T) {
	page, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	all := inputSchemas(t)
	d := decoder(t, options())
	read := 0
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		documents := json.NewDecoder(strings.NewReader(block[1]))
		for i := 0; documents.More(); i++ {
			var doc json.RawMessage
			require.NoError(t, documents.Decode(&doc))
			kind := Kind(i)
			require.True(t, compare(t, d, all[kind], kind, string(doc)), "%s", doc)
			read++
		}
	}
	require.Equal(t, 10, read)
}
