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

// groupSize is the average number of customers of a timer group.
//
// All customers are distributed over groups by the hash of their id. A group is a small hash, which Redis packs; it maps each customer to
// its deadline, 0 without one, and also serves to enumerate the customers of a class (classes.go). A sorted set has for each group a
// lower bound of its deadlines. It is a bound and not the minimum, so that a commit, which does not know the other timers of a group,
// can only lower it (ZADD LT). DueTimers reads the groups whose bound has passed, and the next commit raises their bounds to what
// DueTimers has seen.
//
// As the number of customers grows, groups are split one at a time in a fixed order (linear hashing), so that they stay small enough to
// be packed and no commit has to move all timers.
const groupSize = 32

// Timer is the time at which a customer must be evaluated again without an event.
type Timer struct {
	ID       string
	Deadline int64 // Unix ms; 0: none
}

// byDeadline is the order in which timers fire.
func byDeadline(a, b Timer) int {
	return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), cmp.Compare(a.ID, b.ID))
}

// groupOf returns the group of a customer out of n: the lowest bits of its hash, one bit less for a group that is not split yet.
func groupOf(id string, n uint32) uint32 {
	whole := powerOfTwoUpTo(n)
	if g := ledger.Class(id, 2*whole); g < n {
		return g
	}
	return ledger.Class(id, whole)
}

// powerOfTwoUpTo returns the greatest power of two <= n.
func powerOfTwoUpTo(n uint32) uint32 { return uint32(1) << (bits.Len32(n) - 1) }

// splitSource returns the group from which group g was split.
func splitSource(g uint32) uint32 { return g - uint32(1)<<(bits.Len32(g)-1) }

// timerGroup is the content of a group as DueTimers read it.
type timerGroup struct {
	due  []Timer // timers at or before the requested time
	next int64   // the least later deadline; math.MaxInt64: none
}

// DueTimers returns at most limit timers with deadlines at or before upTo (Unix ms), ordered by deadline, then id, as of this claim's last
// commit. The caller overlays its changes since then, so it must request as many more as it has changed. A timer of a customer without
// a blob means that the state is torn.
func (p *Partition) DueTimers(ctx context.Context, upTo int64, limit int) ([]Timer, error) {
	ctx = withCallName(ctx, "due")
	keys := p.keysOf(p.committed.Snapshot)
	var ranged *redis.StringSliceCmd
	err := p.readChecked(ctx, func(tx redis.Pipeliner) {
		ranged = tx.ZRangeByScore(ctx, keys.timers, &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(upTo, 10)})
	})
	if err != nil {
		return nil, wrapClass(err, "look for due timers in %s", p.prefix)
	}
	var due []Timer
	var numbers []uint32
	for _, s := range ranged.Val() {
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil || uint32(n) >= p.committed.groups {
			p.torn = true
			return nil, wrapClass(ErrTorn, "look for due timers in %s: group %q does not exist", p.prefix, s)
		}
		// A group read since the last commit is still valid: the check above has shown that nothing was committed since.
		if seen, ok := p.timerGroups[uint32(n)]; ok && upTo < seen.next {
			due = appendDue(due, seen.due, upTo)
		} else {
			numbers = append(numbers, uint32(n))
		}
	}
	if err := p.readGroups(ctx, keys, numbers, upTo); err != nil {
		return nil, err
	}
	for _, n := range numbers {
		due = appendDue(due, p.timerGroups[n].due, upTo)
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

// readGroups reads groups into p.timerGroups.
func (p *Partition) readGroups(ctx context.Context, keys snapshotKeys, numbers []uint32, upTo int64) error {
	if len(numbers) == 0 {
		return nil
	}
	contents := make([]*redis.MapStringStringCmd, len(numbers))
	err := p.readChecked(ctx, func(tx redis.Pipeliner) {
		for i, n := range numbers {
			contents[i] = tx.HGetAll(ctx, keys.group(n))
		}
	})
	if err != nil {
		return wrapClass(err, "read %d groups of timers in %s", len(numbers), p.prefix)
	}
	if p.timerGroups == nil {
		p.timerGroups = make(map[uint32]timerGroup)
	}
	for i, n := range numbers {
		timers, err := timersOf(contents[i].Val())
		if err != nil {
			p.torn = true
			return wrapClass(err, "read group %d of the timers in %s", n, p.prefix)
		}
		seen := timerGroup{next: math.MaxInt64}
		for _, t := range timers {
			switch {
			case t.Deadline == 0:
			case t.Deadline <= upTo:
				seen.due = append(seen.due, t)
			default:
				seen.next = min(seen.next, t.Deadline)
			}
		}
		p.timerGroups[n] = seen
	}
	return nil
}

func timersOf(contents map[string]string) ([]Timer, error) {
	timers := make([]Timer, 0, len(contents))
	for id, s := range contents {
		deadline, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, ErrTorn // without the value, which belongs to a customer
		}
		timers = append(timers, Timer{ID: id, Deadline: deadline})
	}
	return timers, nil
}

// timerPlan is the changes of a commit to the timer groups.
type timerPlan struct {
	changes      []Timer
	removed      []string // customers whose timers are deleted
	knownGroups  map[uint32]timerGroup
	groups       uint32   // number of groups after the commit
	splitGroups  []uint32 // groups that this commit splits
	groupsBefore uint32   // number of groups before the commit
	unchanged    []Timer  // timers of splitGroups that the commit does not change
}

