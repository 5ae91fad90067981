package event

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mainstay/mainstay/schemas/ledger"
)

var typesOf = [Kinds]*regexp.Regexp{
	regexp.MustCompile(`(?s)^(.*\.)?(purchase|order completed|order\.completed)(\.v[0-9]+)?$`), regexp.MustCompile(`(?s)^(.*\.)?cancellation(\.v[0-9]+)?$`),
	regexp.MustCompile(`(?s)^(.*\.)?referral(\.v[0-9]+)?$`), regexp.MustCompile(`(?s)^(.*\.)?survey(\.v[0-9]+)?$`),
	regexp.MustCompile(`(?s)^(.*\.)?erasure(\.v[0-9]+)?$`),
	regexp.MustCompile(`(?s)^(.*\.)?(engagement|` + strings.ReplaceAll(strings.Join(slices.Sorted(maps.Keys(engagementNames)), "|"), "_", "[ _-]") + `)(\.v[0-9]+)?$`),
	regexp.MustCompile(`(?s)^(.*\.)?(identity|identity\.merged|alias)(\.v[0-9]+)?$`),
}

func (r *reference) typed(kind Kind) {
	v := r.get("type event ce:type")
	if v.value == nil {
		return
	}
	text, ok := v.value.(string)
	if !ok {
		r.refuse("type", WrongType, true)
		return
	}
	if v.fromHeader && !utf8.ValidString(text) {
		r.refuse("type", Encoding, false)
		return
	}
	text = strings.Map(asciiLower, text)
	if typesOf[kind].MatchString(text) {
		return
	}
	reason := UnknownValue
	for _, other := range typesOf {
		if other.MatchString(text) {
			reason = Mismatch
		}
	}
	r.refuse("type", reason, !v.fromHeader)
}

// stated are the times that the record states itself.
type stated struct {
	occurred, created, updated bool
	refunds                    []bool
}

// read reads what all events have, and the body.
func (r *reference) read(kind Kind, timestamp int64) {
	if r.boolean("test", "test") {
		if len(r.refusals) == 0 {
			r.skip = SkipTest
		}
		return
	}
	r.typed(kind)
	when := r.get("occurred_at timestamp time ce:time")
	if kind == Purchase {
		when = r.get("occurred_at timestamp time created_at processed_at ce:time")
	}
	e := &ledger.Event{Id: r.id("event_id", r.get("event_id messageId ce:id"), 1024), Source: r.id("source", r.get("source ce:source"), 1024)}
	e.OccurredAt = r.at("occurred_at", when, timestamp, r.latest())
	if when.value == nil {
		if timestamp < 0 {
			r.refuse("occurred_at", Missing, false)
		}
		r.bounds("occurred_at", timestamp, r.latest())
	}
	if e.Source == "" {
		e.Source = kind.String()
	}
	if r.time = timestamp; r.opts.EventTime {
		r.time = e.OccurredAt
	}
	switch kind {
	case Referral:
	case Identity:
		r.customer = r.who("previous_id", "previous_id previousId from_customer_id")
	default:
		r.customer = r.who("customer_id", "customer_id userId")
	}
	s := stated{occurred: when.value != nil}
	var natural string
	switch kind {
	case Purchase:
		natural = r.purchase(e, &s)
	case Cancellation:
		natural = r.cancellation(e, s)
	case Referral:
		natural = r.referral(e)
	case Survey:
		natural = r.survey(e, &s)
	case Erasure:
		natural, e.Erasure = "erasure"+again(e.OccurredAt, s.occurred), &ledger.Erasure{}
	case Engagement:
		natural = r.engagement(e)
	case Identity:
		natural = r.identity(e)
	}
	if e.Id == "" {
		e.Id = natural
	}
	switch {
	case len(r.refusals) > 0 || r.skip != "":
	case r.nobody && r.opts.AnonymousPolicy == AnonymousDeadLetter:
		r.refuse("customer_id", Anonymous, false)
	case r.nobody:
		r.skip = SkipAnonymous
	default:
		e.Facts = xxh64(r.canonical(kind, e, s))
		r.event = e
	}
}

// again is the time by which events of one thing are told apart.
func again(at int64, stated bool) string {
	if !stated {
		return ""
	}
	return fmt.Sprintf("@%d", at)
}

