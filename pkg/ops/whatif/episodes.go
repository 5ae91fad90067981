package whatif

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Counts are alerts that were, or would be, published.
type Counts struct {
	Alerts   int64 `json:"alerts"`
	Followed int64 `json:"followed_for_30_days"`  // of them, those of which the next 30 days are in the ledger
	Returned int64 `json:"bought_within_30_days"` // of these, those whose customer bought again within the 30 days
}

// RuleChange is what becomes of the alerts of a rule. An alert is kept if the episodes of both folds overlap: one that would be
// raised some days later is the same alert.
type RuleChange struct {
	Rule   string `json:"rule"`
	Before Counts `json:"before"`
	After  Counts `json:"after"`
	Kept   int64  `json:"kept"`
	Gained Counts `json:"gained"` // of After, those that are not kept
	Lost   Counts `json:"lost"`   // of Before, likewise
}

// WeekChange is what becomes of the alerts of a rule that were, or would be, raised in a week.
type WeekChange struct {
	Week   string `json:"week"` // its Monday, YYYY-MM-DD
	Rule   string `json:"rule"`
	Before int64  `json:"before"`
	After  int64  `json:"after"`
	Gained int64  `json:"gained"`
	Lost   int64  `json:"lost"`
}

// followedFor is how long it is watched whether a customer with an alert buys again.
const followedFor = int64(30 * 24 * time.Hour / time.Millisecond)

// episodes counts alerts and compares those of both folds. It keeps the episodes that are open, and those that are followed: the number
// of outputs does not matter.
type episodes struct {
	zone   *time.Location
	since  int64
	erased []map[string]int64 // by partition: customers, and the offset of their last erasure

	// Of the entry of the ledger under way.
	pending  []alertChange
	boughtAt int64 // when its customer bought; 0: they did not

	open    map[episodeKey]*[2]*episode
	watches []watch // by partition
	cells   map[cell]*RuleChange
	events  ledger.EventReader
}

type episodeKey struct{ customer, rule string }

// cell is what is counted apart.
type cell struct {
	monday int32 // since 1970-01-01
	rule   string
}

// episode is a published alert.
type episode struct {
	side             side
	customer         string
	cell             cell
	raisedAt         int64
	kept             bool // its class is known: the other fold has it too
	closed           bool // its class is known
	watched          bool // still
	counted          bool
	followed, bought bool
}

// watch is the episodes of a partition that are followed.
type watch struct {
	base     int64      // time of the partition
	queue    []*episode // about in the order in which they were raised
	customer map[string][]*episode
}

// alertChange is the part of an alert output that is read.
type alertChange struct {
	Customer  string    `json:"customer_id"`
	State     string    `json:"state"`
	Rule      string    `json:"rule"`
	RaisedAt  time.Time `json:"raised_at"`
	ClearedAt time.Time `json:"cleared_at"`

	side      side
	partition int32
}

func (c *alertChange) key() episodeKey { return episodeKey{c.Customer, c.Rule} }

// at is the time at which the episode opened or closed.
func (c *alertChange) at() time.Time {
	if c.State == "cleared" {
		return c.ClearedAt
	}
	return c.RaisedAt
}

func newEpisodes(partitions int32, since int64, erased []map[string]int64) *episodes {
	x := &episodes{zone: time.UTC, since: since, erased: erased, open: map[episodeKey]*[2]*episode{}, cells: map[cell]*RuleChange{}}
	for range partitions {
		x.watches = append(x.watches, watch{customer: map[string][]*episode{}})
	}
	return x
}

// read notes the alerts that a fold of an entry calls for, and the purchases of customers who are followed.
func (x *episodes) read(f *foldEvent) error {
	batch := &f.twin.was.Out
	if f.side == would {
		batch = &f.twin.would.Out
	}
	for i := range batch.Records {
		r := &batch.Records[i]
		if r.Topic != output.Alerts || output.Ends(r.Type) || x.isErased(f.twin.number, r.Key, f.twin.offset) {
			continue
		}
		c := alertChange{side: f.side, partition: f.twin.number}
		if err := json.Unmarshal(batch.Value(r), &c); err != nil {
			return fmt.Errorf("decode an alert: %w", err)
		}
		x.pending = append(x.pending, c)
	}
	if f.side == was {
		return x.readPurchase(f)
	}
	return nil
}