// planTimers decides the number of groups after a commit, given the approximate number of customers. It at most doubles in one commit, so
// that the work of splitting stays proportional to the size of the commit.
func (p *Partition) planTimers(changes []Timer, removed []string, customers int64) timerPlan {
	want := uint32(min(max(1, customers/groupSize), math.MaxInt32))
	pl := timerPlan{changes: changes, removed: removed, knownGroups: p.timerGroups, groups: want, groupsBefore: p.committed.groups}
	if pl.groupsBefore == 0 { // nothing was committed in this snapshot yet
		pl.groupsBefore = want
		return pl
	}
	pl.groups = min(max(want, pl.groupsBefore), 2*pl.groupsBefore)
	for g := pl.groupsBefore; g < pl.groups; g++ {
		source := g
		for source >= pl.groupsBefore {
			source = splitSource(source)
		}
		pl.splitGroups = append(pl.splitGroups, source)
	}
	slices.Sort(pl.splitGroups)
	pl.splitGroups = slices.Compact(pl.splitGroups)
	return pl
}

// readSplit reads the groups to be split. Meta is watched and only the owner writes timers, so they are unchanged when the commit is
// executed.
func (pl *timerPlan) readSplit(ctx context.Context, tx *redis.Tx, keys snapshotKeys) error {
	if len(pl.splitGroups) == 0 {
		return nil
	}
	contents := make([]*redis.MapStringStringCmd, len(pl.splitGroups))
	_, err := tx.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, g := range pl.splitGroups {
			contents[i] = pipe.HGetAll(ctx, keys.group(g))
		}
		return nil
	})
	if err != nil {
		return err
	}
	changed := pl.changed()
	for _, c := range contents {
		timers, err := timersOf(c.Val())
		if err != nil {
			return err
		}
		for _, t := range timers {
			if !changed[t.ID] {
				pl.unchanged = append(pl.unchanged, t)
			}
		}
	}
	slices.SortFunc(pl.unchanged, byDeadline) // so that the bytes of a commit do not depend on the order of replies
	return nil
}

// changed returns the customers whose timers the commit sets or deletes.
func (pl *timerPlan) changed() map[string]bool {
	all := make(map[string]bool, len(pl.changes)+len(pl.removed))
	for i := range pl.changes {
		all[pl.changes[i].ID] = true
	}
	for _, id := range pl.removed {
		all[id] = true
	}
	return all
}

// groupEdit is the changes of a commit to one group.
type groupEdit struct {
	del   []string // ids
	set   []any    // hset, key, id, deadline, id, deadline ...
	least int64    // the least deadline set; math.MaxInt64: none
}

// write queues the commands. A split group is deleted and rewritten, because Redis never packs a hash again that once was too large.
func (pl *timerPlan) write(ctx context.Context, pipe redis.Pipeliner, keys snapshotKeys) {
	edits := make(map[uint32]*groupEdit, len(pl.changes))
	editOf := func(g uint32) *groupEdit {
		e := edits[g]
		if e == nil {
			e = &groupEdit{least: math.MaxInt64}
			edits[g] = e
		}
		return e
	}
	rewritten := make(map[uint32]bool, 2*len(pl.splitGroups))
	for _, g := range pl.splitGroups {
		rewritten[g] = true
	}
	for g := pl.groupsBefore; g < pl.groups; g++ {
		rewritten[g] = true
	}
	for _, g := range sortedGroups(rewritten) {
		editOf(g)
		pipe.Del(ctx, keys.group(g))
	}
	for _, timers := range [][]Timer{pl.unchanged, pl.changes} {
		for i := range timers {
			t := &timers[i]
			g := groupOf(t.ID, pl.groups)
			e := editOf(g)
			if e.set == nil {
				e.set = append(make([]any, 0, 8), "hset", keys.group(g))
			}
			e.set = append(e.set, t.ID, t.Deadline)
			if t.Deadline != 0 {
				e.least = min(e.least, t.Deadline)
			}
		}
	}
	for _, id := range pl.removed {
		if g := groupOf(id, pl.groups); !rewritten[g] {
			e := editOf(g)
			e.del = append(e.del, id)
		}
	}
	known := pl.bounds(edits, rewritten)
	var lower, exact, none []any
	for _, g := range sortedGroups(edits) {
		e := edits[g]
		if len(e.del) > 0 {
			pipe.HDel(ctx, keys.group(g), e.del...)
		}
		if len(e.set) > 0 {
			_ = pipe.Do(ctx, e.set...)
		}
		if _, ok := known[g]; !ok && e.least < math.MaxInt64 {
			lower = append(lower, e.least, g)
		}
	}
	for _, g := range sortedGroups(known) {
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

// bounds returns the least deadline after the commit of each group whose content is known: the rewritten groups and those that DueTimers has
// read. math.MaxInt64: the group has no deadline.
func (pl *timerPlan) bounds(edits map[uint32]*groupEdit, rewritten map[uint32]bool) map[uint32]int64 {
	known := make(map[uint32]int64, len(rewritten)+len(pl.knownGroups))
	for g := range rewritten {
		known[g] = edits[g].least
	}
	if len(pl.knownGroups) == 0 {
		return known
	}
	changed := pl.changed()
	for g, seen := range pl.knownGroups {
		if rewritten[g] {
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

func sortedGroups[V any](m map[uint32]V) []uint32 {
	order := make([]uint32, 0, len(m))
	for g := range m {
		order = append(order, g)
	}
	slices.Sort(order)
	return order
}
