package customer

import (
	"cmp"
	"reflect"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/state"
)

// A field of the state that Encode or Decode leaves out fails here, and so does a field that fullState leaves empty.
func TestStateSurvivesEncoding(t *testing.T) {
	s := fullState(t)
	requireFilled(t, "fullState sets no", *s, "filter", "recentFilter", // built when first needed, never encoded
		"cancellations.Subscriptions", "cancellations.Accounts", // of no order
		"engagement.cut") // of what AsOf returns
	var w state.Customer
	s.write(&w)
	requireFilled(t, "Encode leaves out", &w)

	blob := s.Encode(nil)
	again, err := Decode(blob)
	require.NoError(t, err)
	require.Equal(t, s, again)
	require.Equal(t, blob, again.Encode(nil))
}

// requireFilled requires that every field of a struct, and of the structs in it, is set; in at least one element of a slice. An
// unexported field of a protobuf message is none of its fields.
func requireFilled(t *testing.T, what string, of any, except ...string) {
	t.Helper()
	filled := map[string]bool{}
	walkFields(reflect.ValueOf(of), "", filled)
	for _, name := range except {
		delete(filled, "orderLog."+name)
		delete(filled, name)
	}
	require.NotEmpty(t, filled)
	for path, ok := range filled {
		require.True(t, ok, "%s %s", what, path)
	}
}

func walkFields(v reflect.Value, path string, filled map[string]bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			walkFields(v.Elem(), path, filled)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkFields(v.Index(i), path, filled)
		}
	case reflect.Struct:
		message := reflect.PointerTo(v.Type()).Implements(reflect.TypeFor[interface{ ProtoMessage() }]())
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if message && !f.IsExported() {
				continue
			}
			at := f.Name
			if path != "" {
				at = path + "." + f.Name
			}
			filled[at] = filled[at] || !v.Field(i).IsZero()
			walkFields(v.Field(i), at, filled)
		}
	default:
	}
}

