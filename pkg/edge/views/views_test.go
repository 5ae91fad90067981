package views_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/stream/callmark"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
)

// slow is a population of which a read of all customers takes a while after the customers were seen.
type slow struct {
	*population.Population
}

func (s slow) List(ctx context.Context, q lookup.ListQuery) (*lookup.Listing, error) {
	l, err := s.Population.List(ctx, q)
	time.Sleep(time.Second)
	return l, err
}

// A mark is seen by whoever asks after it was made: a list that was read before, and is kept, is changed; one that is being read is read again.
func TestMarksAreSeenByWhoeverAsksAfterwards(t *testing.T) {
	p, err := population.New("2026-01-01 purchase ada order=1 total=400\n2026-01-01 purchase bob order=2 total=300\n2026-05-04 tick\n")
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		v := views.New(views.Config{Source: slow{p}, Now: time.Now, DoneFor: time.Hour})
		mark := func(id, what string) {
			e, err := v.Marking(p.Mark)(t.Context(), id, callmark.Statement{Mark: what})
			require.NoError(t, err)
			require.True(t, e.Folded)
		}
		listed := func() (ids []string) {
			l, err := v.CallList(t.Context(), 10, false)
			require.NoError(t, err)
			for _, r := range l.Rows {
				ids = append(ids, r.Scores.Customer)
			}
			return ids
		}
		early := make(chan []string, 1)
		go func() { early <- listed() }()
		time.Sleep(time.Second / 2) // it is being read
		mark("ada", callmark.Done)
		require.Equal(t, []string{"bob"}, listed())
		require.Equal(t, []string{"ada", "bob"}, <-early, "who asked before the mark")
		began := time.Now()
		mark("bob", callmark.Done)
		require.Empty(t, listed())
		mark("ada", callmark.Clear)
		require.Equal(t, []string{"ada"}, listed())
		require.Zero(t, time.Since(began), "customers were read again")
		require.Equal(t, int64(2), p.Walks.Load())
	})
}
