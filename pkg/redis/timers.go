package redis

import (
	"cmp"
	"context"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// All customers are spread over groups of about 32, each a small hash that Redis keeps packed: by it a customer's timer is
// found, and the customers of a class (classes.go). One without a deadline stands there with 0. A sorted set knows of each
// group a moment before which none of its timers is due. That moment is a lower bound, not the least deadline: setting a
// timer can only lower it (ZADD LT), so that a commit need not know what else a group holds. Due reads the groups whose bound
// has come, and the commit after it raises their bounds to what Due has seen.
//
// As customers come, groups are split one by one in a fixed order (linear hashing), so that their size stays where packing
// works without ever moving all timers at once.
const groupSize = 32

// Timer is the moment at which a customer's answer changes by itself.
type Timer struct {
	ID       string
	Deadline int64 // Unix ms; 0: the customer has none
}

// byDeadline is the order in which timers fire.
func byDeadline(a, b Timer) int {
	return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), cmp.Compare(a.ID, b.ID))
}

// groupOf places a customer in one of n groups: by as many bits of its hash as n has groups for, and one bit less where the
// group has not been split yet.
func groupOf(id string, n uint32) uint32 {
	whole := wholeOf(n)
	if g := ledger.Class(id, 2*whole); g < n {
		return g
	}
	return ledger.Class(id, whole)
}

// wholeOf is the greatest power of two <= n.
func wholeOf(n uint32) uint32 { return uint32(1) << (bits.Len32(n) - 1) }

// splitFrom returns the group out of which group g is split.
func splitFrom(g uint32) uint32 { return g - uint32(1)<<(bits.Len32(g)-1) }

// group is what Due saw in a group.
type group struct {
	due  []Timer // at or before the moment asked for
	next int64   // the least deadline after it; math.MaxInt64: none
}

// DueTimers returns at most limit timers with deadlines at or before upTo, ordered by deadline, then id, as of this claim's last
// commit. The caller overlays what it has changed since, and so asks for as many more as it has changed. A timer whose
// customer has no blob means that the state is torn.
func (p *Partition) DueTimers(ctx context.Context, upTo int64, limit int) ([]Timer, error) {
	ctx = named(ctx, "due")
	keys := p.keysOf(p.last.Snapshot)
	var ranged *redis.StringSliceCmd
	err := p.checked(ctx, func(tx redis.Pipeliner) {
		ranged = tx.ZRangeByScore(ctx, keys.timers, &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(upTo, 10)})
	})
	if err != nil {
		return nil, failed(err, "look for due timers in %s", p.prefix)
	}
	var due []Timer
	var numbers []uint32
	for _, s := range ranged.Val() {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || uint32(n) >= p.last.groups {
			p.torn = true
			return nil, failed(ErrTorn, "look for due timers in %s: there is no group %q", p.prefix, s)
		}
		// What was read since the last commit still stands: the check just made says that nothing was committed since.
		if seen, ok := p.read[uint32(n)]; ok && upTo < seen.next {
			due = appendDue(due, seen.due, upTo)
		} else {
			numbers = append(numbers, uint32(n))
		}
	}
	if err := p.readGroups(ctx, keys, numbers, upTo); err != nil {
		return nil, err
	}
	for _, n := range numbers {
		due = appendDue(due, p.read[n].due, upTo)
	}
	slices.SortFunc(due, byDeadline)
	return due[:min(limit, len(due))], nil
}

func appendDue(due, of []Timer, upTo int64) []Timer {
	for _, t := range of {
		if t.Deadline <= upTo {
			due = append(due, t)
		}
	}
	return due
}

// readGroups looks into groups and remembers what is due in them.
func (p *Partition) readGroups(ctx context.Context, keys keys, numbers []uint32, upTo int64) error {
	if len(numbers) == 0 {
		return nil
	}
	contents := make([]*redis.MapStringStringCmd, len(numbers))
	err := p.checked(ctx, func(tx redis.Pipeliner) {
		for i, n := range numbers {
			contents[i] = tx.HGetAll(ctx, keys.group(n))
		}
	})
	if err != nil {
		return failed(err, "read %d groups of timers in %s", len(numbers), p.prefix)
	}
	if p.read == nil {
		p.read = make(map[uint32]group)
	}
	for i, n := range numbers {
		timers, err := timersOf(contents[i].Val())
		if err != nil {
			p.torn = true
			return failed(err, "read group %d of the timers in %s", n, p.prefix)
		}
		seen := group{next: math.MaxInt64}
		for _, t := range timers {
			switch {
			case t.Deadline == 0:
			case t.Deadline <= upTo:
				seen.due = append(seen.due, t)
			default:
				seen.next = min(seen.next, t.Deadline)
			}
		}
		p.read[n] = seen
	}
	return nil
}

func timersOf(contents map[string]string) ([]Timer, error) {
	timers := make([]Timer, 0, len(contents))
	for id, s := range contents {
		deadline, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, ErrTorn // the text is not shown: it stands beside a customer's id
		}
		timers = append(timers, Timer{ID: id, Deadline: deadline})
	}
	return timers, nil
}

// plan is what a commit does to the groups.
type plan struct {
	changes []Timer
	read    map[uint32]group
	groups  uint32   // after the commit
	sources []uint32 // groups that are split
	before  uint32   // groups before the commit
	kept    []Timer  // of the sources, without what the commit changes
}

