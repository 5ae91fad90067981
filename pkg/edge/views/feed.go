package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

// Feed reads alerts as they are published, and remembers the newest ones. It may be used concurrently.
type Feed struct {
	kafka      Reader
	topic      string
	partitions []int32
	now        func() time.Time

	mu      sync.Mutex
	next    map[int32]int64 // offset, by partition; nil: nothing was read yet
	checked time.Time
	failed  error // of the last check
	read    int64 // alerts so far
	newest  []Published
}

// Published is an alert that was raised or cleared.
type Published struct {
	Number int64 `json:"-"` // among those that this process has read, from 1

	Customer      string       `json:"customer_id"`
	Rule          string       `json:"rule"`
	Severity      string       `json:"severity"`
	State         string       `json:"state"` // raised or cleared
	Group         string       `json:"group"` // treated or control; empty: there are no groups
	AsOf          time.Time    `json:"as_of"`
	RaisedAt      time.Time    `json:"raised_at"`
	ClearedReason string       `json:"cleared_reason"`
	ValueAtStake  *json.Number `json:"value_at_stake"`
	Currency      string       `json:"currency"`
	Reasons       []string     `json:"reasons"`
}

// mostRemembered bounds what is remembered, and what is read of each partition at the beginning.
const mostRemembered = 500

// NewFeed returns a feed of a namespace's alerts.
func NewFeed(k Reader, namespace string, partitions int32, now func() time.Time) *Feed {
	f := &Feed{kafka: k, topic: output.Alerts.Name(namespace), now: now}
	for p := range partitions {
		f.partitions = append(f.partitions, p)
	}
	return f
}

// After returns what was published after the alert of a number, the oldest first, at most limit of the newest. While it is called often,
// it asks Kafka once a second.
func (f *Feed) After(ctx context.Context, number int64, limit int) ([]Published, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.checked.IsZero() || f.now().Sub(f.checked) >= checkEvery {
		f.failed = f.readOn(ctx)
		f.checked = f.now()
	}
	if f.failed != nil {
		return nil, fmt.Errorf("read the alerts: %w", f.failed)
	}
	if number > f.read { // of a process before
		number = 0
	}
	from := slices.IndexFunc(f.newest, func(a Published) bool { return a.Number > number })
	if from < 0 {
		return nil, nil
	}
	all := f.newest[from:]
	return slices.Clone(all[max(0, len(all)-limit):]), nil
}

func (f *Feed) readOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaPatience)
	defer cancel()
	bounds, err := f.kafka.ListOffsets(ctx, f.topic, f.partitions)
	if err != nil {
		return err
	}
	if f.next == nil {
		f.next = map[int32]int64{}
		for _, p := range f.partitions {
			f.next[p] = bounds[p].LastStable - mostRemembered
		}
	}
	var fresh []Published
	for _, p := range f.partitions {
		b := bounds[p]
		from := max(b.Start, f.next[p])
		if from > b.LastStable { // another topic of this name
			from = b.Start
		}
		f.next[p], err = f.kafka.ReadCommitted(ctx, f.topic, p, from, b.LastStable, func(r kafka.Record) error {
			a, err := decodeAlert(r.Value)
			if err == nil && a.State != "" {
				fresh = append(fresh, a)
			}
			return err
		})
		if err != nil {
			break
		}
	}
	slices.SortStableFunc(fresh, func(a, b Published) int {
		return cmp.Or(a.AsOf.Compare(b.AsOf), strings.Compare(a.Customer, b.Customer))
	})
	for i := range fresh {
		f.read++
		fresh[i].Number = f.read
	}
	f.newest = append(f.newest, fresh...)
	f.newest = slices.Clone(f.newest[max(0, len(f.newest)-mostRemembered):])
	return err
}

// decodeAlert decodes an output. What is no alert (a tombstone, or the erasure of a customer) has no state.
func decodeAlert(value []byte) (a Published, err error) {
	if value == nil {
		return a, nil
	}
	if err := json.Unmarshal(value, &a); err != nil {
		return a, fmt.Errorf("decode an alert: %w", err)
	}
	return a, nil
}
