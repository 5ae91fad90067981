package shop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/sandbox/shop"
	"github.com/mainstay/mainstay/schemas/event"
)

func open(t require.TestingT, cfg shop.Config) *shop.Shop {
	s, err := shop.New(cfg)
	require.NoError(t, err)
	return s
}

func digest(s *shop.Shop) string {
	h := sha256.New()
	for e := range s.Events() {
		_, _ = fmt.Fprintf(h, "%d %s %q %q %v\n", e.At.Unix(), e.Kind.Descriptor().Topic, e.Key, e.Value, e.Headers)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestSameSeedSameBytes(t *testing.T) {
	cfg := shop.Config{Seed: 7, Customers: 200, Days: 200}
	s := open(t, cfg)
	first := digest(s)
	require.NotEmpty(t, s.GroundTruth().Customers)
	require.Equal(t, first, digest(s), "asking for the truth or listening again changes nothing")
	require.Equal(t, first, digest(open(t, cfg)))
	cfg.Seed = 8
	require.NotEqual(t, first, digest(open(t, cfg)))
}

func TestListeningCanStop(t *testing.T) {
	s := open(t, shop.Config{Seed: 7, Customers: 200})
	var all, some []shop.Event
	for e := range s.Events() {
		all = append(all, e)
	}
	for e := range s.Events() {
		if some = append(some, e); len(some) == 100 {
			break
		}
	}
	require.Equal(t, all[:100], some)
}

// recorded is an event as somebody reads it who knows only the conventions of the field names.
type recorded struct {
	eventKind                                     event.Kind
	id, customer, order, refund, referrer, status string
	kind, surveyType, response                    string
	total                                         int64 // cents
	score                                         float64
	at                                            time.Time
}

func read(t require.TestingT, e shop.Event) recorded {
	members := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(e.Value))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&members), "%s", e.Value)
	require.False(t, decoder.More())
	for _, inner := range []string{"properties", "data"} {
		if nested, ok := members[inner].(map[string]any); ok {
			maps.Copy(members, nested)
		}
	}
	for _, h := range e.Headers {
		if _, ok := members[h.Key]; !ok {
			members[h.Key] = h.Value
		}
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v, ok := members[name]; ok {
				return fmt.Sprint(v)
			}
		}
		return ""
	}
	at, err := time.Parse(time.RFC3339, first("occurred_at", "timestamp", "time", "ce_time"))
	require.NoError(t, err, "%s", e.Value)
	s := recorded{
		eventKind: e.Kind, at: at,
		id:       first("event_id", "messageId", "id", "ce_id"),
		customer: first("customer_id", "userId", "referred_customer_id", "friend"),
		order:    first("order_id", "transaction_id"),
		refund:   first("refund_id"), kind: first("kind"), status: first("status"),
		referrer:   first("referrer_customer_id", "advocate"),
		surveyType: first("survey_type"), response: first("response_id"),
	}
	if total := first("total", "revenue", "value"); total != "" {
		whole, cents, ok := strings.Cut(total, ".")
		require.True(t, ok && len(cents) == 2, "%s", e.Value)
		s.total, err = strconv.ParseInt(whole+cents, 10, 64)
		require.NoError(t, err)
	}
	if score := first("score"); score != "" {
		s.score, err = strconv.ParseFloat(score, 64)
		require.NoError(t, err)
	}
	require.NotEmpty(t, s.id, "%s", e.Value)
	require.NotEmpty(t, s.customer, "%s", e.Value)
	return s
}

// What the records say, each event once, is what the truth says happened.
func TestRecordsAgreeWithTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		population := shop.DefaultPopulation()
		population.Model = rapid.SampledFrom([]shop.Model{shop.MBGNBD, shop.ParetoNBD}).Draw(t, "model")
		s := open(t, shop.Config{
			Seed:       rapid.Uint64().Draw(t, "seed"),
			Customers:  rapid.IntRange(1, 120).Draw(t, "customers"),
			Days:       rapid.IntRange(1, 500).Draw(t, "days"),
			Population: &population,
		})
		recount(t, s)
	})
}