// isErased reports whether an entry is from before the erasure of its customer: what the ledger still holds of them is nobody's to read.
func (x *episodes) isErased(partition int32, customer string, offset int64) bool {
	//mutant:whatif-counts-erased replace return false
	return offset < x.erased[partition][customer]
}

func (x *episodes) readPurchase(f *foldEvent) error {
	if f.entry.GetKind() != ledger.Kind_KIND_EVENT || f.verdict.Result != processors.Applied {
		return nil
	}
	e, err := x.events.Read(f.entry.GetPayload())
	if err != nil {
		return fmt.Errorf("decode an event: %w", err)
	}
	if e.Purchase == nil || e.Purchase.GetCancelled() {
		return nil
	}
	x.boughtAt = e.GetOccurredAt()
	return nil
}

// compare compares the alerts of an entry, in the order of their times: within an entry, both folds may open and close the same episode.
func (x *episodes) compare(partition int32, customer string, base int64) {
	slices.SortStableFunc(x.pending, func(a, b alertChange) int { // keeps the order of a fold
		return cmp.Or(cmp.Compare(a.Customer, b.Customer), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.side, b.side))
	})
	for left := x.pending; len(left) > 0; {
		n := slices.IndexFunc(left, func(c alertChange) bool { return c.key() != left[0].key() })
		if n < 0 {
			n = len(left)
		}
		x.merge(left[:n])
		left = left[n:]
	}
	x.pending = x.pending[:0]
	w := &x.watches[partition]
	w.base = base
	// An event of a customer fires their timers first, so an alert may have been raised before the purchase of its entry.
	for _, e := range w.customer[customer] {
		e.bought = e.bought || x.boughtAt > e.raisedAt && x.boughtAt <= e.raisedAt+followedFor
	}
	x.boughtAt = 0
	for len(w.queue) > 0 && w.queue[0].raisedAt+followedFor <= base {
		x.endWatch(w, w.queue[0])
		w.queue = w.queue[1:]
	}
}

// merge applies the changes of one customer and rule in the order of their times: within an entry, both folds may open and close several
// episodes. What one fold clears comes before what the other raises at the same time.
func (x *episodes) merge(changes []alertChange) {
	n := slices.IndexFunc(changes, func(c alertChange) bool { return c.side == would })
	if n < 0 {
		n = len(changes)
	}
	for a, b := changes[:n], changes[n:]; len(a)+len(b) > 0; {
		if len(b) == 0 || len(a) > 0 && !b[0].before(&a[0]) {
			x.apply(&a[0])
			a = a[1:]
		} else {
			x.apply(&b[0])
			b = b[1:]
		}
	}
}

func (c *alertChange) before(o *alertChange) bool {
	order := c.at().Compare(o.at())
	return order < 0 || order == 0 && c.State == "cleared" && o.State != "cleared"
}

func (x *episodes) apply(c *alertChange) {
	key := c.key()
	pair := x.open[key]
	if c.State == "cleared" {
		if pair != nil && pair[c.side] != nil {
			x.close(pair[c.side])
			if pair[c.side] = nil; pair[1-c.side] == nil {
				delete(x.open, key)
			}
		}
		return
	}
	if c.RaisedAt.UnixMilli() < x.since {
		return
	}
	if pair == nil {
		pair = new([2]*episode)
		x.open[key] = pair
	}
	e := &episode{side: c.side, customer: c.Customer, cell: cell{x.monday(c.RaisedAt), c.Rule}, raisedAt: c.RaisedAt.UnixMilli(), watched: true}
	pair[c.side] = e
	if other := pair[1-c.side]; other != nil && !other.kept {
		e.kept, other.kept = true, true
		x.count(other)
	}
	w := &x.watches[c.partition]
	w.queue, w.customer[c.Customer] = append(w.queue, e), append(w.customer[c.Customer], e)
}

