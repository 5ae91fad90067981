package faulttest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/processors"
)

// judge compares what subscribers have got with a recount from the input topics, and lets the audit compare everything else.
func (w *world) judge() []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	w.mu.Lock()
	problems = append(problems, w.late...)
	w.mu.Unlock()

	got := w.heard
	if err := w.listen(); err != nil {
		return append(problems, err.Error())
	}
	got.close()
	problems = append(problems, got.broken...)
	want, err := w.recount()
	if err != nil {
		return append(problems, err.Error())
	}
	for id, c := range want.customers {
		sent := got.customers[id]
		if sent == nil {
			sent = &told{}
		}
		if c.orders != sent.orders || c.historic != sent.historic {
			say("customer %s: subscribers hold %d orders of %d, a recount says %d of %d", id, sent.orders, sent.historic, c.orders, c.historic)
		}
		if v := want.referralValue(id); v != sent.referral {
			say("customer %s: subscribers hold a referral value of %d, a recount says %d", id, sent.referral, v)
		}
		if c.responses > 0 && (c.score != sent.score || c.responses != sent.responses) {
			say("customer %s: subscribers hold score %d of %d responses, a recount says %d of %d", id, sent.score, sent.responses, c.score, c.responses)
		}
		state := w.partitionState(partitionOf(id, w.genesis.GetPartitions()))
		if state == nil {
			continue
		}
		if wrong := w.wrongTier(sent, state); wrong != "" {
			say("customer %s: %s", id, wrong)
		}
		if base, ok := state.BaseTime(); ok {
			if class, sure := want.class(w, c, base); sure && class != sent.class && (class != "none" || sent.class != "") {
				say("customer %s: subscribers hold churn risk %q, it is %q by now", id, sent.class, class)
			}
		}
	}
	if wrong := w.wrongBounds(got); wrong != "" {
		say("tiers: %s", wrong)
	}
	for event, order := range want.purchases {
		// A purchase that comes behind the cancellation of its order changes nothing, and so says nothing.
		if n := got.causes[event]; n > 1 || n == 0 && !order.gone {
			say("purchase %s caused %d clv events", event, n)
		}
	}

	result, err := audit.Run(w.ctx, audit.Config{Namespace: w.cfg.Namespace, Genesis: w.genesis, Patience: 30 * time.Second, Now: time.Now}, w.outside.Kafka, w.outside.Redis)
	if err != nil {
		say("audit: %v", err)
		return problems
	}
	if !result.Clean() {
		say("audit: %d lost, %d doubled, %d differing, %d missing in Redis: %+v", result.Lost, result.Doubled, result.Differing, result.StateMissing, result.Findings)
	}
	return problems
}

// recounted is the truth from the input topics, counted with maps and slices and nothing of the code under test.
type recounted struct {
	customers map[string]*truth
	purchases map[string]*bought // by event id
	referrer  map[string]string
}

type truth struct {
	byOrder          map[string]*bought
	orders, historic int64
	score, responses int64
	days             map[int64]bool
}

type bought struct {
	total, refunded int64
	day             int64
	known, gone     bool
	refunds         map[string]bool
}

type emitted struct {
	EventID  string      `json:"event_id"`
	Customer string      `json:"customer_id"`
	Order    string      `json:"order_id"`
	Refund   string      `json:"refund_id"`
	Kind     string      `json:"kind"`
	Total    json.Number `json:"total"`
	At       time.Time   `json:"occurred_at"`
	Response string      `json:"response_id"`
	Score    int64       `json:"score"`
	Referrer string      `json:"referrer_customer_id"`
	Referred string      `json:"referred_customer_id"`
	Status   string      `json:"status"`
	Test     bool        `json:"test"`
}

