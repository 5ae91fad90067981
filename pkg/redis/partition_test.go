package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
)

// world is a Redis that the suite can treat badly.
type world struct {
	config  redis.Config
	copy    func(*testing.T) func() // takes a copy of everything; the function puts it back
	empty   func(*testing.T)
	keys    func(*testing.T) []string
	spoil   func(t *testing.T, key string) // replaces a key by one of another type
	outside func(t *testing.T, command ...string)
	swap    func(t *testing.T, key, first, second string) // the values of two fields of a hash
}

// conformance is what any Redis must show; each part gets an empty one.
func conformance(t *testing.T, run func(t *testing.T, part func(*testing.T, world))) {
	for _, part := range []struct {
		name string
		test func(*testing.T, world)
	}{
		{"commits and loads", testCommitsAndLoads},
		{"the token is stolen between two reads", testTokenStolen},
		{"two owners", testTwoOwners},
		{"Redis goes back between two reads", testGoesBack},
		{"Redis is emptied", testEmptied},
		{"an older copy is folded on from", testOlderCopy},
		{"the answer to a commit is lost", testLostAnswer},
		{"a commit never arrives", testNeverArrived},
		{"meta changes after the check", testChangedAfterCheck},
		{"wrong type in the middle of EXEC", testWrongType},
		{"wrong type at meta", testWrongTypeAtMeta},
		{"timers in order", testTimersInOrder},
		{"timers as in a naive map", testTimersAgainstMap},
		{"another snapshot", testSnapshots},
		{"customers damaged or lost", testDamagedCustomers},
		{"the former snapshot goes first", testFormerSnapshotGoesFirst},
		{"a claim makes room", testClaimMakesRoom},
		{"sweep", testSweep},
		{"a former owner does not sweep", testSweepByFormerOwner},
		{"read, scan", testReadAndScan},
		{"scan timers during a live fold", testScanTimers},
		{"classes of customers", testClasses},
		{"large commit", testLargeCommit},
	} {
		t.Run(part.name, func(t *testing.T) { run(t, part.test) })
	}
}

const namespace = "test"

func (w world) partition(t *testing.T, edit ...func(*redis.Config)) *redis.Partition {
	t.Helper()
	config := w.config
	for _, e := range edit {
		e(&config)
	}
	client, err := redis.New(config)
	require.NoError(t, err)
	t.Cleanup(func() { closed(t, client) })
	return client.Partition(namespace, 3, 8)
}

// owned returns a partition that was claimed under token a and begun under snapshot s1.
func (w world) owned(t *testing.T, edit ...func(*redis.Config)) *redis.Partition {
	t.Helper()
	p := w.partition(t, edit...)
	_, err := p.Claim(t.Context(), "a")
	require.NoError(t, err)
	require.NoError(t, p.BeginSnapshot(t.Context(), "ledger", "s1", "begin", 1))
	return p
}

func blobs(pairs ...string) (out []redis.Blob) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, redis.Blob{ID: pairs[i], Value: []byte(pairs[i+1])})
	}
	return out
}

// known is blobs of customers that the snapshot holds already.
func known(pairs ...string) []redis.Blob {
	all := blobs(pairs...)
	for i := range all {
		all[i].Known = true
	}
	return all
}

func texts(blobs [][]byte) (out []string) {
	for _, b := range blobs {
		out = append(out, string(b))
	}
	return out
}

