package faulttest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/schemas/event"
)

// The shop has few customers, so that much happens to each.
const (
	shopEvents    = 90
	shopCustomers = 9
	newcomerEvery = 15 // events; a newcomer is a customer with one order
	forgetEvery   = 18 // events, on average
)

type order struct {
	customer  string
	id        string
	total     int64
	refunded  int64
	refunds   int
	cancelled bool
}

// produceInputs produces events of all kinds for about forty seconds, to random partitions, some of them twice, some malformed,
// and some after a record of a transaction that is left open for a while.
func (w *world) produceInputs() {
	k := w.client.Kafka
	producer, err := k.NewProducer(w.ctx)
	if err != nil {
		panic(err)
	}
	begin := time.Now()
	days := 0 // that have passed under the event clock
	var orders []*order
	responses := map[string]int{}
	batch, engagement, merger := w.newBatcher(producer), w.newEngager(producer), w.newMerger(producer)
	defer batch.flush()
	var last []byte
	var lastTopic string
	referrers := map[string]string{}  // by referred customer
	referralBy := map[string][]byte{} // the latest approved one, by referrer
	const voided = "-"

	// Of its own, so that the events of a seed are the same with and without erasures.
	forgotten := rand.New(rand.NewPCG(w.seed, 11)) //nolint:gosec // a seed can be run again

	for i := range shopEvents {
		time.Sleep(time.Duration(30+w.intn(400)) * time.Millisecond)
		days += w.intn(5)
		if i == shopEvents/2 {
			w.refit()
		}
		if i%costsEvery == costsEvery-1 {
			w.stateCosts(i)
		}
		if i%callMarksEvery == callMarksEvery-1 {
			w.markCustomer(i)
		}
		at := time.Now()
		if w.cfg.Clock == "event" {
			at = begin.AddDate(0, 0, days-400).Add(time.Duration(w.intn(86400)) * time.Second)
		}
		stamp := at.UTC().Format(time.RFC3339Nano)
		w.mu.Lock()
		w.shopTime = stamp
		w.mu.Unlock()
		if forgets(w.seed) && forgotten.IntN(forgetEvery) == 0 {
			batch.flush()
			of := fmt.Sprintf("c%d", forgotten.IntN(shopCustomers))
			w.forget(producer, i, of, stamp)
			if again := referralBy[of]; again != nil && forgotten.IntN(2) == 0 {
				time.Sleep(time.Duration(forgotten.IntN(3)) * time.Second) // before or after the partitions have dropped the name
				w.produce(producer, "referrals", again)                    // re-sent: it names the erased customer once more
			}
		}
		merger.merge(i, at)
		engagement.engage(i, at)
		if i%newcomerEvery == newcomerEvery-1 {
			batch.flush()
			w.newcomer(producer, i, stamp)
		}
		customer := fmt.Sprintf("c%d", w.intn(shopCustomers))
		var topic string
		var body map[string]any
		switch n := w.intn(100); {
		case n < 50 || len(orders) == 0:
			o := &order{customer: customer, id: fmt.Sprintf("o%d", i), total: int64(100 * (1 + w.intn(300)))}
			orders = append(orders, o)
			topic, body = "purchases", map[string]any{"customer_id": o.customer, "order_id": o.id, "total": money(o.total), "currency": "USD"}
		case n < 62:
			o := orders[w.intn(len(orders))]
			amount := o.total / 4
			if o.refunds == 3 {
				continue // a fourth would refund the order in full
			}
			o.refunds++
			o.refunded += amount
			topic, body = "cancellations", map[string]any{"kind": "refund", "customer_id": o.customer, "order_id": o.id, "refund_id": fmt.Sprintf("%s-r%d", o.id, o.refunds), "total": money(amount), "currency": "USD"}
		case n < 68:
			o := orders[w.intn(len(orders))]
			if o.cancelled {
				continue
			}
			o.cancelled = true
			topic, body = "cancellations", map[string]any{"kind": "order", "customer_id": o.customer, "order_id": o.id}
		case n < 76:
			friend := fmt.Sprintf("c%d", w.intn(shopCustomers))
			if friend == customer {
				continue
			}
			by, status := customer, "approved"
			if referrers[friend] != "" { // an approved referral is voided, once; nobody else has referred the customer since
				by, status = referrers[friend], "voided"
				if by == voided {
					continue
				}
				referrers[friend] = voided
			} else {
				referrers[friend] = by
			}
			if status == "voided" && w.cfg.Clock == "event" && i%3 == 0 { // mostly dated before the approval: it voids nothing
				stamp = at.AddDate(0, 0, -60).UTC().Format(time.RFC3339Nano)
			}
			topic, body = "referrals", map[string]any{"referral_id": "f" + friend, "referrer_customer_id": by, "referred_customer_id": friend, "status": status}
		case n < 88:
			responses[customer]++
			topic, body = "surveys", map[string]any{"customer_id": customer, "response_id": fmt.Sprintf("%s-s%d", customer, responses[customer]), "survey_type": "nps", "score": w.intn(11)}
		case n < 93 && last != nil:
			batch.flush()
			w.produce(producer, lastTopic, last) // re-sent
			continue
		case n < 96:
			batch.flush()
			w.produce(producer, "purchases", []byte(`{"customer_id": "c1", "order_id": `)) // malformed
			continue
		default:
			topic, body = "purchases", map[string]any{"customer_id": customer, "order_id": "t", "total": 1, "currency": "USD", "test": true}
		}
		body["occurred_at"] = stamp
		body["event_id"] = fmt.Sprintf("e%d", i)
		if reason := cancelReasons()[i%4]; topic == "cancellations" && reason != "" {
			body["cancel_reason"] = reason
		}
		value, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		last, lastTopic = value, topic
		if by, ok := body["referrer_customer_id"].(string); ok && body["status"] == "approved" {
			referralBy[by] = value
		}
		w.mu.Lock()
		open := w.leaveNextOpen
		w.leaveNextOpen = false
		w.mu.Unlock()
		if open {
			aborted, err := json.Marshal(map[string]any{"customer_id": customer, "order_id": fmt.Sprintf("never%d", i), "total": 999, "currency": "USD", "occurred_at": stamp})
			if err != nil {
				panic(err)
			}
			batch.flush()
			w.leaveOpen(topic, aborted, value)
		}
		batch.add(topic, value)
	}
}

