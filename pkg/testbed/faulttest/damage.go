package faulttest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// customersKeys returns the keys in Redis that hold customers.
func (w *world) customersKeys() (keys []string) {
	for _, key := range w.env.Miniredis().Keys() {
		if strings.HasSuffix(key, ":customers") {
			keys = append(keys, key)
		}
	}
	return keys
}

// loseCustomer deletes one customer of each partition from Redis.
func (w *world) loseCustomer() {
	r := w.env.Miniredis()
	for _, key := range w.customersKeys() {
		if ids, err := r.HKeys(key); err == nil && len(ids) > 0 {
			r.HDel(key, ids[w.intn(len(ids))])
		}
	}
}

// damageCustomers gives each customer of a partition the blob of the next one: each decodes, to the state of another customer.
func (w *world) damageCustomers() {
	r := w.env.Miniredis()
	for _, key := range w.customersKeys() {
		ids, err := r.HKeys(key)
		if err != nil || len(ids) < 2 || slices.ContainsFunc(ids[:2], isNewcomer) { // ids are sorted: those of the shop's regulars come first
			continue
		}
		first := r.HGet(key, ids[0])
		for i, id := range ids[1:] {
			r.HSet(key, ids[i], r.HGet(key, id))
		}
		r.HSet(key, ids[len(ids)-1], first)
		w.mu.Lock()
		w.damaged = true
		w.mu.Unlock()
	}
}

// readDamaged makes folds read every regular customer, if some were damaged: damage that no fold reads stays in Redis, harmless, and
// would be found by the final audit.
func (w *world) readDamaged() {
	w.mu.Lock()
	damaged, at, folds := w.damaged, w.shopTime, slices.Clone(w.running["fold"])
	w.mu.Unlock()
	if !damaged {
		return
	}
	for _, p := range folds {
		p.drain() // the next ones have no customers in memory
	}
	time.Sleep(5 * time.Second)
	producer, err := w.client.Kafka.NewProducer(w.ctx)
	if err != nil {
		panic(err)
	}
	for i := range shopCustomers {
		w.produce(producer, "purchases", fmt.Appendf(nil, `{"event_id":"last%d","customer_id":"c%d","order_id":"last%d","total":1,"currency":"USD","occurred_at":%q}`, i, i, i, at))
	}
}
