package redis_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/schemas/ledger"
)

func testTimersInOrder(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	now := int64(1<<53 - 10) // a score is a float64
	require.NoError(t, p.Commit(ctx, redis.Commit{CommitID: "c1", Customers: blobs("b", "", "a", "", "z", "", "Z", ""), Timers: []redis.Timer{
		{ID: "b", Deadline: now}, {ID: "a", Deadline: now}, {ID: "Z", Deadline: now - 1}, {ID: "z", Deadline: now + 1},
	}}))
	due, err := p.DueTimers(ctx, now, 10)
	require.NoError(t, err)
	require.Equal(t, []redis.Timer{{ID: "Z", Deadline: now - 1}, {ID: "a", Deadline: now}, {ID: "b", Deadline: now}}, due)
	due, err = p.DueTimers(ctx, now, 2)
	require.NoError(t, err)
	require.Equal(t, []redis.Timer{{ID: "Z", Deadline: now - 1}, {ID: "a", Deadline: now}}, due, "the first by deadline, then id")
	due, err = p.DueTimers(ctx, now+1, 10)
	require.NoError(t, err)
	require.Len(t, due, 4)
	require.NoError(t, p.Commit(ctx, redis.Commit{CommitID: "c2", Timers: []redis.Timer{{ID: "Z"}, {ID: "a", Deadline: now + 5}, {ID: "none"}}}))
	due, err = p.DueTimers(ctx, now+5, 10)
	require.NoError(t, err)
	require.Equal(t, []redis.Timer{{ID: "b", Deadline: now}, {ID: "z", Deadline: now + 1}, {ID: "a", Deadline: now + 5}}, due)
	due, err = p.DueTimers(ctx, now-1, 10)
	require.NoError(t, err)
	require.Empty(t, due)
	_, err = p.DueTimers(ctx, now+5, 10) // a group that was read is known to be without a deadline
	require.NoError(t, err)
	require.NoError(t, p.Commit(ctx, redis.Commit{CommitID: "c3", Timers: []redis.Timer{{ID: "b"}, {ID: "z"}, {ID: "a"}}}))
	due, err = p.DueTimers(ctx, now+5, 10)
	require.NoError(t, err)
	require.Empty(t, due)
}

// A fold's life in miniature: customers come and are removed, timers are set, moved, removed and fired, commits are repeated, owners change,
// and the groups are split many times.
func testTimersAgainstMap(t *testing.T, w world) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(1, 2))
	l := &lossy{call: "commit.exec"}
	p := w.owned(t, func(c *redis.Config) { c.Around = l.around })
	want := make(map[string]int64)
	naive := func(upTo int64, limit int) []redis.Timer {
		var all []redis.Timer
		for id, deadline := range want {
			if deadline <= upTo {
				all = append(all, redis.Timer{ID: id, Deadline: deadline})
			}
		}
		slices.SortFunc(all, func(a, b redis.Timer) int {
			if a.Deadline != b.Deadline {
				return int(a.Deadline - b.Deadline)
			}
			return strings.Compare(a.ID, b.ID)
		})
		return all[:min(limit, len(all))]
	}
	now, known := int64(1000), 0
	all := map[string]bool{}
	for round := range 60 {
		c := redis.Commit{Offset: int64(round), CommitID: fmt.Sprint("c", round)}
		changed := make(map[string]bool)
		change := func(id string) {
			if changed[id] {
				return
			}
			if all[id] && r.IntN(12) == 0 {
				c.Customers = append(c.Customers, redis.Blob{ID: id, Known: true, Removed: true})
				changed[id] = true
				delete(all, id)
				delete(want, id)
				return
			}
			c.Customers = append(c.Customers, redis.Blob{ID: id, Value: []byte("v"), Known: all[id]})
			changed[id], all[id] = true, true
			timer := redis.Timer{ID: id, Deadline: now + 1 + r.Int64N(300)}
			if r.IntN(5) == 0 {
				timer = redis.Timer{ID: id}
				delete(want, id)
			} else {
				want[id] = timer.Deadline
			}
			c.Timers = append(c.Timers, timer)
		}
		now += r.Int64N(60)
		for range r.IntN(3) { // twice without a commit between, and with another now
			upTo, limit := now-r.Int64N(20), 1+r.IntN(50)
			due, err := p.DueTimers(ctx, upTo, limit)
			require.NoError(t, err)
			require.Equal(t, naive(upTo, limit), append([]redis.Timer(nil), due...), "round %d", round)
		}
		due, err := p.DueTimers(ctx, now, 40)
		require.NoError(t, err)
		require.Equal(t, naive(now, 40), append([]redis.Timer(nil), due...), "round %d", round)
		for _, timer := range due {
			if r.IntN(8) > 0 { // some stay due
				change(timer.ID)
			}
		}
		for range r.IntN(30) {
			change(fmt.Sprint("c", r.IntN(known+1)))
		}
		for range r.IntN(100) {
			known++
			change(fmt.Sprint("c", known))
		}
		if round%7 == 3 {
			l.left, l.before = 1, round%2 == 0
			require.ErrorIs(t, p.Commit(ctx, c), redis.ErrUnavailable)
		}
		require.NoError(t, p.Commit(ctx, c))
		if round%11 == 5 {
			_, err := p.Claim(ctx, fmt.Sprint("t", round))
			require.NoError(t, err)
		}
	}
	due, err := p.DueTimers(ctx, now+1000, 1<<20)
	require.NoError(t, err)
	require.Equal(t, naive(now+1000, 1<<20), due)
	require.Greater(t, len(due), 1000)

	scanned := make(map[string]int64)
	require.NoError(t, p.ScanTimers(ctx, func(m redis.Meta, timers []redis.Timer) error {
		require.Equal(t, "c59", m.CommitID)
		for _, timer := range timers {
			require.True(t, all[timer.ID])
			if delete(all, timer.ID); timer.Deadline != 0 {
				scanned[timer.ID] = timer.Deadline
			}
		}
		return nil
	}))
	require.Equal(t, want, scanned)
	require.Empty(t, all, "customers without a deadline are included")
	groups := 0
	for _, key := range w.keys(t) {
		if strings.Contains(key, ":timers:") {
			groups++
		}
	}
	require.Greater(t, groups, known/64, "the groups were split")
}