func (w *world) recount() (*recounted, error) {
	all := &recounted{customers: map[string]*truth{}, purchases: map[string]*bought{}, referrer: map[string]string{}}
	type response struct {
		at    time.Time
		id    string
		score int64
	}
	responses := map[string]map[string]response{}
	var referrals []emitted
	of := func(id string) *truth {
		if all.customers[id] == nil {
			all.customers[id] = &truth{byOrder: map[string]*bought{}, days: map[int64]bool{}}
		}
		return all.customers[id]
	}
	order := func(e emitted) *bought {
		c := of(e.Customer)
		if c.byOrder[e.Order] == nil {
			c.byOrder[e.Order] = &bought{refunds: map[string]bool{}}
		}
		return c.byOrder[e.Order]
	}
	for _, topic := range []string{"purchases", "cancellations", "referrals", "surveys"} {
		err := w.readAll(topic, func(r kafka.Record) error {
			var e emitted
			if !json.Valid(r.Value) {
				return nil // poison
			}
			if err := json.Unmarshal(r.Value, &e); err != nil {
				return fmt.Errorf("recount %s: %w", topic, err)
			}
			if e.Test {
				return nil
			}
			switch {
			case topic == "purchases":
				b := order(e)
				b.known, b.total, b.day = true, minor(&e.Total), e.At.Unix()/86400
				all.purchases[e.EventID] = b
			case topic == "cancellations" && e.Kind == "order":
				order(e).gone = true
			case topic == "cancellations":
				if b := order(e); !b.refunds[e.Refund] {
					b.refunds[e.Refund] = true
					b.refunded += minor(&e.Total)
				}
			case topic == "referrals":
				referrals = append(referrals, e)
				of(e.Referred)
				of(e.Referrer)
			case topic == "surveys":
				if responses[e.Customer] == nil {
					responses[e.Customer] = map[string]response{}
				}
				responses[e.Customer][e.Response] = response{e.At, e.Response, e.Score}
				of(e.Customer)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	// By when it happened, whichever is read first: one that is voided before it was approved stands.
	slices.SortFunc(referrals, func(a, b emitted) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Status, b.Status)) })
	for _, e := range referrals {
		if e.Status == "voided" {
			delete(all.referrer, e.Referred)
		} else {
			all.referrer[e.Referred] = e.Referrer
		}
	}
	for id, c := range all.customers {
		for _, b := range c.byOrder {
			if b.gone || !b.known {
				continue
			}
			net := max(0, b.total-b.refunded)
			c.historic += net
			if net > 0 || b.refunded == 0 {
				c.orders++
				c.days[b.day] = true
			}
		}
		rs := make([]response, 0, len(responses[id]))
		for _, r := range responses[id] {
			rs = append(rs, r)
		}
		slices.SortFunc(rs, func(a, b response) int { return cmp.Or(a.at.Compare(b.at), strings.Compare(a.id, b.id)) })
		if n := len(rs); n > 0 {
			c.score, c.responses = rs[n-1].score, int64(n)
		}
	}
	return all, nil
}

func (r *recounted) referralValue(referrer string) int64 {
	var v int64
	for friend, by := range r.referrer {
		if by == referrer && r.customers[friend] != nil {
			v += r.customers[friend].historic
		}
	}
	return v
}

// class is the churn class at a time, from the published formula; sure is false within some seconds of a change.
func (r *recounted) class(w *world, c *truth, at int64) (class string, sure bool) {
	if c.orders == 0 {
		return "none", true
	}
	of := func(ms int64) string {
		p := c.churn(ms)
		switch {
		case p >= w.cfg.Churn.High:
			return "high"
		case p >= w.cfg.Churn.Medium:
			return "medium"
		}
		return "low"
	}
	const slack = 3000
	class = of(at)
	return class, class == of(at-slack) && class == of(at+slack)
}

func (c *truth) churn(ms int64) float64 {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for d := range c.days {
		first, last = min(first, d), max(last, d)
	}
	x := float64(len(c.days) - 1)
	tx := float64(last-first) / 7
	age := max(float64(ms)/86400_000-float64(first), float64(last-first)) / 7
	return churn(x, tx, age)
}

// churn is 1 - P(alive) of MBG/NBD (Batislam, Denizel & Filiztekin 2007) at the stated prior; times in weeks.
func churn(x, tx, age float64) float64 {
	m := lifetimes.PriorMBGNBD()
	odds := m.A / (m.B + x) * math.Exp((m.R+x)*math.Log((m.Alpha+age)/(m.Alpha+tx)))
	return odds / (1 + odds)
}

// churnAfter is the churn probability of a first order so long after the beginning of its day.
func churnAfter(d time.Duration) float64 { return churn(0, 0, d.Hours()/24/7) }

// partitionState is where a partition stands; nil when nothing was ever committed.
func (w *world) partitionState(p int32) *processors.Partition {
	meta, err := w.outside.Redis.Partition(w.cfg.Namespace, p, w.genesis.GetPartitions()).ReadMeta(w.ctx)
	if err != nil || !meta.Exists {
		return nil
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil {
		return nil
	}
	return state
}

// wrongTier says what is wrong with the tier that subscribers hold against the bounds in force: all must have been scored by
// them. Within a few percent of a bound either is right: a tier is kept below it, and 1% more or less is not said.
func (w *world) wrongTier(sent *told, state *processors.Partition) string {
	bounds := state.Thresholds()
	if _, _, under := state.Rescoring(); under {
		return "is still to be scored anew long after the last event"
	}
	if sent.orders == 0 || bounds.GetCustomers() < int64(w.cfg.Tiers.MinCustomers) {
		if sent.tier != "" {
			return fmt.Sprintf("subscribers hold tier %q, there is none", sent.tier)
		}
		return ""
	}
	least := map[string]int64{"top_10": bounds.GetTop_10(), "top_20": bounds.GetTop_20()}
	above := map[string]int64{"top_20": bounds.GetTop_10(), "rest": bounds.GetTop_20()}
	bottom, some := least[sent.tier]
	top, capped := above[sent.tier]
	switch {
	case !some && !capped:
		return fmt.Sprintf("subscribers hold tier %q at %d, bounds are %d and %d", sent.tier, sent.total, bounds.GetTop_10(), bounds.GetTop_20())
	case some && float64(sent.total) < .96*float64(bottom), capped && float64(sent.total) > 1.02*float64(top):
		return fmt.Sprintf("subscribers hold tier %s at %d, bounds are %d and %d", sent.tier, sent.total, bounds.GetTop_10(), bounds.GetTop_20())
	}
	return ""
}

// wrongBounds ranks the customers by what subscribers hold of them: as many as should must stand above the bounds of the tiers,
// to one customer, and to the few percent within which a value is not said anew. Under the event clock the base's sums wait for
// time to go on, which it does not.
func (w *world) wrongBounds(got *subscription) string {
	state := w.partitionState(0)
	if state == nil || w.cfg.Clock == "event" || state.Thresholds().GetCustomers() < int64(w.cfg.Tiers.MinCustomers) {
		return ""
	}
	all, above := 0, [2][2]int{} // surely, and perhaps
	bounds := [2]int64{state.Thresholds().GetTop_10(), state.Thresholds().GetTop_20()}
	for _, c := range got.customers {
		if c.orders == 0 {
			continue
		}
		all++
		for i, bound := range bounds {
			if float64(c.total) > 1.03*float64(bound) {
				above[i][0]++
			}
			if float64(c.total) > .97*float64(bound) {
				above[i][1]++
			}
		}
	}
	for i, share := range [2]float64{.1, .2} {
		if n := share * float64(all); float64(above[i][0]) > n+1 || float64(above[i][1]) < n-1 {
			return fmt.Sprintf("of %d customers %d to %d stand above the bound %d of the uppermost %g%%", all, above[i][0], above[i][1], bounds[i], share*100)
		}
	}
	return ""
}

func (w *world) readAll(topic string, each func(kafka.Record) error) error {
	topics, err := w.outside.Kafka.Topics(w.ctx, []string{topic})
	if err != nil {
		return err
	}
	for p := range int32(len(topics[0].Leaders)) { //nolint:gosec // small
		bounds, err := w.outside.Kafka.ListOffsets(w.ctx, topic, []int32{p})
		if err != nil {
			return err
		}
		if b := bounds[p]; b.LastStable != b.HighWatermark {
			return fmt.Errorf("%s/%d: %w", topic, p, errOpen)
		}
		if _, err := w.outside.Kafka.ReadCommitted(w.ctx, topic, p, bounds[p].Start, bounds[p].LastStable, each); err != nil {
			return err
		}
	}
	return nil
}

var errOpen = errors.New("a transaction is still open at the end")

func partitionOf(id string, n int32) int32 { return murmur2.PartitionFor([]byte(id), n) }