func testCommitsAndLoads(t *testing.T, w world) {
	ctx := t.Context()
	p := w.partition(t)
	meta, err := p.Claim(ctx, "a")
	require.NoError(t, err)
	require.Equal(t, redis.Meta{}, meta)
	_, err = p.LoadCustomers(ctx, []string{"x"})
	require.ErrorIs(t, err, redis.ErrClaimLost, "nothing is begun")
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{CommitID: "1"}), redis.ErrClaimLost)

	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s1", "c0", 7))
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s1", "c0", 7), "a repeat changes nothing")
	odd := "\x00\xff\r\n"
	commit := redis.Commit{
		Offset: 10, State: []byte(odd), Fingerprint: 1<<64 - 1, UpdatedAt: 99, CommitID: "c1",
		Customers: blobs("x", "1", odd, odd, "empty", ""), Timers: []redis.Timer{{ID: "x", Deadline: 5}},
	}
	require.NoError(t, p.Commit(ctx, commit))
	got, err := p.LoadCustomers(ctx, []string{"x", "none", odd, "empty"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("1"), nil, []byte(odd), {}}, got)

	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 11, CommitID: "c2", Customers: known("x", "2")}))
	q := w.partition(t)
	meta, err = q.Claim(ctx, "b")
	require.NoError(t, err)
	require.True(t, meta.Exists)
	require.Equal(t, []any{"ledger", "s1", int64(11), "c2", []byte(nil), uint64(0)},
		[]any{meta.LedgerID, meta.Snapshot, meta.Offset, meta.CommitID, meta.State, meta.Fingerprint})
	got, err = q.LoadCustomers(ctx, []string{"x", odd})
	require.NoError(t, err)
	require.Equal(t, []string{"2", odd}, texts(got))
	require.NoError(t, q.Commit(ctx, redis.Commit{Offset: 12, CommitID: "c3", State: []byte(odd), Fingerprint: 1<<64 - 1, UpdatedAt: 99}))
	meta, err = p.ReadMeta(ctx)
	require.NoError(t, err)
	require.Equal(t, []any{int64(12), []byte(odd), uint64(1<<64 - 1), int64(99)}, []any{meta.Offset, meta.State, meta.Fingerprint, meta.UpdatedAt})
	for _, key := range w.keys(t) {
		require.True(t, strings.HasPrefix(key, namespace+":{"), key)
	}
}

func testTokenStolen(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 5}}}))
	_, err := p.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	_, err = w.partition(t).Claim(ctx, "b")
	require.NoError(t, err)
	_, err = p.LoadCustomers(ctx, []string{"x"})
	require.ErrorIs(t, err, redis.ErrClaimLost)
	_, err = p.DueTimers(ctx, 9, 9)
	require.ErrorIs(t, err, redis.ErrClaimLost)
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2"}), redis.ErrClaimLost)
	require.ErrorIs(t, p.BeginSnapshot(ctx, "ledger", "s2", "c3", 0), redis.ErrClaimLost)
	_, _, err = p.SweepSnapshots(ctx)
	require.NoError(t, err, "removing what does not exist is no error")
}

func testTwoOwners(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1")}))
	q := w.partition(t)
	_, err := q.Claim(ctx, "b")
	require.NoError(t, err)
	require.NoError(t, q.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: known("x", "2")}))
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 9, CommitID: "c9", Customers: blobs("x", "9")}), redis.ErrClaimLost)
	got, err := q.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.Equal(t, []string{"2"}, texts(got))
	// Without the token's check the former owner would go on here, since it has loaded the later commit's id.
	_, err = p.Claim(ctx, "a2")
	require.NoError(t, err)
	_, err = q.LoadCustomers(ctx, []string{"x"})
	require.ErrorIs(t, err, redis.ErrClaimLost)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 3, CommitID: "c3"}))
}

func testGoesBack(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 5}}}))
	back := w.copy(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: known("x", "2"), Timers: []redis.Timer{{ID: "x", Deadline: 7}}}))
	_, err := p.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	back() // the token is the same, the commit is not
	committed(t, func() error { _, err := p.LoadCustomers(ctx, []string{"x"}); return err }, redis.ErrClaimLost)
	committed(t, func() error { _, err := p.DueTimers(ctx, 9, 9); return err }, redis.ErrClaimLost)
	committed(t, func() error { return p.Commit(ctx, redis.Commit{Offset: 3, CommitID: "c3"}) }, redis.ErrClaimLost)
}

// claimed claims over connections that may be broken.
func claimed(t *testing.T, p *redis.Partition, token string) redis.Meta {
	t.Helper()
	var meta redis.Meta
	committed(t, func() (err error) {
		if meta, err = p.Claim(t.Context(), token); err == nil {
			err = errDone
		}
		return err
	}, errDone)
	return meta
}

// committed repeats calls that meet broken connections.
func committed(t *testing.T, call func() error, want error) {
	t.Helper()
	err := call()
	for n := 0; n < 20 && errors.Is(err, redis.ErrUnavailable); n++ {
		err = call()
	}
	require.ErrorIs(t, err, want)
}