func (r *reference) purchase(e *ledger.Event, s *stated) (natural string) {
	unit := r.currency()
	p := &ledger.Purchase{OrderId: r.id("order_id", r.need("order_id", "order_id transaction_id id"), 1024), Currency: unit.Currency}
	field, spellings := "total", "total total_price value revenue"
	if r.opts.Total == TotalSubtotal {
		field, spellings = "subtotal", "subtotal"
	}
	if v := r.need(field, spellings); v.value != nil {
		p.Total, _, _ = r.amount(field, v, unit.Decimals)
	}
	for _, part := range []string{"tax", "shipping"} {
		if v := r.get(part); v.value != nil && strings.Contains(string(r.opts.Total), part) {
			less := *r // whether it can be read is no matter of a schema
			less.refusals = r.refusals
			minor, _, _ := less.amount(part, v, unit.Decimals)
			r.rounded = less.rounded
			p.Total -= minor
		}
	}
	if p.Total < 0 {
		r.refuse(field, Negative, false)
	}
	updated, cancelled := r.get("updated_at"), r.get("cancelled_at")
	p.UpdatedAt, p.CancelledAt = r.at("updated_at", updated, 0, r.latest()), r.at("cancelled_at", cancelled, 0, r.latest())
	gone := strings.Fields("cancelled canceled voided refunded failed declined expired trash")
	good := strings.Fields("open pending placed on_hold authorized authorised confirmed processing partially_paid paid shipped delivered fulfilled partially_fulfilled partially_refunded complete completed closed")
	status := r.code("status", r.get("status"), append(append(good, gone...), "draft", "auto_draft", "checkout_draft")...)
	p.Cancelled = cancelled.value != nil || status != "" && strings.Contains(" "+strings.Join(gone, " ")+" ", " "+status+" ")
	p.StatusStated, p.TimeStoodIn, p.RefundsStated = status != "" || cancelled.value != nil, !s.occurred, r.get("refunds").value != nil
	all, isList := r.get("refunds").value.([]any)
	if !isList && r.get("refunds").value != nil {
		r.refuse("refunds", WrongType, true)
	}
	if len(all) > 1000 {
		r.refuse("refunds", TooMany, true)
		all = all[:1000]
	}
	for _, one := range all {
		part, ok := one.(map[string]any)
		if !ok {
			r.refuse("refunds", WrongType, true)
			continue
		}
		member := func(n string) found {
			if part[n] == "" {
				return found{}
			}
			return found{part[n], false}
		}
		for _, n := range []string{"refund_id", "total"} {
			if member(n).value == nil {
				r.refuse("refunds."+n, Missing, true)
			}
		}
		at := e.OccurredAt
		if updated.value != nil {
			at = p.UpdatedAt
		}
		fine := int64(0)
		if v := member("total"); v.value != nil {
			fine, _, _ = r.amount("refunds.total", v, unit.Decimals+3)
			r.rounded = r.rounded || fine%1000 != 0
		}
		p.Refunds = append(p.Refunds, &ledger.Refund{
			RefundId: r.id("refunds.refund_id", member("refund_id"), 1024), Total: fine,
			OccurredAt: r.at("refunds.occurred_at", member("occurred_at"), at, r.latest()),
		})
		s.refunds = append(s.refunds, member("occurred_at").value != nil)
	}
	r.round(p, s)
	if strings.Contains(status, "draft") && len(r.refusals) == 0 {
		r.skip = SkipDraft
	}
	e.Purchase, e.PurchaseDetails = p, r.purchaseDetails(unit.Decimals)
	return "order:" + p.OrderId + again(p.UpdatedAt, updated.value != nil)
}

// round rounds refunds in thousandths down, and then one after the other up, the greatest fraction first, until their sum is the
// rounded sum of all. It leaves out those of 0.
func (r *reference) round(p *ledger.Purchase, s *stated) {
	sum, down := new(big.Int), new(big.Int)
	fraction := map[*ledger.Refund]int64{}
	for _, x := range p.Refunds {
		if fraction[x] = x.Total % 1000; fraction[x] != 0 {
			sum.Add(sum, big.NewInt(x.Total))
			down.Add(down, big.NewInt(x.Total/1000))
		}
		x.Total /= 1000
	}
	want, rest := new(big.Int).DivMod(sum, big.NewInt(1000), new(big.Int))
	if rest.Int64() > 500 || rest.Int64() == 500 && want.Bit(0) == 1 {
		want.Add(want, big.NewInt(1))
	}
	for range want.Sub(want, down).Int64() {
		var next *ledger.Refund
		for _, x := range p.Refunds {
			if fraction[x] > 0 && (next == nil || fraction[x] > fraction[next] || fraction[x] == fraction[next] && x.RefundId < next.RefundId) {
				next = x
			}
		}
		next.Total++
		fraction[next] = 0
	}
	refunds, stated := p.Refunds, s.refunds
	p.Refunds, s.refunds = nil, nil
	for i, x := range refunds {
		if x.Total > 0 {
			p.Refunds, s.refunds = append(p.Refunds, x), append(s.refunds, stated[i])
		}
	}
}

