package redis_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
)

func testReadAndScan(t *testing.T, w world) {
	ctx := t.Context()
	reader := w.partition(t)
	meta, got, err := reader.ReadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.False(t, meta.Exists)
	require.Equal(t, [][]byte{nil}, got)
	require.NoError(t, reader.ScanCustomers(ctx, func(redis.Meta, []redis.Blob) error { return errDone }), "nothing there")

	p := w.owned(t)
	want := make(map[string]string)
	c := redis.Commit{Offset: 5, CommitID: "c1"}
	for i := range 3000 {
		id := fmt.Sprint("c", i)
		want[id] = fmt.Sprint("v", i, strings.Repeat("-", 100)) // long enough that no server packs the hash
		c.Customers = append(c.Customers, redis.Blob{ID: id, Value: []byte(want[id])})
	}
	require.NoError(t, p.Commit(ctx, c))
	meta, got, err = reader.ReadCustomers(ctx, []string{"c7", "none"})
	require.NoError(t, err)
	require.Equal(t, []any{int64(5), want["c7"], []byte(nil)}, []any{meta.Offset, string(got[0]), got[1]})

	seen, batches := make(map[string]string), 0
	offset := int64(5)
	require.NoError(t, reader.ScanCustomers(ctx, func(m redis.Meta, page []redis.Blob) error {
		require.Equal(t, offset, m.Offset, "each batch has its own offset")
		for _, b := range page {
			seen[b.ID] = string(b.Value)
		}
		batches++
		offset++
		return p.Commit(ctx, redis.Commit{Offset: offset, CommitID: fmt.Sprint("c", offset)})
	}))
	require.Equal(t, want, seen)
	meta, blobs, err := reader.ReadCommit(ctx)
	require.NoError(t, err)
	require.Equal(t, offset, meta.Offset)
	require.Len(t, blobs, len(want))
	for _, b := range blobs {
		require.Equal(t, want[b.ID], string(b.Value))
	}
	err = reader.ScanCustomers(ctx, func(redis.Meta, []redis.Blob) error { return errDone })
	require.ErrorIs(t, err, errDone)
	if batches > 1 { // miniredis hands all over at once
		err = reader.ScanCustomers(ctx, func(redis.Meta, []redis.Blob) error { return p.BeginSnapshot(ctx, "ledger", "s2", "c2", 1) })
		require.ErrorIs(t, err, redis.ErrSnapshotChanged)
	}
}
