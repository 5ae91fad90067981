package faulttest

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/processors"
)

// The shop of a simulated world: few customers, so that much happens to each.
const (
	shopEvents    = 90
	shopCustomers = 9
	newcomers     = 15 // every so many events somebody orders who does so only once
)

type order struct {
	customer string
	id       string
	total    int64
	refunded int64
	refunds  int
	gone     bool
}

// shop emits events of all kinds for about forty seconds, to any partition, some twice, some that nobody can read, and now
// and then in a transaction of its own that is left open for a while.
func (w *world) shop() {
	k := w.outside.Kafka
	producer, err := k.NewProducer(w.ctx)
	if err != nil {
		panic(err)
	}
	begin := time.Now()
	days := 0 // under the event clock the days go by as events do
	var orders []*order
	responses := map[string]int{}
	var last []byte
	var lastTopic string
	referred := map[string]string{} // friends, by whom
	const voided = "-"

	for i := range shopEvents {
		time.Sleep(time.Duration(30+w.intn(400)) * time.Millisecond)
		days += w.intn(5)
		if i == shopEvents/2 {
			w.refit()
		}
		at := time.Now()
		if w.cfg.Clock == "event" {
			at = begin.AddDate(0, 0, days-400).Add(time.Duration(w.intn(86400)) * time.Second)
		}
		stamp := at.UTC().Format(time.RFC3339Nano)
		if i%newcomers == newcomers-1 {
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
				continue // never in full by parts: a fourth would
			}
			o.refunds++
			o.refunded += amount
			topic, body = "cancellations", map[string]any{"kind": "refund", "customer_id": o.customer, "order_id": o.id, "refund_id": fmt.Sprintf("%s-r%d", o.id, o.refunds), "total": money(amount), "currency": "USD"}
		case n < 68:
			o := orders[w.intn(len(orders))]
			if o.gone {
				continue
			}
			o.gone = true
			topic, body = "cancellations", map[string]any{"kind": "order", "customer_id": o.customer, "order_id": o.id}
		case n < 76:
			friend := fmt.Sprintf("c%d", w.intn(shopCustomers))
			if friend == customer {
				continue
			}
			by, status := customer, "approved"
			if referred[friend] != "" { // what was approved is voided, once; nobody else has referred him since
				by, status = referred[friend], "voided"
				if by == voided {
					continue
				}
				referred[friend] = voided
			} else {
				referred[friend] = by
			}
			topic, body = "referrals", map[string]any{"referral_id": "f" + friend, "referrer_customer_id": by, "referred_customer_id": friend, "status": status}
		case n < 88:
			responses[customer]++
			topic, body = "surveys", map[string]any{"customer_id": customer, "response_id": fmt.Sprintf("%s-s%d", customer, responses[customer]), "survey_type": "nps", "score": w.intn(11)}
		case n < 93 && last != nil:
			w.emit(producer, lastTopic, last) // told twice
			continue
		case n < 96:
			w.emit(producer, "purchases", []byte(`{"customer_id": "c1", "order_id": `)) // poison
			continue
		default:
			topic, body = "purchases", map[string]any{"customer_id": customer, "order_id": "t", "total": 1, "currency": "USD", "test": true}
		}
		body["occurred_at"] = stamp
		body["event_id"] = fmt.Sprintf("e%d", i)
		value, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		last, lastTopic = value, topic
		w.mu.Lock()
		open := w.openShop
		w.openShop = false
		w.mu.Unlock()
		if open {
			never, err := json.Marshal(map[string]any{"customer_id": customer, "order_id": fmt.Sprintf("never%d", i), "total": 999, "currency": "USD", "occurred_at": stamp})
			if err != nil {
				panic(err)
			}
			w.leaveOpen("purchases", never, value, topic)
		}
		w.emit(producer, topic, value)
	}
}

// refit puts another model of spending in force, under which every value is another; churn stays what the judge reckons.
func (w *world) refit() {
	v := processors.PriorParameters()
	v.Version, v.Status, v.P, v.Q, v.V = 1, "provisional", 6, 4, 50
	err := refit.Append(w.ctx, refit.Config{Namespace: w.cfg.Namespace, Genesis: w.genesis, Timeout: 30 * time.Second, Random: w.random}, w.outside.Kafka, v)
	if err != nil {
		panic(err) // nothing strikes the shop
	}
}

// newcomer orders once, enough for an alert, had he been anybody before.
func (w *world) newcomer(producer *kafka.Producer, i int, stamp string) {
	value, err := json.Marshal(map[string]any{
		"event_id": fmt.Sprintf("n%d", i), "customer_id": fmt.Sprintf("n%d", i), "order_id": fmt.Sprintf("n%d", i), "total": money(100_000), "currency": "USD", "occurred_at": stamp,
	})
	if err != nil {
		panic(err)
	}
	w.emit(producer, "purchases", value)
}

func isNewcomer(customer string) bool { return customer[0] == 'n' }

func money(minor int64) json.Number { return json.Number(fmt.Sprintf("%d.%02d", minor/100, minor%100)) }

// emit appends a record to any partition of its topic.
func (w *world) emit(producer *kafka.Producer, topic string, value []byte) {
	b := kafka.NewBatch(topic, int32(w.intn(w.cfg.Ledger.Partitions))) //nolint:gosec // small
	b.Append(time.Now().UnixMilli(), nil, value, nil)
	if _, err := producer.Produce(w.ctx, []*kafka.Batch{b}); err != nil {
		panic(err)
	}
}

// leaveOpen appends the record in a transaction that stays open for some seconds and is then aborted: whoever reads the
// partition meanwhile must not take it for silent.
func (w *world) leaveOpen(aborted string, never, value []byte, topic string) {
	k := w.halfHearted()
	defer k.Close()
	const id = "the-shop"
	txn, err := k.OpenTransactional(w.ctx, id, 30*time.Second)
	if err != nil {
		panic(err)
	}
	partition := int32(w.intn(w.cfg.Ledger.Partitions)) //nolint:gosec // small
	b := kafka.NewBatch(aborted, partition)
	b.Append(time.Now().UnixMilli(), nil, never, nil)
	_ = txn.Publish(w.ctx, kafka.Transaction{Batches: []*kafka.Batch{b}}) // its end is cut off
	producer, err := w.outside.Kafka.NewProducer(w.ctx)
	if err != nil {
		panic(err)
	}
	// Behind it lies a record that nobody can see until the transaction has ended.
	behind := kafka.NewBatch(topic, partition)
	behind.Append(time.Now().UnixMilli(), nil, value, nil)
	if _, err := producer.Produce(w.ctx, []*kafka.Batch{behind}); err != nil {
		panic(err)
	}
	time.Sleep(time.Duration(1+w.intn(6)) * time.Second)
	if _, err := w.outside.Kafka.OpenTransactional(w.ctx, id, 30*time.Second); err != nil {
		panic(err) // opening again aborts it
	}
}