func recount(t require.TestingT, s *shop.Shop) {
	type order struct {
		customer       string
		at             time.Time
		total, refunds int64
		parts          int
		cancelled      bool
	}
	orders, referrers := map[string]order{}, map[string]string{}
	seen := map[string]string{}
	for e := range s.Events() {
		m := read(t, e)
		if before, ok := seen[m.id]; ok {
			require.Equal(t, before, string(e.Value), "a repeated event says the same")
			continue
		}
		seen[m.id] = string(e.Value)
		o := orders[m.order]
		switch {
		case m.eventKind == event.Purchase:
			o.customer, o.at, o.total = m.customer, m.at, m.total
		case m.kind == "refund":
			o.refunds += m.total
			o.parts++
		case m.kind == "order":
			o.cancelled = true
		case m.eventKind == event.Referral && m.status == "approved":
			referrers[m.customer] = m.referrer
		}
		if m.order != "" {
			orders[m.order] = o
		}
	}
	count, referred := 0, 0
	for _, c := range s.GroundTruth().Customers {
		require.NotEmpty(t, c.Orders)
		require.Equal(t, c.Arrived, c.Orders[0].At)
		for _, recorded := range c.Orders {
			o, ok := orders[recorded.ID]
			require.True(t, ok, "order %s is emitted", recorded.ID)
			require.Equal(t, c.ID, o.customer)
			require.Equal(t, recorded.At, o.at)
			require.Equal(t, recorded.Total, o.total)
			require.Equal(t, recorded.Refunds, o.parts)
			require.Equal(t, recorded.Cancelled, o.cancelled)
			net := o.total - o.refunds
			if o.cancelled {
				net = 0
			}
			require.Equal(t, recorded.Net, net)
			require.GreaterOrEqual(t, net, int64(0))
			count++
		}
		if by, ok := referrers[c.ID]; ok {
			require.Equal(t, c.Referrer, by)
			referrer, recorded := s.GroundTruth().Customer(by)
			require.True(t, recorded)
			require.True(t, referrer.Arrived.Before(c.Arrived))
			referred++
		}
	}
	require.Len(t, orders, count, "no order is emitted that was not placed")
	require.Len(t, referrers, referred, "no referral is approved of one who never bought")
}

// Whatever form an event has, intake understands it as what it is.
func TestIntakeUnderstandsEveryEvent(t *testing.T) {
	decoder, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	for e := range open(t, shop.Config{Seed: 4, Customers: 300}).Events() {
		message := event.Message{Key: e.Key, Value: e.Value, Timestamp: e.At.UnixMilli()}
		message.Header = func(name string) ([]byte, bool) {
			for _, h := range e.Headers {
				if h.Key == name {
					return []byte(h.Value), true
				}
			}
			return nil, false
		}
		var result event.Result
		require.NoError(t, decoder.Decode(e.Kind, &message, e.At.UnixMilli(), &result), "%s", e.Value)
		recorded := read(t, e)
		require.Empty(t, result.Skip)
		require.Equal(t, recorded.customer, result.Customer)
		require.Equal(t, recorded.at.UnixMilli(), result.Event.OccurredAt)
	}
}

func TestEventsComeInOrderOfTime(t *testing.T) {
	start := time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC)
	s := open(t, shop.Config{Seed: 3, Start: start})
	kinds, forms, last := map[event.Kind]int{}, map[string]int{}, start
	late, repeated, n, seen := 0, 0, 0, map[string]bool{}
	for e := range s.Events() {
		require.False(t, e.At.Before(last))
		require.True(t, e.At.Before(start.AddDate(0, 0, 365)))
		m := read(t, e)
		require.False(t, m.at.After(e.At), "nothing is emitted before it happened")
		if e.At.After(m.at) {
			late++
		}
		if seen[m.id] {
			repeated++
		}
		seen[m.id], last = true, e.At
		kinds[e.Kind]++
		form := "plain"
		switch {
		case len(e.Headers) == 1:
			form = "structured"
		case len(e.Headers) > 1:
			form = "binary"
		case bytes.Contains(e.Value, []byte(`"properties"`)):
			form = "track"
		case bytes.Contains(e.Value, []byte(`"messageId"`)):
			form = "flat"
		}
		forms[form]++
		n++
	}
	require.Greater(t, n, 5_000)
	require.Less(t, n, 10_000)
	require.Len(t, s.GroundTruth().Customers, 1000)
	require.Len(t, kinds, len(shop.Kinds()))
	for _, kind := range shop.Kinds() {
		require.Greater(t, kinds[kind], 200, kind)
	}
	for _, form := range []string{"structured", "binary", "track", "flat"} {
		require.Greater(t, forms[form], n/50, form)
	}
	require.Greater(t, forms["plain"], n/2)
	require.Greater(t, late, n/200)
	require.Greater(t, repeated, n/1000)
}

