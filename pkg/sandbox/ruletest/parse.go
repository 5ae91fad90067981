package ruletest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// execute runs one line: TIME what [whom] name=value ...
func (s *Scenario) execute(words []string) error {
	at, err := parseTime(words[0])
	if err != nil {
		return err
	}
	if len(words) < 2 {
		return fmt.Errorf("%w: %s has no event", ErrLine, words[0])
	}
	what, rest := words[1], words[2:]
	if what == "currency" {
		return s.setCurrency(rest)
	}
	if err := s.advanceTo(at); err != nil {
		return err
	}
	switch what {
	case "answers":
		return s.report(rest)
	case "tick":
		return nil
	case "restart":
		return s.restart()
	case "rules":
		if len(rest) != 1 || s.readRules == nil {
			return fmt.Errorf("%w: rules FILE", ErrLine)
		}
		rules, err := s.readRules(rest[0])
		if err != nil {
			return err
		}
		s.values = clone(s.values)
		s.values.AlertRules = alert.Wire(rules)
		return s.appendSettings()
	}
	whom := ""
	if what != "settings" && what != "parameters" && what != "thresholds" {
		if len(rest) == 0 || strings.Contains(rest[0], "=") {
			return fmt.Errorf("%w: %s needs a customer", ErrLine, what)
		}
		whom, rest = rest[0], rest[1:]
	}
	a := &arguments{values: map[string]string{}, unit: s.unit}
	for _, w := range rest {
		name, value, ok := strings.Cut(w, "=")
		if _, twice := a.values[name]; !ok || twice {
			return fmt.Errorf("%w: %q, want name=value, once", ErrLine, w)
		}
		a.values[name] = value
	}
	switch what {
	case "settings":
		return s.changeSettings(a)
	case "parameters":
		s.version++
		p := &ledger.Parameters{
			Version: s.version, Model: "mbg_nbd", Status: "fitted", R: a.number("r"), Alpha: a.number("alpha"), A: a.number("a"), B: a.number("b"),
			P: a.number("p"), Q: a.number("q"), V: a.number("v"),
		}
		if err := a.finish(what); err != nil {
			return err
		}
		return s.appendEntry(ledger.Kind_KIND_PARAMETERS, p)
	case "thresholds":
		return s.appendThresholds(a)
	}
	e, err := event(what, at, a)
	if err != nil {
		return err
	}
	return s.appendEvent(whom, e)
}

func clone(v *ledger.SettingsValues) *ledger.SettingsValues { return proto.CloneOf(v) }

func (s *Scenario) changeSettings(a *arguments) error {
	v := clone(s.values)
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		s.drawn = s.drawn || name == "tiers_min_customers"
		f := v.ProtoReflect().Descriptor().Fields().ByTextName(name)
		if f == nil || f.IsList() {
			return fmt.Errorf("%w: unknown setting %q", ErrLine, name)
		}
		switch f.Kind() {
		case protoreflect.BoolKind:
			v.ProtoReflect().Set(f, protoreflect.ValueOfBool(a.textArgument(name) == "true"))
		case protoreflect.EnumKind:
			v.ProtoReflect().Set(f, protoreflect.ValueOfEnum(protoreflect.EnumNumber(a.number(name))))
		case protoreflect.DoubleKind:
			v.ProtoReflect().Set(f, protoreflect.ValueOfFloat64(a.number(name)))
		case protoreflect.StringKind:
			v.ProtoReflect().Set(f, protoreflect.ValueOfString(a.textArgument(name)))
		default:
			v.ProtoReflect().Set(f, protoreflect.ValueOfUint32(uint32(a.number(name))))
		}
	}
	if err := a.finish("settings"); err != nil {
		return err
	}
	if err := settings.Validate(v); err != nil {
		return err
	}
	s.values = v
	return s.appendSettings()
}

// appendThresholds appends the thresholds of a base whose total CLV is spread evenly up to the uppermost 10%.
func (s *Scenario) appendThresholds(a *arguments) error {
	s.version++
	t := &ledger.Thresholds{Version: s.version, Top_10: a.amount("top_10"), Top_20: a.amount("top_20"), Customers: 1000}
	if err := a.finish("thresholds"); err != nil {
		return err
	}
	for i := range int64(101) {
		t.Percentiles = append(t.Percentiles, t.GetTop_10()*i/90)
	}
	return s.appendEntry(ledger.Kind_KIND_THRESHOLDS, t)
}

