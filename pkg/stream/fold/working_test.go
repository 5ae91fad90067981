package fold

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/customer"
)

// fakeStore holds committed state in place of Redis, and counts loads.
type fakeStore struct {
	blobs  map[string][]byte
	timers map[string]int64
	loads  int
}

func (s *fakeStore) Load(ids []string) ([][]byte, error) {
	s.loads++
	blobs := make([][]byte, len(ids))
	for i, id := range ids {
		blobs[i] = s.blobs[id]
	}
	return blobs, nil
}

func (s *fakeStore) Due(now int64, limit int) ([]redis.Timer, error) {
	var due []redis.Timer
	for id, at := range s.timers {
		if at <= now {
			due = append(due, redis.Timer{ID: id, Deadline: at})
		}
	}
	slices.SortFunc(due, func(a, b redis.Timer) int {
		if a.Deadline != b.Deadline {
			return int(a.Deadline - b.Deadline)
		}
		return int(a.ID[0]) - int(b.ID[0])
	})
	return due[:min(limit, len(due))], nil
}

func (s *fakeStore) Classes(first, end, _ uint32) ([][]string, error) {
	return make([][]string, end-first), nil
}

func (s *fakeStore) commit(w *workingSet) {
	blobs, timers := w.changes()
	for _, b := range blobs {
		if b.Removed {
			delete(s.blobs, b.ID)
			delete(s.timers, b.ID)
			continue
		}
		s.blobs[b.ID] = b.Value
	}
	for _, t := range timers {
		if t.Deadline == 0 {
			delete(s.timers, t.ID)
		} else {
			s.timers[t.ID] = t.Deadline
		}
	}
	w.committed()
}

func newFakeStore(limit int64) (*fakeStore, *workingSet) {
	s := &fakeStore{blobs: map[string][]byte{}, timers: map[string]int64{}}
	return s, newWorkingSet(limit, s)
}

func stateWithDeadline(at int64) *customer.State {
	s := customer.New()
	s.Next = at
	return s
}

// Ten times as many customers take no more memory, and none of them is lost.
func TestWorkingSetKeepsToItsLimit(t *testing.T) {
	const limit = 50_000
	peaks := map[int]int64{}
	for _, customers := range []int{1_000, 10_000} {
		s, w := newFakeStore(limit)
		for i := range customers {
			id := fmt.Sprint(i)
			c, err := w.Customer(id)
			require.NoError(t, err)
			require.Nil(t, c)
			w.Put(id, stateWithDeadline(int64(i+1)))
			if i%50 == 49 {
				s.commit(w)
				w.evict()
				require.LessOrEqual(t, w.bytes, int64(limit))
				peaks[customers] = max(peaks[customers], int64(len(w.customers)))
			}
		}
		for i := range customers {
			c, err := w.Customer(fmt.Sprint(i))
			require.NoError(t, err)
			require.Equal(t, int64(i+1), c.Next)
			w.evict()
		}
	}
	require.InDelta(t, peaks[1_000], peaks[10_000], 2)
}

// A customer that changed since the last commit exists nowhere else, so it is never evicted.
func TestChangedCustomersStay(t *testing.T) {
	s, w := newFakeStore(0)
	for i := range 100 {
		_, err := w.Customer(fmt.Sprint(i))
		require.NoError(t, err)
		w.Put(fmt.Sprint(i), stateWithDeadline(1))
	}
	w.evict()
	loads := s.loads
	for i := range 100 {
		c, err := w.Customer(fmt.Sprint(i))
		require.NoError(t, err)
		require.NotNil(t, c)
	}
	require.Equal(t, loads, s.loads)
	s.commit(w)
	w.evict()
	require.Empty(t, w.customers)
}

// Redis holds the deadlines of the last commit; later changes override them.
func TestDueTimersAreOverlaid(t *testing.T) {
	s, w := newFakeStore(1 << 20)
	for id, at := range map[string]int64{"a": 10, "b": 20, "c": 30, "d": 40} {
		w.Put(id, stateWithDeadline(at))
	}
	s.commit(w)
	c, err := w.Customer("a")
	require.NoError(t, err)
	c.Next = 35 // later than in Redis
	w.Put("a", c)
	c, err = w.Customer("b")
	require.NoError(t, err)
	c.Next = 0 // removed
	w.Put("b", c)
	w.Put("e", stateWithDeadline(5)) // not in Redis yet
	due, err := w.Due(38, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"e", "c", "a"}, due)
	due, err = w.Due(38, 2)
	require.NoError(t, err)
	require.Equal(t, []string{"e", "c"}, due)

	s.commit(w)
	require.Equal(t, map[string]int64{"a": 35, "c": 30, "d": 40, "e": 5}, s.timers)
}

// A timer without its customer: Redis has lost a key, so the snapshot cannot be trusted.
func TestTimerWithoutItsCustomerIsTorn(t *testing.T) {
	s, w := newFakeStore(1 << 20)
	s.timers["gone"] = 1
	_, err := w.Due(5, 10)
	require.ErrorIs(t, err, redis.ErrTorn)
}

// A deleted customer is gone for Step at once, in Redis with the next commit, and comes back only as a new one.
func TestDeletedCustomers(t *testing.T) {
	s, w := newFakeStore(1 << 20)
	w.Put("a", stateWithDeadline(1))
	w.Put("b", stateWithDeadline(2))
	s.commit(w)
	w.Put("new", stateWithDeadline(3))
	w.Delete("a")
	w.Delete("new")
	gone := func(id string) {
		state, err := w.Customer(id)
		require.NoError(t, err)
		require.Nil(t, state)
	}
	gone("a")
	gone("new")
	due, err := w.Due(9, 9)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, due)
	ids, err := w.Class(0, 1)
	require.NoError(t, err)
	require.Empty(t, ids, "the fake store has no classes, and the new customer is deleted")
	blobs, timers := w.changes()
	require.Equal(t, []redis.Blob{{ID: "a", Known: true, Removed: true}}, blobs, "nothing of a customer whom Redis never knew")
	require.Empty(t, timers)
	s.commit(w)
	gone("a")
	require.NotContains(t, s.blobs, "a")
	w.Put("a", stateWithDeadline(5))
	blobs, timers = w.changes()
	require.Len(t, blobs, 1)
	require.False(t, blobs[0].Known)
	require.Equal(t, []redis.Timer{{ID: "a", Deadline: 5}}, timers)
	w.Delete("b")
	w.Put("b", stateWithDeadline(2)) // deleted and new between two commits
	blobs, _ = w.changes()
	require.Len(t, blobs, 2)
	require.True(t, blobs[1].Known)
}
