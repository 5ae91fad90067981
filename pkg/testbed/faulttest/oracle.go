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
	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/output"
)

// verify compares what the subscriber holds with a recount from the input topics, and runs an audit. It returns the problems.
func (w *world) verify() []string {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	w.mu.Lock()
	problems = append(problems, w.lateEvents...)
	w.mu.Unlock()

	if err := w.readOutputs(); err != nil {
		return append(problems, err.Error())
	}
	w.subscriber.checkSequences()
	problems = append(problems, w.subscriber.problems...)
	forgotten, err := w.readForgotten()
	if err != nil {
		return append(problems, err.Error())
	}
	recounted, err := w.recount(forgotten.remains)
	if err != nil {
		return append(problems, err.Error())
	}
	unnamed, err := w.unnamedCredits(forgotten)
	if err != nil {
		return append(problems, err.Error())
	}
	for id := range unnamed {
		recounted.customer(id)
	}
	for id := range w.subscriber.customers {
		recounted.customer(id) // nothing is kept of an erased customer
	}
	for id, c := range recounted.customers {
		published := w.subscriber.customers[id]
		if published == nil {
			published = &lastPublished{}
		}
		if c.orders != published.orders || c.historic != published.historic {
			report("customer %s: the subscriber holds %d orders worth %d, the recount %d worth %d", id, published.orders, published.historic, c.orders, c.historic)
		}
		if v := recounted.referralValue(id) + unnamed[id]; v != published.referral {
			report("customer %s: the subscriber holds referral value %d, the recount %d", id, published.referral, v)
		}
		if (c.responses > 0 || published.responses > 0) && (c.score != published.score || c.responses != published.responses) {
			report("customer %s: the subscriber holds score %d of %d responses, the recount %d of %d", id, published.score, published.responses, c.score, c.responses)
		}
		// What a merge brings reaches none. Under the event clock, inputs behind each other make events history, as those of tests without the shop are.
		reaches := w.cfg.Clock == "live" && w.shopTime != "" && !recounted.united[id]
		for _, n := range output.OrderNumbers() {
			if milestone := fmt.Sprint("order_number-", n); reaches && n <= c.orders && !published.milestones[milestone] {
				report("customer %s has %d orders, and milestone %s did not come", id, c.orders, milestone)
			}
		}
		state := w.committedState(partitionOf(id, w.genesis.GetPartitions()))
		if state == nil {
			continue
		}
		if wrong := w.checkTier(published, state); wrong != "" {
			report("customer %s: %s", id, wrong)
		}
		if base, ok := state.BaseTime(); ok {
			if class, sure := recounted.class(w, c, base); sure && class != published.class && (class != "none" || published.class != "") {
				report("customer %s: the subscriber holds churn risk %q, the recount %q", id, published.class, class)
			}
		}
	}
	problems = append(problems, w.checkOpenAlerts()...)
	problems = append(problems, w.checkTotals()...)
	problems = append(problems, w.checkMonths(forgotten, recounted)...)
	problems = append(problems, w.checkCancellations(recounted)...)
	problems = append(problems, w.checkEngagement(recounted)...)
	problems = append(problems, w.checkCosts()...)
	problems = append(problems, w.checkCallMarks()...)
	for event, order := range recounted.purchases {
		// A purchase that arrives after the cancellation of its order changes nothing, so it causes no output.
		if n := w.subscriber.outputsByCause[event]; n > 1 || n == 0 && !order.cancelled {
			report("purchase %s caused %d clv events", event, n)
		}
	}

	outputs, err := w.client.Outputs(w.genesis)
	if err != nil {
		report("audit: %v", err)
		return problems
	}
	result, err := audit.Run(w.ctx, audit.Config{Namespace: w.cfg.Namespace, Genesis: w.genesis, Outputs: outputs, Patience: 30 * time.Second, Now: time.Now}, w.client.Kafka, w.client.Redis)
	if err != nil {
		report("audit: %v", err)
		return problems
	}
	if !result.Clean() {
		report("audit: %d lost, %d doubled, %d differing, %d missing in Redis: %+v", result.Lost, result.Doubled, result.Differing, result.StateMissing, result.Findings)
	}
	return problems
}

// recount is what the outputs must say, recounted from the input topics with maps and slices, without the code under test.
type recount struct {
	customers map[string]*customerTotals
	purchases map[string]*recountedOrder // by event id
	referral  map[string]inputEvent      // in force, by referred customer
	united    map[string]bool            // customers who have taken over what was reported of others
}