// spread decides over how many groups the timers stand after a commit that leaves about so many customers. They at most
// double in one commit, which keeps the work of a split in proportion to the commit that brought the customers.
func (p *Partition) spread(changes []Timer, customers int64) plan {
	want := uint32(min(max(1, customers/groupSize), math.MaxInt32))
	pl := plan{changes: changes, read: p.read, groups: want, before: p.last.groups}
	if pl.before == 0 { // nothing was ever committed under this snapshot
		pl.before = want
		return pl
	}
	pl.groups = min(max(want, pl.before), 2*pl.before)
	for g := pl.before; g < pl.groups; g++ {
		source := g
		for source >= pl.before {
			source = splitFrom(source)
		}
		pl.sources = append(pl.sources, source)
	}
	slices.Sort(pl.sources)
	pl.sources = slices.Compact(pl.sources)
	return pl
}

// readSplit reads the groups that are to be split. Meta is watched, and nobody else writes timers, so they are still the
// same when the commit is executed.
func (pl *plan) readSplit(ctx context.Context, tx *redis.Tx, keys keys) error {
	if len(pl.sources) == 0 {
		return nil
	}
	contents := make([]*redis.MapStringStringCmd, len(pl.sources))
	_, err := tx.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, g := range pl.sources {
			contents[i] = pipe.HGetAll(ctx, keys.group(g))
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed := make(map[string]bool, len(pl.changes))
	for i := range pl.changes {
		changed[pl.changes[i].ID] = true
	}
	for _, c := range contents {
		timers, err := timersOf(c.Val())
		if err != nil {
			return err
		}
		for _, t := range timers {
			if !changed[t.ID] {
				pl.kept = append(pl.kept, t)
			}
		}
	}
	slices.SortFunc(pl.kept, byDeadline) // so that a commit sends the same bytes whatever order Redis answered in
	return nil
}

// edit is what a commit does to one group.
type edit struct {
	set   []any // the command: hset, key, id, deadline, id, deadline ...
	least int64 // of the deadlines set; math.MaxInt64: none
}

// write queues the changes. A split group is written afresh, because a hash that once outgrew its packing never packs again.
func (pl *plan) write(ctx context.Context, pipe redis.Pipeliner, keys keys) {
	edits := make(map[uint32]*edit, len(pl.changes))
	at := func(g uint32) *edit {
		e := edits[g]
		if e == nil {
			e = &edit{least: math.MaxInt64}
			edits[g] = e
		}
		return e
	}
	afresh := make(map[uint32]bool, 2*len(pl.sources))
	for _, g := range pl.sources {
		afresh[g] = true
	}
	for g := pl.before; g < pl.groups; g++ {
		afresh[g] = true
	}
	for _, g := range sorted(afresh) {
		at(g)
		pipe.Del(ctx, keys.group(g))
	}
	for _, timers := range [][]Timer{pl.kept, pl.changes} {
		for i := range timers {
			t := &timers[i]
			g := groupOf(t.ID, pl.groups)
			e := at(g)
			if e.set == nil {
				e.set = append(make([]any, 0, 8), "hset", keys.group(g))
			}
			e.set = append(e.set, t.ID, t.Deadline)
			if t.Deadline != 0 {
				e.least = min(e.least, t.Deadline)
			}
		}
	}
	known := pl.bounds(edits, afresh)
	var lower, exact, none []any
	for _, g := range sorted(edits) {
		e := edits[g]
		if len(e.set) > 0 {
			_ = pipe.Do(ctx, e.set...)
		}
		if _, ok := known[g]; !ok && e.least < math.MaxInt64 {
			lower = append(lower, e.least, g)
		}
	}
	for _, g := range sorted(known) {
		if bound := known[g]; bound < math.MaxInt64 {
			exact = append(exact, bound, g)
		} else {
			none = append(none, g)
		}
	}
	queue := func(args []any, first ...any) {
		if len(args) > 0 {
			_ = pipe.Do(ctx, append(first, args...)...)
		}
	}
	queue(lower, "zadd", keys.timers, "LT")
	queue(exact, "zadd", keys.timers)
	queue(none, "zrem", keys.timers)
}

// bounds returns the groups of whose contents all is known, each with its least deadline after the commit: those written
// afresh, and those that Due has read. math.MaxInt64: the group is empty.
func (pl *plan) bounds(edits map[uint32]*edit, afresh map[uint32]bool) map[uint32]int64 {
	known := make(map[uint32]int64, len(afresh)+len(pl.read))
	for g := range afresh {
		known[g] = edits[g].least
	}
	if len(pl.read) == 0 {
		return known
	}
	changed := make(map[string]bool, len(pl.changes))
	for i := range pl.changes {
		changed[pl.changes[i].ID] = true
	}
	for g, seen := range pl.read {
		if afresh[g] {
			continue
		}
		bound := seen.next
		if e := edits[g]; e != nil {
			bound = min(bound, e.least)
		}
		for _, t := range seen.due {
			if !changed[t.ID] {
				bound = min(bound, t.Deadline)
			}
		}
		known[g] = bound
	}
	return known
}

func sorted[V any](m map[uint32]V) []uint32 {
	order := make([]uint32, 0, len(m))
	for g := range m {
		order = append(order, g)
	}
	slices.Sort(order)
	return order
}