// The truth's expectations are those of the life that is lived: over many customers what happens is what was expected,
// among all as among those of whom much, or little, was expected.
func TestWhatIsExpectedHappens(t *testing.T) {
	for _, model := range []shop.Model{shop.MBGNBD, shop.ParetoNBD} {
		population := shop.DefaultPopulation()
		population.Model = model
		start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
		s := open(t, shop.Config{Seed: 11, Customers: 8000, Start: start, Population: &population})
		from, horizon := start.AddDate(0, 0, 200), 120*24*time.Hour
		var expected, happened [2]float64
		alive, dead := 0, 0
		for _, c := range s.GroundTruth().Customers {
			if c.Arrived.After(from) {
				continue
			}
			e, n := c.Expected(from, horizon), float64(c.Purchases(from, from.Add(horizon)))
			if !c.Alive(from) {
				dead++
				require.Zero(t, e)
				require.Zero(t, n, "the dead do not buy")
				continue
			}
			alive++
			much := 0
			if e > 3 {
				much = 1
			}
			expected[much] += e
			happened[much] += n
		}
		require.Greater(t, dead, alive/4, "many fall silent")
		require.Greater(t, alive, dead/4)
		for i := range expected {
			require.InEpsilon(t, expected[i], happened[i], .05, "model %d, group %d", model, i)
		}
	}
}

func TestPopulationIsTheModels(t *testing.T) {
	p := shop.DefaultPopulation()
	s := open(t, shop.Config{Seed: 5, Customers: 20_000, Days: 60})
	var rate, dropout, spend float64
	for _, c := range s.GroundTruth().Customers {
		rate += c.Rate / 20_000
		dropout += c.Dropout / 20_000
		spend += c.MeanOrder / 20_000
	}
	require.InEpsilon(t, p.R/p.Alpha, rate, .03)
	require.InEpsilon(t, p.A/(p.A+p.B), dropout, .04)
	require.InEpsilon(t, 100*p.P*p.V/(p.Q-1), spend, .04)
}

func TestThoseWhoStayScoreHigherAndBringMore(t *testing.T) {
	s := open(t, shop.Config{Seed: 2, Customers: 5000})
	end := time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC)
	var sum, n, brought, orders [2]float64 // lost, alive
	group := func(id string) int {
		c, ok := s.GroundTruth().Customer(id)
		require.True(t, ok)
		if c.Alive(end) {
			return 1
		}
		return 0
	}
	for e := range s.Events() {
		if m := read(t, e); m.surveyType == "nps" {
			require.Equal(t, m.score, math.Trunc(m.score))
			require.True(t, m.score >= 0 && m.score <= 10)
			sum[group(m.customer)] += m.score
			n[group(m.customer)]++
		}
	}
	for _, c := range s.GroundTruth().Customers {
		orders[group(c.ID)] += float64(len(c.Orders))
		if c.Referrer != "" {
			brought[group(c.Referrer)]++
		}
	}
	require.Greater(t, sum[1]/n[1], sum[0]/n[0]+.5, "mean score")
	require.Greater(t, brought[1]/orders[1], brought[0]/orders[0], "friends per order")
}

func TestAMixOfNothingIsPurchasesAlone(t *testing.T) {
	s := open(t, shop.Config{Customers: 50, Mix: &shop.Mix{}, Currency: "JPY"})
	n := 0
	for e := range s.Events() {
		require.Equal(t, event.Purchase, e.Kind)
		require.Empty(t, e.Headers)
		var p struct {
			Total    json.Number `json:"total"`
			Currency string      `json:"currency"`
		}
		require.NoError(t, json.Unmarshal(e.Value, &p))
		require.NotContains(t, p.Total.String(), ".", "the yen has no decimals")
		require.Equal(t, "JPY", p.Currency)
		n++
	}
	require.Greater(t, n, 50)
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	population := shop.DefaultPopulation()
	population.Q = 1
	for want, cfg := range map[string]shop.Config{
		"Customers":         {Customers: -1},
		"Days":              {Days: 40_000},
		"Start":             {Start: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)},
		"Currency":          {Currency: "XYZ"},
		"Mix: Late":         {Mix: &shop.Mix{Late: 1.5}},
		"Aliases and Cloud": {Mix: &shop.Mix{Aliases: .7, CloudEvents: .7}},
		"Population: Q - 1": {Population: &population},
		"Population: R":     {Population: &shop.Population{Alpha: 1, A: 1, B: 1, P: 1, Q: 2, V: 1}},
		"Model":             {Population: &shop.Population{Model: 9}},
	} {
		_, err := shop.New(cfg)
		require.ErrorContains(t, err, want)
	}
}

func ExampleShop_Events() {
	s, err := shop.New(shop.Config{Seed: 1, Customers: 10, Days: 30})
	if err != nil {
		panic(err)
	}
	for e := range s.Events() {
		fmt.Println(e.Kind.Descriptor().Topic, string(e.Key))
		break
	}
	// Output: purchases c-1
}

func BenchmarkEvents(b *testing.B) {
	s, err := shop.New(shop.Config{Customers: 100_000, Days: 3650})
	require.NoError(b, err)
	b.ReportAllocs()
	for i := 0; i < b.N; {
		for range s.Events() {
			if i++; i >= b.N {
				break
			}
		}
	}
}