type customerTotals struct {
	byOrder          map[string]*recountedOrder
	orders, historic int64
	orphaned         int64 // refunds whose purchase was not read
	score, responses int64
	days             map[int64]bool  // with a purchase
	net              map[int64]int64 // by day
	engaged          engaged
}

type recountedOrder struct {
	total, refunded  int64
	day              int64
	known, cancelled bool // its purchase was read; its cancellation was
	reason           string
	refunds          map[string]string // reason by id
}

// stands says whether the order counts: its purchase is known, and it was neither cancelled nor refunded in full.
func (b *recountedOrder) stands() bool {
	return b.known && !b.cancelled && (b.total > b.refunded || b.refunded == 0)
}

// inputEvent has the fields of all kinds of input.
type inputEvent struct {
	EventID  string      `json:"event_id"`
	Customer string      `json:"customer_id"`
	Order    string      `json:"order_id"`
	Refund   string      `json:"refund_id"`
	Kind     string      `json:"kind"`
	Reason   string      `json:"cancel_reason"`
	Total    json.Number `json:"total"`
	At       time.Time   `json:"occurred_at"`
	Response string      `json:"response_id"`
	Score    int64       `json:"score"`
	Referral string      `json:"referral_id"`
	Referrer string      `json:"referrer_customer_id"`
	Referred string      `json:"referred_customer_id"`
	Status   string      `json:"status"`
	Test     bool        `json:"test"`

	Engagement string `json:"engagement_type"`
}

// customer returns the totals of a customer, who is added if they are new.
func (r *recount) customer(id string) *customerTotals {
	if r.customers[id] == nil {
		r.customers[id] = &customerTotals{byOrder: map[string]*recountedOrder{}, days: map[int64]bool{}, net: map[int64]int64{}, engaged: engaged{}}
	}
	return r.customers[id]
}