func testEmptied(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1")}))
	w.empty(t)
	committed(t, func() error { _, err := p.LoadCustomers(ctx, []string{"x"}); return err }, redis.ErrClaimLost)
	committed(t, func() error { return p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2"}) }, redis.ErrClaimLost)
	committed(t, func() error { return p.BeginSnapshot(ctx, "ledger", "s2", "c3", 0) }, redis.ErrClaimLost) // somebody else may have begun
	require.False(t, claimed(t, p, "b").Exists)
}

func testOlderCopy(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	timers := func(n int64) (out []redis.Timer) {
		for i := range 100 {
			out = append(out, redis.Timer{ID: fmt.Sprint("c", i), Deadline: n + int64(i%7)})
		}
		return out
	}
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: timers(10)}))
	back := w.copy(t)
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: append(known("x", "2"), blobs("y", "2")...), Timers: timers(20)}))
	back()
	require.EqualValues(t, 1, claimed(t, p, "b").Offset)
	got, err := p.LoadCustomers(ctx, []string{"x", "y"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("1"), nil}, got)
	due, err := p.DueTimers(ctx, 16, 1000)
	require.NoError(t, err)
	require.Len(t, due, 100)
}

var errDone = errors.New("done")

// lossy fails calls of one name, before or after they are done.
type lossy struct {
	call   string
	before bool
	left   int
}

var errLost = fmt.Errorf("%w: injected", redis.ErrUnavailable)

func (l *lossy) around(ctx context.Context, call string, do func(context.Context) error) error {
	if l.left == 0 || call != l.call {
		return do(ctx)
	}
	l.left--
	if !l.before {
		_ = do(ctx) // the answer is what is lost
	}
	return errLost
}

func testLostAnswer(t *testing.T, w world) {
	ctx := t.Context()
	l := &lossy{call: "commit.exec", left: 1}
	p := w.owned(t, func(c *redis.Config) { c.Around = l.around })
	commit := redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}
	require.ErrorIs(t, p.Commit(ctx, commit), redis.ErrUnavailable)
	_, err := p.LoadCustomers(ctx, []string{"x"})
	require.ErrorIs(t, err, redis.ErrCommitPending)
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2"}), redis.ErrCommitPending)
	require.NoError(t, p.Commit(ctx, commit), "recognised by its id")
	got, err := p.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.Equal(t, []string{"1"}, texts(got))
	require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2"}))

	// Somebody else commits on top before the repeat: it must not be taken for mine.
	l.left = 1
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 3, CommitID: "c3"}), redis.ErrUnavailable)
	_, err = w.partition(t).Claim(ctx, "b")
	require.NoError(t, err)
	require.ErrorIs(t, p.Commit(ctx, redis.Commit{Offset: 3, CommitID: "c3"}), redis.ErrClaimLost)
}

func testNeverArrived(t *testing.T, w world) {
	ctx := t.Context()
	for _, call := range []string{"commit.watch", "commit.read", "commit.exec"} {
		l := &lossy{call: call, before: true, left: 2}
		p := w.owned(t, func(c *redis.Config) { c.Around = l.around })
		commit := redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", call)}
		require.ErrorIs(t, p.Commit(ctx, commit), redis.ErrUnavailable)
		require.ErrorIs(t, p.Commit(ctx, commit), redis.ErrUnavailable)
		require.NoError(t, p.Commit(ctx, commit))
		require.Zero(t, l.left, "%s was sent", call)
		got, err := p.LoadCustomers(ctx, []string{"x"})
		require.NoError(t, err)
		require.Equal(t, []string{call}, texts(got))
		_, err = p.Claim(ctx, "again")
		require.NoError(t, err)
	}
}