// event reads an event of a customer.
func event(what string, at int64, a *arguments) (*ledger.Event, error) {
	e := &ledger.Event{OccurredAt: at, Source: "cancellation"}
	if late := a.time("occurred"); late != 0 {
		e.OccurredAt = late
	}
	switch what {
	case "purchase":
		e.Purchase = &ledger.Purchase{OrderId: a.textArgument("order"), Total: a.amount("total"), Currency: a.unit.Currency}
		e.Id, e.Source = "order:"+e.Purchase.GetOrderId(), "purchase"
		e.PurchaseDetails = detailsOf(a)
		if name, text, stated := strings.Cut(a.textArgument("attribute"), ":"); stated {
			e.Attributes = []*ledger.Attribute{{Name: name, Text: text}}
		}
	case "refund":
		e.Cancellation = &ledger.Cancellation{
			Kind: ledger.CancellationKind_CANCELLATION_KIND_REFUND, OrderId: a.textArgument("order"), RefundId: a.textArgument("id"), Total: a.amount("total"), Currency: a.unit.Currency,
			Reason: a.textArgument("reason"),
		}
		e.Id = "refund:" + e.Cancellation.GetRefundId()
	case "cancel":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ORDER, OrderId: a.textArgument("order"), Reason: a.textArgument("reason")}
		e.Id = "cancellation:" + e.Cancellation.GetOrderId()
	case "account":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, EffectiveAt: a.time("effective"), Reason: a.textArgument("reason")}
		e.Id = "account"
	case "subscription":
		e.Cancellation = &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_SUBSCRIPTION, SubscriptionId: a.textArgument("id"), EffectiveAt: a.time("effective"), Reason: a.textArgument("reason")}
		e.Id = "subscription:" + e.Cancellation.GetSubscriptionId()
	case "referral":
		status := a.textArgument("status")
		if status == "" {
			status = "approved"
		}
		n, ok := ledger.ReferralStatus_value["REFERRAL_STATUS_"+strings.ToUpper(status)]
		if !ok {
			return nil, fmt.Errorf("%w: status %q", ErrLine, status)
		}
		e.Referral = &ledger.Referral{ReferralId: a.textArgument("id"), Referrer: a.textArgument("by"), Status: ledger.ReferralStatus(n)}
		e.Id, e.Source = "referral:"+e.Referral.GetReferralId()+":"+status, "referral"
	case "forget":
		e.Erasure, e.Id, e.Source = &ledger.Erasure{}, "erasure", "erasure"
	case "survey":
		e.Survey = &ledger.Survey{
			ResponseId: a.textArgument("id"), Type: ledger.SurveyType_SURVEY_TYPE_NPS, Score: int32(a.number("score")), CreatedAt: e.GetOccurredAt(), UpdatedAt: e.GetOccurredAt(),
		}
		e.Id, e.Source = fmt.Sprint("response:", e.Survey.GetResponseId(), "@", e.GetOccurredAt()), "survey"
	case "engagement":
		n, ok := ledger.EngagementType_value["ENGAGEMENT_TYPE_"+strings.ToUpper(a.textArgument("type"))]
		if !ok || n == 0 {
			return nil, fmt.Errorf("%w: type of engagement", ErrLine)
		}
		e.Engagement = &ledger.Engagement{Type: ledger.EngagementType(n)}
		e.Id, e.Source = fmt.Sprint("engagement:", n, "@", e.GetOccurredAt()), "engagement"
	default:
		return nil, fmt.Errorf("%w: unknown event %q; known are purchase, refund, cancel, account, subscription, referral, survey, engagement, forget, tick, restart, answers, currency, rules, settings, parameters or thresholds", ErrLine, what)
	}
	if err := a.finish(what); err != nil {
		return nil, err
	}
	blob, err := (&ledger.Event{OccurredAt: e.GetOccurredAt(), Purchase: e.Purchase, Cancellation: e.Cancellation, Referral: e.Referral, Survey: e.Survey, Erasure: e.Erasure, Engagement: e.Engagement}).MarshalVT()
	if err != nil {
		return nil, fmt.Errorf("encode an event: %w", err)
	}
	e.Facts = xxhash.Sum64(blob)
	return e, nil
}

// detailsOf reads what a purchase states besides its amount; nil: nothing.
func detailsOf(a *arguments) *ledger.PurchaseDetails {
	d := &ledger.PurchaseDetails{Channel: a.textArgument("channel")}
	if member := a.textArgument("member"); member != "" {
		d.LoyaltyMember, d.LoyaltyMemberStated = member == "yes", true
	}
	if category := a.textArgument("category"); category != "" {
		d.Products = []*ledger.Product{{Category: category}}
	}
	if d.SizeVT() == 0 {
		return nil
	}
	return d
}

// arguments are the name=value pairs of a line. Reading one removes it; err is the first that could not be read.
type arguments struct {
	values map[string]string
	unit   money.Unit // of amounts
	err    error
}

func (a *arguments) textArgument(name string) string {
	v := a.values[name]
	delete(a.values, name)
	return v
}

func (a *arguments) number(name string) float64 {
	v, ok := a.values[name]
	delete(a.values, name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%w: %s=%s is no number", ErrLine, name, v)
	}
	return n
}

func (a *arguments) amount(name string) int64 {
	v, ok := a.values[name]
	delete(a.values, name)
	if !ok {
		return 0
	}
	n, _, err := a.unit.Parse([]byte(v), money.Literal)
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%w: %s=%s is no amount", ErrLine, name, v)
	}
	return n
}

func (a *arguments) time(name string) int64 {
	v, ok := a.values[name]
	delete(a.values, name)
	if !ok {
		return 0
	}
	at, err := parseTime(v)
	if err != nil && a.err == nil {
		a.err = err
	}
	return at
}

// finish returns the error of the first argument that could not be read or is not known.
func (a *arguments) finish(what string) error {
	if a.err != nil {
		return a.err
	}
	for _, name := range slices.Sorted(maps.Keys(a.values)) {
		return fmt.Errorf("%w: %s has no %s", ErrLine, what, name)
	}
	return nil
}

// parseTime reads a day, or a time in RFC 3339.
func parseTime(text string) (int64, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%w: %q is no time; want 2026-03-01 or 2026-03-01T09:30:00Z", ErrLine, text)
}