// cancelReasons are the codes that the shop states, by the number of the event; empty: none is stated.
func cancelReasons() [4]string { return [4]string{"price", "", "fraud", "customer"} }

// refit appends parameters with another spend model, which changes every value, and with another purchase model in three of four
// worlds under the event clock. Under the live clock the churn thresholds are those of the prior.
func (w *world) refit() {
	v := w.model.parameters()
	if hasSeason(w.seed) {
		v.Season = seasonParameters()
	}
	err := refit.Append(w.ctx, refit.Config{Namespace: w.cfg.Namespace, Genesis: w.genesis, Timeout: 30 * time.Second, Random: w.random}, w.client.Kafka, v)
	if err != nil {
		panic(err) // the shop's requests have no faults
	}
}

// forgets says whether customers of a seed's shop are erased.
func forgets(seed uint64) bool { return seed%5 < 2 }

// forget asks that a customer be forgotten, now and then twice.
func (w *world) forget(producer *kafka.Producer, i int, customer, stamp string) {
	value, err := json.Marshal(map[string]any{"event_id": fmt.Sprintf("x%d", i), "customer_id": customer, "occurred_at": stamp})
	if err != nil {
		panic(err)
	}
	for range 1 + i%2 {
		w.produce(producer, event.Erasure.Descriptor().Topic, value)
	}
}

// newcomer produces the only order of a customer. It is large enough to raise an alert where the base has tiers.
func (w *world) newcomer(producer *kafka.Producer, i int, stamp string) {
	value, err := json.Marshal(map[string]any{
		"event_id": fmt.Sprintf("n%d", i), "customer_id": fmt.Sprintf("n%d", i), "order_id": fmt.Sprintf("n%d", i), "total": money(100_000), "currency": "USD", "occurred_at": stamp,
	})
	if err != nil {
		panic(err)
	}
	w.produce(producer, "purchases", value)
}

func money(minor int64) json.Number { return json.Number(fmt.Sprintf("%d.%02d", minor/100, minor%100)) }

// produce appends a record to a random partition of its topic.
func (w *world) produce(producer *kafka.Producer, topic string, value []byte) {
	if unknown := withUnknownSchema(value); unknown != nil {
		w.append(producer, topic, unknown)
	}
	w.append(producer, topic, withSchema(value))
}

func (w *world) append(producer *kafka.Producer, topic string, value []byte) {
	b := kafka.NewBatch(topic, int32(w.intn(w.cfg.Ledger.Partitions))) //nolint:gosec // small
	b.Append(time.Now().UnixMilli(), nil, value, nil)
	if _, err := producer.Produce(w.ctx, []*kafka.Batch{b}); err != nil {
		panic(err)
	}
}

// leaveOpen appends the record aborted to purchases in a transaction that is aborted after some seconds, and the record value
// after it. Until then the open transaction hides value, so no tick may claim that the partition is read to its end.
func (w *world) leaveOpen(topic string, aborted, value []byte) {
	k := w.clientWithoutEndTxn()
	defer k.Close()
	const id = "the-shop"
	txn, err := k.OpenTransactional(w.ctx, id, 30*time.Second)
	if err != nil {
		panic(err)
	}
	partition := int32(w.intn(w.cfg.Ledger.Partitions)) //nolint:gosec // small
	b := kafka.NewBatch("purchases", partition)
	b.Append(time.Now().UnixMilli(), nil, aborted, nil)
	_ = txn.Publish(w.ctx, kafka.Transaction{Batches: []*kafka.Batch{b}}) // without EndTxn
	producer, err := w.client.Kafka.NewProducer(w.ctx)
	if err != nil {
		panic(err)
	}
	hidden := kafka.NewBatch(topic, partition)
	hidden.Append(time.Now().UnixMilli(), nil, value, nil)
	if _, err := producer.Produce(w.ctx, []*kafka.Batch{hidden}); err != nil {
		panic(err)
	}
	time.Sleep(time.Duration(1+w.intn(6)) * time.Second)
	if _, err := w.client.Kafka.OpenTransactional(w.ctx, id, 30*time.Second); err != nil {
		panic(err) // opening again aborts it
	}
}

// clientWithoutEndTxn is a Kafka client whose transactions are left open.
func (w *world) clientWithoutEndTxn() *kafka.Client {
	k, err := kafka.New(kafka.Config{
		Brokers: w.cfg.Kafka.Brokers, Dial: w.env.DialKafka, Timeout: time.Second,
		Around: func(ctx context.Context, c kafka.Call, do func(context.Context) error) error {
			if c.API == "EndTxn" {
				return errCut
			}
			return do(ctx)
		},
	})
	if err != nil {
		panic(err)
	}
	return k
}

func isNewcomer(customer string) bool { return customer[0] == 'n' }
