package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol/createpartitions"
	"github.com/stretchr/testify/require"
)

func testReadAt(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	topic, id := e.topic(t, c, 1), name("id")
	_, ok, err := c.ReadLast(ctx, topic, 0)
	require.NoError(t, err)
	require.False(t, ok, "empty")
	x := open(t, e, c, id)
	require.NoError(t, x.Publish(ctx, Transaction{Batches: []*Batch{batch(topic, 0, "a", "b", "c")}})) // 0..2, marker 3
	for range 2 {
		many := NewBatch(topic, 0)
		for range 700 {
			many.Append(1, nil, []byte("aborted"), nil)
		}
		a.cut("EndTxn", false)
		require.ErrorIs(t, x.Publish(ctx, Transaction{Batches: []*Batch{many}}), ErrReopen)
		x = open(t, e, c, id)
	}
	for offset, want := range map[int64]string{0: "a", 1: "b", 2: "c", 3: "c", 500: "c", 1_000_000: "c"} {
		r, ok, err := c.ReadAtOrBelow(ctx, topic, 0, offset)
		require.NoError(t, err)
		require.True(t, ok, offset)
		require.Equal(t, want, string(r.Value), offset)
	}
	require.NoError(t, c.DeleteRecords(ctx, topic, 0, 3))
	_, ok, err = c.ReadLast(ctx, topic, 0)
	require.NoError(t, err)
	require.False(t, ok, "only markers and aborted records")
	stop := errors.New("stop")
	require.NoError(t, x.Publish(ctx, Transaction{Batches: []*Batch{batch(topic, 0, "y", "z")}}))
	open(t, e, c, id)
	next, err := c.ReadCommitted(ctx, topic, 0, 3, 1_000_000, func(r Record) error {
		if string(r.Value) == "z" {
			return stop
		}
		return nil
	})
	require.ErrorIs(t, err, stop)
	r, _, err := c.ReadAtOrBelow(ctx, topic, 0, next-1)
	require.NoError(t, err)
	require.Equal(t, "y", string(r.Value))
}