func (x *episodes) close(e *episode) {
	e.closed = true
	x.count(e)
}

// endWatch ends the following of an episode.
func (x *episodes) endWatch(w *watch, e *episode) {
	e.watched, e.followed = false, e.raisedAt+followedFor <= w.base
	left := slices.DeleteFunc(w.customer[e.customer], func(other *episode) bool { return other == e })
	if w.customer[e.customer] = left; len(left) == 0 {
		delete(w.customer, e.customer)
	}
	x.count(e)
}

// count counts an episode once all is known of it.
func (x *episodes) count(e *episode) {
	if e.counted || e.watched || !e.kept && !e.closed {
		return
	}
	e.counted = true
	all := x.cells[e.cell]
	if all == nil {
		all = &RuleChange{Rule: e.cell.rule}
		x.cells[e.cell] = all
	}
	side, alone := &all.Before, &all.Lost
	//mutant:whatif-swapped if e.side == was
	if e.side == would {
		side, alone = &all.After, &all.Gained
	}
	side.add(e)
	switch {
	case !e.kept:
		alone.add(e)
	case e.side == was:
		all.Kept++
	}
}

func (c *Counts) add(e *episode) {
	c.Alerts++
	if e.followed {
		c.Followed++
		if e.bought {
			c.Returned++
		}
	}
}

// finish counts what is open or followed at the end.
func (x *episodes) finish() {
	for p := range x.watches {
		w := &x.watches[p]
		for _, e := range w.queue {
			x.endWatch(w, e)
		}
		w.queue = nil
	}
	for _, pair := range x.open {
		for _, e := range pair {
			if e != nil {
				x.close(e)
			}
		}
	}
	x.open = nil
}

// monday returns the first day of the week of a time, in the ledger's time zone.
func (x *episodes) monday(at time.Time) int32 {
	day := dayOf(at.In(x.zone))
	return day - (day+3)%7 // 1970-01-01 was a Thursday
}

const secondsPerDay = 86_400

// dayOf returns the civil day of a time, since 1970-01-01.
func dayOf(at time.Time) int32 {
	y, m, d := at.Date()
	return int32(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / secondsPerDay) //nolint:gosec // good for five million years
}

func dateOf(day int32) string {
	return time.Unix(int64(day)*secondsPerDay, 0).UTC().Format(time.DateOnly)
}

// byRule returns the sums over all weeks, in the order of these rules, then of the others.
func (x *episodes) byRule(order []string) []RuleChange {
	all := make([]RuleChange, 0, len(order))
	for _, name := range order {
		all = append(all, RuleChange{Rule: name})
	}
	for _, c := range x.sorted() {
		i := slices.IndexFunc(all, func(r RuleChange) bool { return r.Rule == c.rule })
		if i < 0 {
			i = len(all)
			all = append(all, RuleChange{Rule: c.rule})
		}
		from := x.cells[c]
		all[i].Before.plus(from.Before)
		all[i].After.plus(from.After)
		all[i].Gained.plus(from.Gained)
		all[i].Lost.plus(from.Lost)
		all[i].Kept += from.Kept
	}
	return all
}

func (c *Counts) plus(o Counts) {
	c.Alerts, c.Followed, c.Returned = c.Alerts+o.Alerts, c.Followed+o.Followed, c.Returned+o.Returned
}

// byWeek returns the weeks in which there is an alert, oldest first.
func (x *episodes) byWeek() []WeekChange {
	all := []WeekChange{}
	for _, c := range x.sorted() {
		n := x.cells[c]
		all = append(all, WeekChange{dateOf(c.monday), c.rule, n.Before.Alerts, n.After.Alerts, n.Gained.Alerts, n.Lost.Alerts})
	}
	return all
}

func (x *episodes) sorted() []cell {
	all := make([]cell, 0, len(x.cells))
	for c := range x.cells {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b cell) int { return cmp.Or(cmp.Compare(a.monday, b.monday), cmp.Compare(a.rule, b.rule)) })
	return all
}
