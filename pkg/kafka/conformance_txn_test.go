package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testTransaction(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	in, out, other, group, id := e.topic(t, c, 1), e.topic(t, c, 4), e.topic(t, c, 4), name("group"), name("id")
	offset, _, err := c.CommittedOffset(ctx, group, in, 0)
	require.NoError(t, err)
	require.Equal(t, int64(-1), offset)

	x := open(t, e, c, id)
	asked := 0
	for n := range 10 {
		var batches []*Batch
		for part := range int32(4) {
			batches = append(batches, batch(out, part, fmt.Sprint(n)), batch(other, part, fmt.Sprint(n)), batch(out, part, fmt.Sprint(n, "b")))
		}
		require.NoError(t, x.Publish(ctx, Transaction{
			Batches: batches, Group: group, Topic: in, Partition: 0, Offset: int64(n + 1), Metadata: fmt.Sprint("meta ", n),
		}))
		if n == 0 {
			asked = a.count("FindCoordinator")
		}
	}
	require.Equal(t, asked, a.count("FindCoordinator"), "coordinators are remembered")
	x = open(t, e, c, id)
	offset, metadata, err := c.CommittedOffset(ctx, group, in, 0)
	require.NoError(t, err)
	require.Equal(t, int64(10), offset)
	require.Equal(t, "meta 9", metadata)
	for part := range int32(4) {
		require.Len(t, e.all(t, c, out, part), 20)
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, e.all(t, c, other, part))
	}
	require.NoError(t, x.Publish(ctx, Transaction{}), "nothing at all")
}

func testOffsetsOnly(t *testing.T, e *env) {
	c, a := e.client(t)
	in, group, id := e.topic(t, c, 1), name("group"), name("id")
	x := open(t, e, c, id)
	require.NoError(t, x.Publish(e.ctx(t), Transaction{Batches: []*Batch{NewBatch(in, 0)}, Group: group, Topic: in, Offset: 7}))
	require.Zero(t, a.count("AddPartitionsToTxn"))
	open(t, e, c, id)
	offset, _, err := c.CommittedOffset(e.ctx(t), group, in, 0)
	require.NoError(t, err)
	require.Equal(t, int64(7), offset)
	all, err := c.CommittedOffsets(e.ctx(t), group, in, []int32{0})
	require.NoError(t, err)
	require.Equal(t, []TopicPartitionOffset{{in, 0, 7, ""}}, all)
}

func testAborted(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	out, id := e.topic(t, c, 1), name("id")
	x := open(t, e, c, id)
	require.NoError(t, x.Publish(ctx, Transaction{Batches: []*Batch{batch(out, 0, "committed")}}))
	for range 3 {
		a.cut("EndTxn", false)
		err := x.Publish(ctx, Transaction{Batches: []*Batch{batch(out, 0, "aborted", "aborted")}})
		require.ErrorIs(t, err, ErrReopen)
		require.ErrorIs(t, err, errInjected)
		require.NotErrorIs(t, err, ErrFenced)
		require.ErrorIs(t, x.Publish(ctx, Transaction{}), ErrReopen, "dead")
		// Open: the last stable offset does not advance, and no record after it is returned.
		ends, err := c.ListOffsets(ctx, out, []int32{0})
		require.NoError(t, err)
		require.Less(t, ends[0].LastStable, ends[0].HighWatermark)
		next, err := c.ReadCommitted(ctx, out, 0, ends[0].LastStable, ends[0].HighWatermark, func(Record) error { return errInjected })
		require.NoError(t, err)
		require.Equal(t, ends[0].LastStable, next)
		x = open(t, e, c, id)
	}
	require.Equal(t, []string{"committed"}, e.all(t, c, out, 0))
	r, ok, err := c.ReadLast(ctx, out, 0)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "committed", string(r.Value), "walked back over aborted records and markers")
	require.Zero(t, r.Offset)
}

func testZombie(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	in, out, group, id := e.topic(t, c, 1), e.topic(t, c, 2), name("group"), name("id")
	publish := func(x *Transactional, what string, offset int64) error {
		return x.Publish(ctx, Transaction{Batches: []*Batch{batch(out, 0, what), batch(out, 1, what)}, Group: group, Topic: in, Offset: offset})
	}
	first := open(t, e, c, id)
	require.NoError(t, publish(first, "first", 1))

	// Between two calls of one transaction, at each of them, the next owner takes over.
	for i, api := range []string{"AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn"} {
		other, _ := e.client(t)
		var next *Transactional
		var once sync.Once
		a.set(func(ctx context.Context, c Call, do func(context.Context) error) error {
			if c.API == api {
				once.Do(func() { next = open(t, e, other, id) })
			}
			return do(ctx)
		})
		err := publish(first, "zombie", 100)
		a.set(nil)
		require.Error(t, err, api)
		require.True(t, errors.Is(err, ErrFenced) || errors.Is(err, ErrReopen), "%s: %v", api, err)
		t.Logf("taken over at %s: %v", api, err)
		if api != "Produce" { // a race may return error 48 to Produce, which does not mean fenced
			require.ErrorIs(t, err, ErrFenced, api)
		}
		require.NoError(t, publish(next, fmt.Sprint("owner ", i), int64(i+2)), api)
		first = open(t, e, c, id)
		offset, _, err := c.CommittedOffset(ctx, group, in, 0)
		require.NoError(t, err)
		require.Equal(t, int64(i+2), offset)
	}
	require.Equal(t, []string{"first", "owner 0", "owner 1", "owner 2", "owner 3", "owner 4"}, e.all(t, c, out, 0))
	require.Equal(t, []string{"first", "owner 0", "owner 1", "owner 2", "owner 3", "owner 4"}, e.all(t, c, out, 1))
}

