package fold_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// mapStore holds committed state in maps, in place of Redis.
type mapStore struct {
	blobs     map[string][]byte
	deadlines map[string]int64
}

func (s *mapStore) Load(ids []string) ([][]byte, error) {
	blobs := make([][]byte, len(ids))
	for i, id := range ids {
		blobs[i] = s.blobs[id]
	}
	return blobs, nil
}

func (s *mapStore) Due(now int64, limit int) ([]redis.Timer, error) {
	var due []redis.Timer
	for id, at := range s.deadlines {
		if at != 0 && at <= now {
			due = append(due, redis.Timer{ID: id, Deadline: at})
		}
	}
	slices.SortFunc(due, func(a, b redis.Timer) int {
		return cmp.Or(cmp.Compare(a.Deadline, b.Deadline), cmp.Compare(a.ID, b.ID))
	})
	return due[:min(limit, len(due))], nil
}

func (s *mapStore) Classes(first, end, classes uint32) ([][]string, error) {
	found := make([][]string, end-first)
	for id := range s.deadlines {
		if c := ledger.Class(id, classes); c >= first && c < end {
			found[c-first] = append(found[c-first], id)
		}
	}
	return found, nil
}

// TestACustomerWithoutAStateIsTorn: Redis has lost the state of a customer that is in a group and has no blob, so the snapshot cannot
// be trusted.
func TestACustomerWithoutAStateIsTorn(t *testing.T) {
	set := fold.NewWorkingSet(0, &mapStore{map[string][]byte{}, map[string]int64{"c": 5}})
	_, err := set.Class(0, 1)
	require.ErrorIs(t, err, redis.ErrTorn)
}

// TestWorkingSetAgainstMemory: across changes of customers, commits and evictions, the working set returns the same as a MemStore,
// which holds everything.
func TestWorkingSetAgainstMemory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stored := &mapStore{map[string][]byte{}, map[string]int64{}}
		set, memory := fold.NewWorkingSet(int64(rapid.IntRange(0, 40_000).Draw(t, "bytes")), stored), memstore.New()
		put := func(id string) {
			s, err := set.Customer(id)
			require.NoError(t, err)
			known, err := memory.Customer(id)
			require.NoError(t, err)
			require.Equal(t, known == nil, s == nil)
			if s == nil {
				s = customer.New()
			}
			s.Sequence++
			s.Next = rapid.Int64Range(0, 9).Draw(t, "deadline")
			set.Put(id, s)
			copied := *s
			memory.Put(id, &copied)
		}
		class := func(c, classes uint32) {
			got, err := set.Class(c, classes)
			require.NoError(t, err)
			want, err := memory.Class(c, classes)
			require.NoError(t, err)
			require.Equal(t, append([]string{}, want...), append([]string{}, got...))
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0, 1, 2:
				for range rapid.IntRange(1, 20).Draw(t, "customers") {
					put(fmt.Sprint("c", rapid.IntRange(0, 300).Draw(t, "id")))
				}
			case 3:
				blobs, timers := set.Changes()
				for _, b := range blobs {
					stored.blobs[b.ID] = b.Value
				}
				for _, timer := range timers {
					stored.deadlines[timer.ID] = timer.Deadline
				}
				require.Len(t, stored.deadlines, len(stored.blobs), "every customer is in a group")
				set.Committed()
			case 4:
				now, limit := rapid.Int64Range(0, 9).Draw(t, "now"), rapid.IntRange(1, 40).Draw(t, "limit")
				got, err := set.Due(now, limit)
				require.NoError(t, err)
				want, err := memory.Due(now, limit)
				require.NoError(t, err)
				require.Equal(t, want, got)
			case 5:
				classes := uint32(1) << rapid.IntRange(0, 7).Draw(t, "classes")
				first := rapid.Uint32Range(0, classes-1).Draw(t, "class")
				for c := first; c < min(classes, first+20); c++ {
					class(c, classes)
				}
			}
		}
	})
}
