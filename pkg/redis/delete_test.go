package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
)

// metaKey returns the key of the only partition's meta.
func metaKey(t *testing.T, w world) string {
	t.Helper()
	for _, key := range w.keys(t) {
		if strings.HasSuffix(key, ":meta") {
			return key
		}
	}
	require.FailNow(t, "no meta")
	return ""
}

// keysWith returns the keys that contain a text.
func (w world) keysWith(t *testing.T, text string) (keys []string) {
	t.Helper()
	for _, key := range w.keys(t) {
		if strings.Contains(key, text) {
			keys = append(keys, key)
		}
	}
	return keys
}

// A new snapshot does not need room beside the former one: that is deleted first.
func testFormerSnapshotGoesFirst(t *testing.T, w world) {
	ctx := t.Context()
	var writes []string
	record := func(ctx context.Context, call string, do func(context.Context) error) error {
		if call == "begin.exec" {
			writes = append(writes, strings.Join(w.keysWith(t, ":s1:"), " "))
		}
		return do(ctx)
	}
	p := w.owned(t, func(c *redis.Config) { c.Around = record })
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}))
	require.Len(t, w.keysWith(t, ":s1:"), 3)
	writes = nil
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c2", 1))
	require.Len(t, writes, 2)
	require.Empty(t, writes[1], "nothing of the former snapshot is left when the new one is written")
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c3", Customers: blobs("x", "1")}))

	// Between the two, meta names no snapshot, so that nobody reads one without its keys.
	failing := errors.New("injected")
	p = w.partition(t, func(c *redis.Config) {
		calls := 0
		c.Around = func(ctx context.Context, call string, do func(context.Context) error) error {
			if call == "begin.exec" {
				if calls++; calls == 2 {
					return failing
				}
			}
			return do(ctx)
		}
	})
	_, err := p.Claim(ctx, "b")
	require.NoError(t, err)
	require.ErrorIs(t, p.BeginSnapshot(ctx, "ledger", "s3", "c4", 1), failing)
	meta, err := p.Claim(ctx, "c")
	require.NoError(t, err)
	require.False(t, meta.Exists)
	require.Empty(t, w.keysWith(t, ":s2:"))
}

// full makes the server refuse the writes of calls with a name, as a full Redis does, until something is deleted.
func full(call string, left func() bool) func(*redis.Config) {
	return func(c *redis.Config) {
		c.Around = func(ctx context.Context, name string, do func(context.Context) error) error {
			if name == call && left() {
				return redis.ErrFull
			}
			return do(ctx)
		}
	}
}

// A full Redis refuses the token of a claim. What nothing will read again is deleted, and only that.
func testClaimMakesRoom(t *testing.T, w world) {
	ctx := t.Context()
	commit := redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}
	{ // nothing to delete
		p := w.owned(t, full("claim.exec", func() bool { return len(w.keysWith(t, ":s1:")) > 0 }))
		require.NoError(t, p.Commit(ctx, commit))
		_, err := p.Claim(ctx, "b")
		require.ErrorIs(t, err, redis.ErrFull)
		require.ErrorIs(t, err, redis.ErrUnavailable)
		require.Len(t, w.keysWith(t, ":s1:"), 3)
	}
	{ // keys of a snapshot that no meta names
		w.empty(t)
		p := w.owned(t, full("claim.exec", func() bool { return len(w.keysWith(t, ":s0:")) > 0 }))
		require.NoError(t, p.Commit(ctx, commit))
		w.outside(t, "HSET", strings.Replace(metaKey(t, w), "meta", "s0:customers", 1), "y", "of a snapshot that no meta names")
		meta, err := p.Claim(ctx, "b")
		require.NoError(t, err)
		require.Equal(t, []any{"s1", int64(1)}, []any{meta.Snapshot, meta.Offset})
		got, err := p.LoadCustomers(ctx, []string{"x"})
		require.NoError(t, err)
		require.Equal(t, []string{"1"}, texts(got))
	}
	for name, makeTorn := range map[string]func(p *redis.Partition){
		"a torn snapshot": func(p *redis.Partition) {
			w.outside(t, "HSET", w.keysWith(t, ":customers")[0], "x", "damaged")
			_, err := p.LoadCustomers(ctx, []string{"x"})
			require.ErrorIs(t, err, redis.ErrTorn)
		},
		"a snapshot that the caller cannot use": func(p *redis.Partition) { p.MarkTorn() },
		"torn meta":                             func(*redis.Partition) { w.outside(t, "HSET", metaKey(t, w), "offset", "many") },
	} {
		w.empty(t)
		p := w.owned(t, full("claim.exec", func() bool { return len(w.keysWith(t, ":s1:")) > 0 }))
		require.NoError(t, p.Commit(ctx, commit), name)
		makeTorn(p)
		meta, err := p.Claim(ctx, "b")
		require.NoError(t, err, name)
		require.False(t, meta.Exists, name)
		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c2", 1), name)
	}
}