func testCancelled(t *testing.T, e *env) {
	c, _ := e.client(t)
	topic := e.topic(t, c, 1)
	f := c.NewFetcher(FetcherConfig{})
	f.Assign(topic, 0, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := f.Fetch(ctx, time.Hour, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, Retriable(err), "the caller's own doing")
	p, err := c.NewProducer(e.ctx(t))
	require.NoError(t, err)
	_, err = p.Produce(e.ctx(t), []*Batch{batch(topic, 0, "x")})
	require.NoError(t, err)
	got, err := f.Fetch(e.ctx(t), time.Second, 1)
	require.NoError(t, err)
	require.Len(t, got[0].Records, 1)
	c.Close()
	c.Close()
	_, err = f.Fetch(e.ctx(t), time.Second, 1)
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.NewProducer(e.ctx(t))
	require.ErrorIs(t, err, ErrClosed)
	require.False(t, Retriable(err))
}

func testGroups(t *testing.T, e *env) {
	c, a := e.client(t)
	ctx := e.ctx(t)
	in, out, id := e.topic(t, c, 4), e.topic(t, c, 1), name("group")
	first, err := c.NewGroup(GroupConfig{ID: id, Topics: []string{in}})
	require.NoError(t, err)
	defer func() { _ = first.Close(ctx) }() // for when the test fails before
	one, err := first.Next(ctx)
	require.NoError(t, err)
	slices.Sort(one.Assignments[in])
	require.Equal(t, []int32{0, 1, 2, 3}, one.Assignments[in])
	require.NoError(t, one.Heartbeat(ctx))
	require.NoError(t, one.CommitOffsets(ctx, []TopicPartitionOffset{{in, 0, 3, "m"}, {in, 1, 4, ""}}))
	offset, metadata, err := c.CommittedOffset(ctx, id, in, 0)
	require.NoError(t, err)
	require.Equal(t, int64(3), offset)
	require.Equal(t, "m", metadata)
	x := open(t, e, c, name("id"))
	publish := func(x *Transactional, gen *Generation, offset int64) error {
		return x.Publish(ctx, Transaction{
			Batches: []*Batch{batch(out, 0, fmt.Sprint(offset))}, Group: id, Generation: gen.ID, Member: gen.Member, Topic: in, Offset: offset,
		})
	}
	require.NoError(t, publish(x, one, 10))
	members, state, err := c.GroupMembers(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "Stable", state)
	require.Len(t, members, 1)
	require.Equal(t, one.Member, members[0].ID)
	require.Len(t, members[0].Assignments[in], 4)

	// A second member: the first one's generation ends, and two new ones share.
	ended := make(chan error, 1)
	one.Start(func(ctx context.Context) {
		<-ctx.Done()
		ended <- context.Cause(ctx)
	})
	other, _ := e.client(t)
	second, err := other.NewGroup(GroupConfig{ID: id, Topics: []string{in}})
	require.NoError(t, err)
	defer func() { _ = second.Close(ctx) }()
	var two, three *Generation
	var side sync.WaitGroup
	side.Go(func() { two, _ = first.Next(ctx) })
	side.Go(func() { three, _ = second.Next(ctx) })
	require.ErrorIs(t, <-ended, ErrGenerationEnded)
	side.Wait()
	require.NotNil(t, two)
	require.NotNil(t, three)
	require.Len(t, two.Assignments[in], 2)
	require.Len(t, three.Assignments[in], 2)
	require.Greater(t, two.ID, one.ID)

	// What is left of the old generation is refused: here, and at the coordinator.
	require.ErrorIs(t, one.CommitOffsets(ctx, []TopicPartitionOffset{{in, 0, 99, ""}}), ErrFenced)
	require.ErrorIs(t, one.Heartbeat(ctx), ErrFenced)
	require.ErrorIs(t, publish(x, one, 99), ErrFenced)
	late := &Generation{ID: one.ID, Member: one.Member, client: c, inner: one.inner, ctx: t.Context()}
	require.ErrorIs(t, late.CommitOffsets(ctx, []TopicPartitionOffset{{in, 0, 99, ""}}), ErrFenced)
	require.ErrorIs(t, late.Heartbeat(ctx), ErrFenced)
	open(t, e, c, x.writer.txnID)
	offset, _, err = c.CommittedOffset(ctx, id, in, 0)
	require.NoError(t, err)
	require.Equal(t, int64(10), offset)
	require.Equal(t, []string{"10"}, e.all(t, c, out, 0))

	// A function that returns by itself ends the generation for all.
	two.Start(func(context.Context) {})
	<-two.Context().Done()
	four, err := first.Next(ctx)
	require.NoError(t, err)
	require.Positive(t, a.count("JoinGroup"), "memberships are seen by Around")
	require.Positive(t, a.count("Heartbeat"))

	<-three.Context().Done()
	require.NoError(t, second.Close(ctx))
	_, err = second.Next(ctx)
	require.ErrorIs(t, err, ErrClosed)
	<-four.Context().Done()
	five, err := first.Next(ctx)
	require.NoError(t, err)
	require.Len(t, five.Assignments[in], 4)

	// A worker that does not stop cannot hold up Close for longer than its context.
	release := make(chan struct{})
	five.Start(func(context.Context) { <-release })
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, first.Close(short), context.DeadlineExceeded)
	close(release)
	require.NoError(t, first.Close(ctx))
}

func testNewPartitions(t *testing.T, e *env) {
	c, _ := e.client(t)
	ctx := e.ctx(t)
	in := e.topic(t, c, 1)
	g, err := c.NewGroup(GroupConfig{ID: name("group"), Topics: []string{in}, WatchInterval: 200 * time.Millisecond})
	require.NoError(t, err)
	defer func() { require.NoError(t, g.Close(ctx)) }()
	gen, err := g.Next(ctx)
	require.NoError(t, err)
	require.Len(t, gen.Assignments[in], 1)
	growTopic(t, c, in, 3)
	<-gen.Context().Done()
	for len(gen.Assignments[in]) < 3 {
		gen, err = g.Next(ctx)
		require.NoError(t, err)
	}
}

func growTopic(t *testing.T, c *Client, topic string, partitions int32) {
	t.Helper()
	controller, err := c.controller(t.Context())
	require.NoError(t, err)
	res, err := request[*createpartitions.Response](t.Context(), c, Call{API: "CreatePartitions"}, controller, &createpartitions.Request{
		Topics: []createpartitions.RequestTopic{{Name: topic, Count: partitions}}, TimeoutMs: 5000,
	})
	require.NoError(t, err)
	require.Zero(t, res.Results[0].ErrorCode)
}