// Between the check and EXEC another owner claims, or Redis goes back: only WATCH notices.
func testChangedAfterCheck(t *testing.T, w world) {
	ctx := t.Context()
	for name, change := range map[string]func(back func()){
		"claimed by another": func(func()) {
			_, err := w.partition(t).Claim(ctx, "b")
			require.NoError(t, err)
		},
		"gone back": func(back func()) { back() },
		"emptied":   func(func()) { w.empty(t) },
	} {
		w.empty(t)
		var then func()
		around := func(ctx context.Context, call string, do func(context.Context) error) error {
			if call == "commit.exec" && then != nil {
				f := then
				then = nil
				f()
			}
			return do(ctx)
		}
		p := w.partition(t, func(c *redis.Config) { c.Around = around })
		claimed(t, p, "a")
		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s1", "c0", 1), name)
		back := w.copy(t)
		require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1")}))
		then = func() { change(back) }
		committed(t, func() error {
			return p.Commit(ctx, redis.Commit{Offset: 2, CommitID: "c2", Customers: known("x", "2")})
		}, redis.ErrClaimLost)
		meta, err := p.ReadMeta(ctx)
		require.NoError(t, err)
		require.NotEqual(t, "c2", meta.CommitID, name)
	}
}

func testWrongType(t *testing.T, w world) {
	ctx := t.Context()
	for _, key := range []string{":customers", ":timers", ":timers:0"} {
		w.empty(t)
		p := w.partition(t)
		claimed(t, p, "a")
		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s1", "c0", 1))
		commit := redis.Commit{Offset: 1, CommitID: "c1", Customers: blobs("x", "1"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}
		require.NoError(t, p.Commit(ctx, commit))
		prefix, _, _ := strings.Cut(w.keys(t)[0], "}:")
		w.spoil(t, prefix+"}:s1"+key)
		commit.CommitID, commit.Offset = "c2", 2
		require.ErrorIs(t, p.Commit(ctx, commit), redis.ErrTorn, key)
		_, err := p.LoadCustomers(ctx, []string{"x"})
		require.ErrorIs(t, err, redis.ErrTorn, "nothing of it is read any more")
		_, err = p.DueTimers(ctx, 5, 5)
		require.ErrorIs(t, err, redis.ErrTorn)
		require.ErrorIs(t, p.Commit(ctx, commit), redis.ErrTorn, "and the repeat is not taken for a commit that is done")

		require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c3", 1))
		got, err := p.LoadCustomers(ctx, []string{"x"})
		require.NoError(t, err)
		require.Nil(t, got[0])
		require.NoError(t, p.Commit(ctx, redis.Commit{Offset: 1, CommitID: "c4", Customers: blobs("x", "1"), Timers: commit.Timers}))
		due, err := p.DueTimers(ctx, 5, 5)
		require.NoError(t, err)
		require.Equal(t, commit.Timers, due)
	}
}

func testWrongTypeAtMeta(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	w.spoil(t, w.keys(t)[0])
	_, err := p.LoadCustomers(ctx, []string{"x"})
	require.ErrorIs(t, err, redis.ErrTorn)
	meta, err := p.Claim(ctx, "b")
	require.NoError(t, err)
	require.False(t, meta.Exists)
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c1", 1))

	w.outside(t, "HSET", w.keys(t)[0], "offset", "many")
	_, err = p.Claim(ctx, "c")
	require.ErrorIs(t, err, redis.ErrTorn)
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s3", "c2", 1), "claimed nevertheless")
	w.outside(t, "HSET", w.keys(t)[0], "format", "1")
	_, err = p.Claim(ctx, "d")
	require.ErrorIs(t, err, redis.ErrTorn, "an earlier release's state is folded again")
	w.outside(t, "HSET", w.keys(t)[0], "format", "3")
	_, err = p.Claim(ctx, "e")
	require.ErrorIs(t, err, redis.ErrUnknownFormat)
}

func testSnapshots(t *testing.T, w world) {
	ctx := t.Context()
	p := w.owned(t)
	commit := redis.Commit{Offset: 50, CommitID: "c1", Customers: blobs("x", "future"), Timers: []redis.Timer{{ID: "x", Deadline: 1}}}
	require.NoError(t, p.Commit(ctx, commit))
	require.NoError(t, p.BeginSnapshot(ctx, "ledger", "s2", "c2", 1))
	got, err := p.LoadCustomers(ctx, []string{"x"})
	require.NoError(t, err)
	require.Nil(t, got[0], "a refold does not read blobs from its future")
	due, err := p.DueTimers(ctx, 5, 5)
	require.NoError(t, err)
	require.Empty(t, due)
	meta, err := p.Claim(ctx, "b")
	require.NoError(t, err)
	require.Equal(t, []any{"s2", int64(0)}, []any{meta.Snapshot, meta.Offset})
}