// What was lost or damaged in Redis is never taken for a customer's state, nor for a customer without one.
func testDamagedCustomers(t *testing.T, w world) {
	ctx := t.Context()
	begun := func(customers []redis.Blob) (*redis.Partition, error) {
		w.empty(t)
		p := w.partition(t)
		claimed(t, p, "a")
		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s1", "c0", 1))
		return p, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: customers})
	}
	three := blobs("x", "1", "y", "2", "v", "3")
	for name, damage := range map[string]func(key string){
		"a blob is cut short":        func(key string) { w.outside(t, "HSET", key, "x", "1") },
		"a blob is changed":          func(key string) { w.outside(t, "HSET", key, "x", "2....") },
		"a blob of another customer": func(key string) { w.swap(t, key, "x", "y") },
		"a customer is lost":         func(key string) { w.outside(t, "HDEL", key, "x") },
		"all customers are lost":     func(key string) { w.outside(t, "DEL", key) },
		"a customer is added":        func(key string) { w.outside(t, "HSET", key, "z", "1") },
	} {
		p, err := begun(three)
		require.NoError(t, err, name)
		damage(w.keysWith(t, ":customers")[0])
		_, err = p.LoadCustomers(ctx, []string{"v", "x"})
		require.ErrorIs(t, err, redis.ErrTorn, name)
		_, err = p.LoadCustomers(ctx, []string{"v"})
		require.ErrorIs(t, err, redis.ErrTorn, "%s: nothing of it is read any more", name)
		require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: known("v", "4")}), redis.ErrTorn, name)
		if strings.HasPrefix(name, "a blob") {
			reader := w.partition(t)
			_, _, err = reader.ReadCustomers(ctx, []string{"x"})
			require.ErrorIs(t, err, redis.ErrTorn, name)
			require.ErrorIs(t, reader.ScanCustomers(ctx, func(redis.Meta, []redis.Blob) error { return nil }), redis.ErrTorn, name)
			require.NoError(t, reader.AuditCustomers(ctx, func(_ redis.Meta, blobs []redis.Blob) error {
				for _, b := range blobs {
					require.Equal(t, b.ID == "v" || b.ID == "y" && !strings.Contains(name, "another"), b.Value != nil, "%s: %s", name, b.ID)
				}
				return nil
			}), name)
		}
		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c3", 1), name)
		require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c4", Customers: blobs("x", "1")}), name)
	}

	p, err := begun(three)
	require.NoError(t, err)
	w.outside(t, "HDEL", w.keysWith(t, ":customers")[0], "x")
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: known("y", "4")}), redis.ErrTorn, "noticed by a commit")
	_, err = begun(known("x", "1"))
	require.ErrorIs(t, err, redis.ErrTorn, "a known customer that is not there")
}

func testSweep(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}))
	before := len(w.keys(t))
	w.outside(t, "SET", "test:{other}:s1:customers", "somebody else's")
	w.spoil(t, metaKey(t, w)) // without meta, nothing names the keys of s1
	_, err := p.Claim(ctx, "b")
	require.NoError(t, err)
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c2", 1))
	require.NoError(t, p.Commit(ctx, redis.Commit{CommitID: "c3", Customers: blobs("x", "2"), Timers: []redis.Timer{{ID: "x", Deadline: 2}}}))
	removed := 0
	for done := false; !done; {
		n, d, err := p.SweepSnapshots(ctx)
		require.NoError(t, err)
		removed, done = removed+n, d
	}
	require.Equal(t, before-1, removed, "all but meta")
	require.Len(t, w.keys(t), before+1)
	for _, key := range w.keys(t) {
		require.True(t, strings.Contains(key, "{other}") || !strings.Contains(key, "}:s1:"), key)
	}
	got, err := p.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, texts(got))
}

func testSweepByFormerOwner(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	q := w.partition(t)
	_, err := q.Claim(ctx, "b")
	require.NoError(t, err)
	require.NoError(t, q.BeginSnapshot(ctx, "ledger", "s2", "c2", 1))
	require.NoError(t, q.Commit(ctx, redis.Commit{CommitID: "c3", Customers: blobs("x", "2")}))
	_, _, err = p.SweepSnapshots(ctx)
	require.ErrorIs(t, err, redis.ErrClaimLost)
	got, err := q.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, texts(got))
}