func (r *reference) cancellation(e *ledger.Event, s stated) (natural string) {
	kind := r.code("kind", r.need("kind", "kind"), "order", "refund", "subscription", "account")
	x := &ledger.Cancellation{Kind: ledger.CancellationKind(ledger.CancellationKind_value["CANCELLATION_KIND_"+strings.ToUpper(kind)])}
	reason := r.get("cancel_reason")
	if text, _ := reason.value.(string); len(text) > 32 {
		reason.value, r.cut = "other", true
	}
	x.Reason = r.id("cancel_reason", reason, 32)
	order := func() { x.OrderId = r.id("order_id", r.need("order_id", "order_id transaction_id"), 1024) }
	effective := r.get("effective_at")
	ends := func() string {
		x.EffectiveAt = r.at("effective_at", effective, 0, noLimit)
		if effective.value != nil {
			return again(x.EffectiveAt, true)
		}
		return again(e.OccurredAt, s.occurred)
	}
	e.Cancellation = x
	switch kind {
	case "order":
		order()
		return "cancellation:" + x.OrderId
	case "refund":
		order()
		unit := r.currency()
		x.Currency, x.RefundId = unit.Currency, r.id("refund_id", r.need("refund_id", "refund_id"), 1024)
		x.Total = r.positive("total", r.need("total", "total total_price value revenue"), unit.Decimals)
		return "refund:" + x.RefundId
	case "subscription":
		x.SubscriptionId = r.id("subscription_id", r.need("subscription_id", "subscription_id"), 1024)
		return "subscription:" + x.SubscriptionId + ends()
	}
	if kind == "account" {
		return "account" + ends()
	}
	return ""
}

func (r *reference) referral(e *ledger.Event) (natural string) {
	r.customer = r.who("referred_customer_id", "referred_customer_id friend")
	status := r.code("status", r.need("status", "status"), "pending", "approved", "voided")
	x := &ledger.Referral{
		Referrer: r.who("referrer_customer_id", "referrer_customer_id advocate"), ReferralId: r.id("referral_id", r.get("referral_id"), 1024),
		Status: ledger.ReferralStatus(ledger.ReferralStatus_value["REFERRAL_STATUS_"+strings.ToUpper(status)]),
	}
	e.Referral = x
	if x.ReferralId == "" {
		return fmt.Sprintf("referral:~%x:%s", xxh64([]byte(x.Referrer)), status)
	}
	return "referral:" + x.ReferralId + ":" + status
}

func (r *reference) identity(e *ledger.Event) (natural string) {
	into := r.who("customer_id", "customer_id userId")
	if into != "" && into == r.customer {
		r.refuse("previous_id", Mismatch, false)
	}
	e.Merge = &ledger.Merge{Into: into}
	return fmt.Sprintf("identity:~%x", xxh64([]byte(into)))
}

func (r *reference) survey(e *ledger.Event, s *stated) (natural string) {
	type scale struct{ low, high int64 }
	scales := map[string]scale{"nps": {0, 10}, "csat": {1, 5}, "ces": {1, 7}, "equity": {0, 10}}
	surveyType := r.code("survey_type", r.get("survey_type"))
	if surveyType == "" {
		surveyType = "nps"
	}
	of, ok := scales[surveyType]
	if !ok {
		if len(r.refusals) == 0 {
			r.skip = SkipSurveyType
		}
		return ""
	}
	created, updated := r.get("created_at"), r.get("updated_at")
	x := &ledger.Survey{
		ResponseId: r.id("response_id", r.need("response_id", "response_id"), 1024), SurveyId: r.id("survey_id", r.get("survey_id"), 1024),
		Type:      ledger.SurveyType(ledger.SurveyType_value["SURVEY_TYPE_"+strings.ToUpper(surveyType)]),
		CreatedAt: r.at("created_at", created, e.OccurredAt, r.latest()), Excluded: r.boolean("excluded_from_calculations", "excluded_from_calculations"),
	}
	x.UpdatedAt = r.at("updated_at", updated, x.CreatedAt, r.latest())
	if v := r.need("score", "score"); v.value != nil {
		score, exact, read := r.amount("score", v, 0)
		if exact != nil && !exact.IsInt() {
			r.refuse("score", NotWhole, true)
		}
		if exact != nil && (!read && exact.Sign() != 0 || score < of.low || score > of.high) {
			r.refuse("score", OutOfRange, true)
		}
		if exact == nil && r.refusals["score overflow"] { // an exponent beyond what is read: only a number that is tiny or huge
			r.sayable = true
		}
		x.Score = int32(score)
	}
	if surveyType == "equity" {
		x.Dimension = r.code("dimension", r.need("dimension", "dimension"), "brand", "value", "relationship")
	}
	if r.opts.KeepComments {
		switch comment := r.get("comment").value.(type) {
		case nil:
		case string:
			for x.Comment = comment; len(x.Comment) > 2000; r.cut = true {
				_, size := utf8.DecodeLastRuneInString(x.Comment)
				x.Comment = x.Comment[:len(x.Comment)-size]
			}
		case json.Number:
			if x.Comment = comment.String(); len(comment) > 2000 {
				r.refuse("comment", TooLong, false)
			}
		default:
			r.refuse("comment", WrongType, false) // read by setting only
		}
	}
	x.OrderId, x.ProductId = detailText(r.get("order_id transaction_id").value), detailText(r.get("product_id item_id sku").value)
	e.Survey, s.created, s.updated = x, created.value != nil, updated.value != nil
	if s.created || s.updated {
		return "response:" + x.ResponseId + again(x.UpdatedAt, true)
	}
	return "response:" + x.ResponseId + again(e.OccurredAt, s.occurred)
}