func testLostAnswers(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	in, out, group, id := e.topic(t, c, 1), e.topic(t, c, 1), name("group"), name("id")
	x := open(t, e, c, id)
	var want []string
	at := int64(0)
	for _, api := range []string{"AddPartitionsToTxn", "Produce", "AddOffsetsToTxn", "TxnOffsetCommit", "EndTxn"} {
		for _, after := range []bool{false, true} {
			value := fmt.Sprint(api, after)
			publish := func() error {
				return x.Publish(ctx, Transaction{Batches: []*Batch{batch(out, 0, value)}, Group: group, Topic: in, Offset: at + 1})
			}
			a.cut(api, after)
			require.ErrorIs(t, publish(), ErrReopen)
			a.set(nil)
			x = open(t, e, c, id)
			offset, _, err := c.CommittedOffset(ctx, group, in, 0)
			require.NoError(t, err)
			if api == "EndTxn" && after { // it was committed all the same
				require.Equal(t, at+1, offset)
			} else {
				require.Equal(t, at, max(0, offset), value)
				require.NoError(t, publish())
			}
			at++
			want = append(want, value)
		}
	}
	open(t, e, c, id)
	require.Equal(t, want, e.all(t, c, out, 0))
}

// testTorture cuts and delays calls at random, delivers some late, and counts at the end.
func testTorture(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	in, out, group, id := e.topic(t, c, 1), e.topic(t, c, 3), name("group"), name("id")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	var mu sync.Mutex
	var late sync.WaitGroup
	calm := atomic.Bool{}
	a.set(func(ctx context.Context, c Call, do func(context.Context) error) error {
		mu.Lock()
		dice, delay := rng.IntN(60), time.Duration(rng.IntN(20))*time.Millisecond
		mu.Unlock()
		if calm.Load() || c.TxnID == "" {
			return do(ctx)
		}
		switch dice {
		case 0:
			return errInjected
		case 1:
			return errors.Join(do(ctx), errInjected)
		case 2: // it arrives when nobody reckons with it any more
			late.Go(func() {
				time.Sleep(delay)
				_ = do(context.WithoutCancel(ctx))
			})
			return errInjected
		default:
			return do(ctx)
		}
	})
	const last = 150
	var x *Transactional
	var err error
	reopened := 0
	for at := int64(0); at < last; {
		if x == nil {
			reopened++
			if x, err = c.OpenTransactional(ctx, id, 10*time.Second); err != nil {
				require.NoError(t, ctx.Err())
				x = nil
				continue
			}
			calm.Store(true)
			at, _, err = c.CommittedOffset(ctx, group, in, 0)
			calm.Store(false)
			require.NoError(t, err)
			at = max(at, 0)
			continue
		}
		var batches []*Batch
		for part := range int32(3) {
			batches = append(batches, batch(out, part, strconv.FormatInt(at, 10)))
		}
		if err := x.Publish(ctx, Transaction{Batches: batches, Group: group, Topic: in, Offset: at + 1}); err != nil {
			require.True(t, errors.Is(err, ErrReopen) || errors.Is(err, ErrFenced), err)
			x = nil
			continue
		}
		at++
	}
	late.Wait()
	calm.Store(true)
	open(t, e, c, id)
	t.Logf("%d transactions, opened %d times", last, reopened)
	for part := range int32(3) {
		values := e.all(t, c, out, part)
		require.Len(t, values, last)
		for i, v := range values {
			require.Equal(t, strconv.Itoa(i), v)
		}
	}
}

func testUnansweredProduce(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	topic := e.topic(t, c, 1)
	p, err := c.NewProducer(ctx)
	require.NoError(t, err)
	b := batch(topic, 0, "perhaps")
	a.cut("Produce", true)
	_, err = p.Produce(ctx, []*Batch{b})
	require.ErrorIs(t, err, ErrReopen)
	require.True(t, Retriable(err))
	_, err = p.Produce(ctx, []*Batch{b})
	require.ErrorIs(t, err, ErrReopen, "dead")
	require.Equal(t, []string{"perhaps"}, e.all(t, c, topic, 0))
	p, err = c.NewProducer(ctx)
	require.NoError(t, err)
	acks, err := p.Produce(ctx, []*Batch{b})
	require.NoError(t, err)
	require.Equal(t, int64(1), acks[0].BaseOffset, "a new producer is nobody the broker knows")
}