// However many groups there are against classes, each customer is in its class, once.
func testClasses(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.Empty(t, slices.Concat(read(t, p, 4)...), "nothing was committed")
	random := rand.New(rand.NewPCG(3, 4))
	want := map[string]bool{}
	for round := range 12 {
		c := redis.Commit{Offset: int64(round), CommitID: fmt.Sprint("c", round)}
		for range 10 + 40*round {
			id := fmt.Sprint("c", len(want))
			want[id] = true
			c.Customers = append(c.Customers, redis.Blob{ID: id, Value: []byte("v")})
			c.Timers = append(c.Timers, redis.Timer{ID: id, Deadline: int64(random.IntN(2) * 1000)})
		}
		require.NoError(t, p.Commit(ctx, c))
		for classes := uint32(1); classes <= 512; classes *= 2 {
			seen := map[string]bool{}
			for class, ids := range read(t, p, classes) {
				for _, id := range ids {
					require.False(t, seen[id], "twice")
					seen[id] = true
					require.EqualValues(t, class, ledger.Class(id, classes))
				}
			}
			require.Equal(t, want, seen, "%d classes, round %d", classes, round)
		}
	}
	require.Len(t, read(t, p, 1)[0], len(want))
	_, err := w.partition(t).Claim(ctx, "another")
	require.NoError(t, err)
	_, err = p.CustomersOfClasses(ctx, 0, 1, 1)
	require.ErrorIs(t, err, redis.ErrClaimLost)
}

// read reads all classes, some at a time.
func read(t *testing.T, p *redis.Partition, classes uint32) [][]string {
	var all [][]string
	for first := uint32(0); first < classes; first += 16 {
		some, err := p.CustomersOfClasses(t.Context(), first, min(first+16, classes), classes)
		require.NoError(t, err)
		all = append(all, some...)
	}
	return all
}

func testScanTimers(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	come := func(id string, first, end int) redis.Commit {
		c := redis.Commit{Offset: int64(end), CommitID: id}
		for i := first; i < end; i++ {
			name := fmt.Sprint("c", i)
			c.Customers = append(c.Customers, redis.Blob{ID: name, Value: []byte("v")})
			c.Timers = append(c.Timers, redis.Timer{ID: name, Deadline: int64(i)})
		}
		return c
	}
	require.NoError(t, p.Commit(ctx, come("c1", 0, 1500)))
	reader, seen, batches := w.partition(t), make(map[string]int64), 0
	require.NoError(t, reader.ScanTimers(ctx, func(_ redis.Meta, timers []redis.Timer) error {
		for _, timer := range timers {
			seen[timer.ID] = timer.Deadline
		}
		if batches++; batches > 1 {
			return nil
		}
		return p.Commit(ctx, come("c2", 1500, 4000)) // groups that are still to be scanned are split
	}))
	for i := range 1500 {
		require.Equal(t, int64(i), seen[fmt.Sprint("c", i)])
	}
	require.Greater(t, batches, 2)
	err := reader.ScanTimers(ctx, func(redis.Meta, []redis.Timer) error { return p.BeginSnapshot(ctx, "ledger", "s2", "c3", 1) })
	require.ErrorIs(t, err, redis.ErrSnapshotChanged)
}

func testLargeCommit(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	for round := range 3 {
		c := redis.Commit{Offset: int64(round), CommitID: fmt.Sprint("c", round)}
		for i := range 5000 {
			id := fmt.Sprint("c", i)
			c.Customers = append(c.Customers, redis.Blob{ID: id, Value: fmt.Append(nil, round, strings.Repeat("x", 150)), Known: round > 0})
			c.Timers = append(c.Timers, redis.Timer{ID: id, Deadline: int64(round*5000 + i)})
		}
		require.NoError(t, p.Commit(ctx, c))
	}
	due, err := p.DueTimers(ctx, 10009, 5000)
	require.NoError(t, err)
	require.Len(t, due, 10)
	require.Equal(t, redis.Timer{ID: "c0", Deadline: 10000}, due[0])
}