// canonical is the form of an event's facts that is hashed: see facts.
func (r *reference) canonical(kind Kind, e *ledger.Event, s stated) []byte {
	b := []byte{byte(kind)}
	put := func(values ...any) {
		for _, v := range values {
			switch v := v.(type) {
			case string:
				b = append(binary.AppendUvarint(b, uint64(len(v))), v...)
			case int64:
				b = binary.AppendUvarint(b, uint64(v<<1)^uint64(v>>63)) // zigzag
			case bool:
				b = append(b, map[bool]byte{true: 1}[v])
			}
		}
	}
	when := func(at int64, stated bool) int64 {
		if stated {
			return at
		}
		return 0
	}
	put(when(e.OccurredAt, s.occurred))
	switch kind {
	case Purchase:
		p := e.Purchase
		put(p.OrderId, p.Total, p.Currency, p.UpdatedAt, p.Cancelled, p.CancelledAt, int64(len(p.Refunds)))
		for i, x := range p.Refunds {
			put(x.RefundId, x.Total, when(x.OccurredAt, s.refunds[i]))
		}
	case Cancellation:
		x := e.Cancellation
		put(int64(x.Kind), x.OrderId, x.RefundId, x.Total, x.Currency, x.SubscriptionId, x.EffectiveAt, x.Reason)
	case Referral:
		put(e.Referral.ReferralId, e.Referral.Referrer, int64(e.Referral.Status))
	case Survey:
		x := e.Survey
		put(x.ResponseId, x.SurveyId, int64(x.Type), int64(x.Score), when(x.CreatedAt, s.created), when(x.UpdatedAt, s.updated), x.Excluded, x.Dimension)
	case Erasure: // its time alone
	case Identity:
		put(e.Merge.Into)
	case Engagement:
		put(int64(e.Engagement.Type))
	}
	return b
}

// xxh64 is XXH64 with seed 0, written from its specification.
func xxh64(b []byte) uint64 {
	const p1, p2, p3, p4, p5 uint64 = 11400714785074694791, 14029467366897019727, 1609587929392839161, 9650029242287828579, 2870177450012600261
	round := func(acc, input uint64) uint64 { return bits.RotateLeft64(acc+input*p2, 31) * p1 }
	length := uint64(len(b))
	h := p5
	if len(b) >= 32 {
		var zero uint64
		acc := [4]uint64{zero + p1, zero + p2, 0, zero - p1}
		acc[0] += p2
		for ; len(b) >= 32; b = b[32:] {
			for i := range acc {
				acc[i] = round(acc[i], binary.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(acc[0], 1) + bits.RotateLeft64(acc[1], 7) + bits.RotateLeft64(acc[2], 12) + bits.RotateLeft64(acc[3], 18)
		for _, a := range acc {
			h = (h^round(0, a))*p1 + p4
		}
	}
	h += length
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^round(0, binary.LittleEndian.Uint64(b)), 27)*p1 + p4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*p1, 23)*p2 + p3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*p5, 11) * p1
	}
	h = (h ^ h>>33) * p2
	h = (h ^ h>>29) * p3
	return h ^ h>>32
}