// fullState builds a state by events, and sets what other packages set.
func fullState(t *testing.T) *State {
	terms := &Terms{Settings: &ledger.SettingsValues{MemoryDays: 10, MemoryOrders: 9, DedupDays: 5, DedupEvents: 9, Rates: []*ledger.Rate{{Currency: "USD", Numerator: 9, Denominator: 10}}}, Unit: money.Unit{Code: "EUR", Currency: "EUR", Decimals: 2}, Zone: time.FixedZone("", 3600)}
	now := int64(100*DayMS + DayMS - 1)
	m := terms.At(now, now, true)
	e := &ledger.Event{Id: "e", Source: "s", OccurredAt: now, Facts: 1 << 60}
	s := New()
	buy := func(m Moment, at int64, p *ledger.Purchase) {
		p.Currency = cmp.Or(p.Currency, "EUR")
		require.Empty(t, s.RecordPurchase(terms, m, &ledger.Event{OccurredAt: at}, p).Reason)
	}
	early := terms.At(50*DayMS, 50*DayMS, true)
	s.RecordRefund(terms, early, &ledger.Event{OccurredAt: early.Now}, &ledger.Cancellation{OrderId: "forgotten", RefundId: "r", Currency: "EUR", Total: 1})
	buy(early, early.Now, &ledger.Purchase{OrderId: "old", Total: 100})
	buy(early, early.Now, &ledger.Purchase{OrderId: "long ago", Total: 100, Cancelled: true})
	s.RecordCancellation(terms, early, &ledger.Event{OccurredAt: early.Now}, &ledger.Cancellation{OrderId: "long ago", Reason: "price"}, nil)
	require.Empty(t, s.ExpirePending(terms, m))
	s.Evict(terms, m)
	s.Losses = []Loss{{Day: 40}, {Day: 99, Stated: true}}
	s.forgottenCancellations.Add(CancellationCount{Reason: "price", Subscriptions: 2, Accounts: 3})
	buy(m, now-DayMS, &ledger.Purchase{OrderId: "cancelled", Total: 200, Cancelled: true})
	s.RecordCancellation(terms, m, e, &ledger.Cancellation{OrderId: "cancelled", Reason: "fraud"}, nil)
	buy(m, now, &ledger.Purchase{OrderId: "refunded", Total: 300, UpdatedAt: now, Refunds: []*ledger.Refund{{RefundId: "a", Total: 10}}})
	buy(m, now, &ledger.Purchase{OrderId: "foreign", Total: 40, Currency: "USD"})
	for _, refund := range []string{"f", "g"} {
		s.RecordRefund(terms, m, e, &ledger.Cancellation{OrderId: "foreign", RefundId: refund, Currency: "USD", Total: 50, Reason: "damaged"})
	}
	buy(m, now, &ledger.Purchase{OrderId: "refunded", Total: 300, UpdatedAt: now + 1, TimeStoodIn: true}) // states neither refunds nor the time
	s.RecordRefund(terms, m, e, &ledger.Cancellation{OrderId: "waits", RefundId: "b", Currency: "EUR", Total: 20})
	s.RecordCancellation(terms, m, e, &ledger.Cancellation{OrderId: "unknown", Reason: "fraud"}, &ledger.Origin{Topic: "t", Partition: 1, Offset: 2})
	s.Alerts.Opened = 2
	s.RecordCallMark(m, &ledger.CallMark{Kind: ledger.CallMarkKind_CALL_MARK_KIND_SNOOZED, Until: now + DayMS, By: "Ann", Note: "voicemail"})
	s.RecordClosing(e, &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT, Reason: "price"})
	s.RecordClosing(e, &ledger.Cancellation{Kind: ledger.CancellationKind_CANCELLATION_KIND_SUBSCRIPTION, Reason: "price"})
	s.RecordResponse(&ledger.Survey{ResponseId: "r", SurveyId: "s", Type: ledger.SurveyType_SURVEY_TYPE_NPS, Score: 9, CreatedAt: now, UpdatedAt: now + 1, Excluded: true, Comment: "c", Dimension: "d"})
	s.RecordReferral("me", e, &ledger.Referral{ReferralId: "r", Referrer: "you", Status: ledger.ReferralStatus_REFERRAL_STATUS_APPROVED})
	s.RecordReferral("me", &ledger.Event{OccurredAt: now + 1}, &ledger.Referral{ReferralId: "r", Referrer: "you", Status: ledger.ReferralStatus_REFERRAL_STATUS_VOIDED})
	s.RecordReferral("me", e, &ledger.Referral{ReferralId: "p", Referrer: "you", Status: ledger.ReferralStatus_REFERRAL_STATUS_PENDING})
	var texts trait.Texts
	for at, channel := range []string{"web", "store"} {
		s.NoteTraits(&texts, &ledger.Event{OccurredAt: now + int64(at), Purchase: &ledger.Purchase{OrderId: "refunded", UpdatedAt: now}}, &ledger.Details{Channel: channel}, Change{})
	}
	s.NoteAttributes(&texts, &ledger.Event{OccurredAt: now + 5, Id: "visit", Engagement: &ledger.Engagement{}, Attributes: []*ledger.Attribute{{Name: "plan", Text: "pro"}, {Name: "region", Text: "north"}}}, Change{})
	r := s.ensureRare()
	r.mergedInto, r.mergedAt, r.merged = "another", 3, []uint64{4, 5}
	s.SetCredit(&ledger.Credit{Referred: "them", Net: 30, Approved: true}, "own", 1)
	s.SetCredit(&ledger.Credit{Referred: "gone", Net: 5, Approved: true}, "own", 1)
	s.SetCredit(&ledger.Credit{Erased: true, ReferredHash: xxhash.Sum64String("gone"), Net: 5, Approved: true}, "own", 1)
	require.EqualValues(t, 35, s.ReferralValue())
	s.ForgetReferrers(4, func(uint64, uint64) bool { return false })
	s.RememberEvent(m, EventFingerprint(e))
	for days := range int64(2) {
		s.RecordEngagement(terms, now-70*days*DayMS, &ledger.Engagement{Type: ledger.EngagementType_ENGAGEMENT_TYPE_SUPPORT_CONTACT})
	}
	s.Sequence, s.Next = 1, now+5
	s.LastPublished = LastPublished{
		CLV: true, Historic: 1, Orders: 7, ReferralValue: 3, PredictedKnown: true, Predicted: 4, Tier: Top20, ExpectedOrders: 15, OrdersVariance: 16, PredictedDeviation: 17,
		Churn: Medium, Probability: 5, Category: Passive, Score: 7, Responses: 6, Action: true,
		BeforeCLV:    CLVBefore{Day: 8, Historic: 9, Predicted: 10, ReferralValue: 11, Orders: 12, Tier: Rest},
		BeforeStatus: StatusBefore{Day: 13, Score: 6, Responses: 5, Action: true},
	}
	s.Credited = Credited{To: "you", Net: 8}
	s.Promise = Promise{Day: 1, Days: 2, Probability: 3, Orders: 4}
	s.Alerts = Alerts{Terms: 1, Thresholds: 2, Opened: 3, WasHighValue: true, Episodes: []Episode{
		{Rule: 1, Phase: Firing, Kind: Suppressed, FiringAt: 4, CoolDownEnd: 5, Number: 6, Value: 7, Group: Control},
	}}
	s.milestones = milestones{orders: 9, largest: 3, categories: []trait.Number{1, 4}, years: 2, dormantDay: 50, backDay: 101, away: true}
	require.Equal(t, lifetimes.History{{Day: 50, Orders: 1, Net: 100}, {Day: 101, Orders: 1, Net: 290}}, s.days)
	s.ClosedDay = 100
	return s
}