// recount recounts the records that count.
func (w *world) recount(counts func(inputPlace) bool) (*recount, error) {
	all := &recount{customers: map[string]*customerTotals{}, purchases: map[string]*recountedOrder{}, referral: map[string]inputEvent{}, united: map[string]bool{}}
	type response struct {
		at    time.Time
		id    string
		score int64
	}
	responses := map[string]map[string]response{}
	var referrals []inputEvent
	as, err := w.readMerged()
	if err != nil {
		return nil, err
	}
	of := all.customer
	order := func(e inputEvent) *recountedOrder {
		c := of(e.Customer)
		if c.byOrder[e.Order] == nil {
			c.byOrder[e.Order] = &recountedOrder{refunds: map[string]string{}}
		}
		return c.byOrder[e.Order]
	}
	for kind := range event.Kinds {
		topic := kind.Descriptor().Topic
		if kind == event.Erasure || kind == event.Identity {
			continue
		}
		err := w.readPartitions(topic, func(partition int32, r kafka.Record) error {
			events, err := eventsOf(r.Value)
			if err != nil {
				return fmt.Errorf("recount %s: %w", topic, err)
			}
			for i, e := range events {
				if e.Test || !counts(inputPlace{topic, partition, r.Offset, uint32(i)}) {
					continue
				}
				if remains := as(e.Customer); remains != e.Customer {
					all.united[remains] = true
				}
				e.Customer, e.Referrer, e.Referred = as(e.Customer), as(e.Referrer), as(e.Referred)
				switch {
				case e.Engagement != "":
					of(e.Customer).engaged[e.EventID] = e
				case e.Response != "":
					if responses[e.Customer] == nil {
						responses[e.Customer] = map[string]response{}
					}
					responses[e.Customer][e.Response] = response{e.At, e.Response, e.Score}
					of(e.Customer)
				case e.Referrer != "":
					referrals = append(referrals, e)
					of(e.Referred)
					of(e.Referrer)
				case e.Kind == "order":
					b := order(e)
					b.cancelled, b.reason = true, e.Reason
				case e.Kind != "":
					b := order(e)
					if _, repeated := b.refunds[e.Refund]; !repeated {
						b.refunds[e.Refund] = e.Reason
						b.refunded += minor(&e.Total)
					}
				default:
					b := order(e)
					b.known, b.total, b.day = true, minor(&e.Total), e.At.Unix()/86400
					all.purchases[e.EventID] = b
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	// In the order in which they happened, not in which they are read.
	slices.SortFunc(referrals, func(a, b inputEvent) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Status, b.Status)) })
	voidedAt := map[string]time.Time{} // the latest
	for _, e := range referrals {
		if e.Status == "voided" {
			voidedAt[e.Referral] = e.At
		}
	}
	for _, e := range referrals { // the first that is not voided after it is in force; nobody refers themselves
		_, known := all.referral[e.Referred]
		if !known && e.Status != "voided" && e.At.After(voidedAt[e.Referral]) && e.Referrer != e.Referred {
			all.referral[e.Referred] = e
		}
	}
	for id, c := range all.customers {
		for _, b := range c.byOrder {
			if !b.known {
				c.orphaned += b.refunded
				c.historic -= b.refunded
			}
			if b.cancelled || !b.known {
				continue
			}
			net := max(0, b.total-b.refunded)
			c.historic += net
			c.net[b.day] += net
			if b.stands() {
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

// referralValue is what customers have paid from the day on which this one referred them.
func (r *recount) referralValue(referrer string) int64 {
	var v int64
	for friend, e := range r.referral {
		if e.Referrer != referrer || r.customers[friend] == nil {
			continue
		}
		v += r.credited(friend)
	}
	return v
}

// credited is what a customer's referrer is credited with for them.
func (r *recount) credited(friend string) int64 {
	var v int64
	for day, net := range r.customers[friend].net {
		if day >= r.referral[friend].At.Unix()/86400 {
			v += net
		}
	}
	return max(0, v-r.customers[friend].orphaned)
}

// class is the churn class at a time by the published formula. sure is false within a few seconds of a change.
func (r *recount) class(w *world, c *customerTotals, at int64) (class string, sure bool) {
	if c.orders == 0 {
		return "none", true
	}
	of := func(ms int64) string {
		p := c.churnProbability(w.model, hasSeason(w.seed), ms)
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

func (c *customerTotals) churnProbability(m liveModel, inSeason bool, ms int64) float64 {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for d := range c.days {
		first, last = min(first, d), max(last, d)
	}
	x := float64(len(c.days) - 1)
	tx := float64(last-first) / 7
	age := max(float64(ms)/86400_000-float64(first), float64(last-first)) / 7
	if inSeason { // a purchase day counts as a day, and the silence after it begins with the next
		from := seasonTime(float64(first + 1))
		tx = (seasonTime(float64(last+1)) - from) / 7
		age = max((seasonTime(float64(ms)/86400_000)-from+1)/7, tx)
	}
	return m.churnProbability(x, tx, age)
}

// churnAfter is the churn probability of a customer with one order, a duration after the start of that day.
func churnAfter(d time.Duration) float64 {
	return liveModel(model.MBGNBD).churnProbability(0, 0, d.Hours()/24/7)
}

// committedState is the state of a ledger partition in Redis, nil if none was committed.
func (w *world) committedState(p int32) *processors.Partition {
	meta, err := w.client.Redis.Partition(w.cfg.Namespace, p, w.genesis.GetPartitions()).ReadMeta(w.ctx)
	if err != nil || !meta.Exists {
		return nil
	}
	state, err := processors.DecodePartition(meta.State)
	if err != nil {
		return nil
	}
	return state
}

// eachCustomer calls each for the committed state of every customer who is not merged into another.
func (w *world) eachCustomer(each func(p *processors.Partition, id string, c *customer.State)) error {
	for p := range w.genesis.GetPartitions() {
		state := w.committedState(p)
		if state == nil {
			continue
		}
		err := w.client.Redis.Partition(w.cfg.Namespace, p, w.genesis.GetPartitions()).ScanCustomers(w.ctx, func(_ redis.Meta, blobs []redis.Blob) error {
			for _, b := range blobs {
				c, err := customer.Decode(b.Value)
				if err != nil {
					return err
				}
				if c.MergedInto() == "" {
					each(state, b.ID, c)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// checkOpenAlerts compares the alerts that are open for a subscriber, who has read that they were raised and not that they were
// cleared, with the published episodes in the customers' states.
func (w *world) checkOpenAlerts() (problems []string) {
	open := map[string]string{}
	err := w.eachCustomer(func(p *processors.Partition, id string, c *customer.State) {
		for _, a := range processors.OpenAlerts(p, id, c) {
			if a.State == customer.Published.String() || a.State == customer.Initial.String() {
				open[a.AlertID] = a.Rule
			}
		}
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	for id, state := range w.subscriber.alerts {
		if state == "raised" && open[id] == "" {
			problems = append(problems, fmt.Sprintf("alert %s is open for the subscriber and has ended", id))
		}
	}
	for id, rule := range open {
		if w.subscriber.alerts[id] != "raised" {
			problems = append(problems, fmt.Sprintf("alert %s (%s) is open, and for the subscriber it is %q", id, rule, w.subscriber.alerts[id]))
		}
	}
	return problems
}

// checkTier compares the tier that the subscriber holds with the thresholds in force: every customer must have been rescored
// under them. Near a threshold either tier is right, since a tier is kept 2% below its threshold, and the total that the
// subscriber holds may differ by what is not published.
func (w *world) checkTier(published *lastPublished, state *processors.Partition) string {
	bounds := state.Thresholds()
	if _, _, under := state.Rescoring(); under {
		return "is still to be rescored long after the last event"
	}
	if published.orders == 0 || bounds.GetCustomers() < int64(w.cfg.Tiers.MinCustomers) {
		if published.tier != "" {
			return fmt.Sprintf("the subscriber holds tier %q, there are no tiers", published.tier)
		}
		return ""
	}
	least := map[string]int64{"top_10": bounds.GetTop_10(), "top_20": bounds.GetTop_20()}
	above := map[string]int64{"top_20": bounds.GetTop_10(), "rest": bounds.GetTop_20()}
	bottom, some := least[published.tier]
	top, capped := above[published.tier]
	switch {
	case !some && !capped:
		return fmt.Sprintf("the subscriber holds tier %q at %d, the thresholds are %d and %d", published.tier, published.total, bounds.GetTop_10(), bounds.GetTop_20())
	case some && float64(published.total)*(1+w.unpublished()) < .97*float64(bottom), capped && float64(published.total)*(1-w.unpublished()) > 1.01*float64(top):
		return fmt.Sprintf("the subscriber holds tier %s at %d, the thresholds are %d and %d", published.tier, published.total, bounds.GetTop_10(), bounds.GetTop_20())
	}
	return ""
}

// unpublished is the part of a customer's total CLV by which it can change without an output: it falls in silence, and new parameters move
// it either way.
func (w *world) unpublished() float64 { return w.cfg.CLV.Material * (1 + 1.0/50) }

// checkTotals compares the total CLV that the subscriber holds with the one that a query returns, but for what is not published.
func (w *world) checkTotals() (problems []string) {
	err := w.eachCustomer(func(p *processors.Partition, id string, c *customer.State) {
		published := w.subscriber.customers[id]
		if published == nil || published.orders == 0 {
			return
		}
		now := processors.ScoreCustomer(p, id, c).CLV.Total.Value
		if math.Abs(float64(published.total-now)) > w.unpublished()*math.Abs(float64(published.total))+1 {
			problems = append(problems, fmt.Sprintf("customer %s: the subscriber holds a total of %d, it is %d", id, published.total, now))
		}
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

func (w *world) readAll(topic string, each func(kafka.Record) error) error {
	return w.readPartitions(topic, func(_ int32, r kafka.Record) error { return each(r) })
}

func (w *world) readPartitions(topic string, each func(partition int32, r kafka.Record) error) error {
	topics, err := w.client.Kafka.Topics(w.ctx, []string{topic})
	if err != nil {
		return err
	}
	for p := range int32(len(topics[0].Leaders)) { //nolint:gosec // small
		bounds, err := w.client.Kafka.ListOffsets(w.ctx, topic, []int32{p})
		if err != nil {
			return err
		}
		if b := bounds[p]; b.LastStable != b.HighWatermark {
			return fmt.Errorf("%s/%d: %w", topic, p, errTransactionOpen)
		}
		if _, err := w.client.Kafka.ReadCommitted(w.ctx, topic, p, bounds[p].Start, bounds[p].LastStable, func(r kafka.Record) error { return each(p, r) }); err != nil {
			return err
		}
	}
	return nil
}

var errTransactionOpen = errors.New("a transaction is still open after the run")

func partitionOf(id string, n int32) int32 { return murmur2.PartitionFor([]byte(id), n) }
