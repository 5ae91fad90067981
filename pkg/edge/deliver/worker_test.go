package deliver

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

func TestBackOff(t *testing.T) {
	r := destination.Retry{First: time.Second, Longest: time.Minute}
	for attempts, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 40: time.Minute, 10000: time.Minute} {
		require.Equal(t, want/2, backOff(r, attempts, func() uint64 { return 0 }))
		require.Equal(t, want, backOff(r, attempts, func() uint64 { return uint64(want / 2) }))
		require.LessOrEqual(t, backOff(r, attempts, func() uint64 { return math.MaxUint64 }), want)
	}
	require.Equal(t, 24*time.Hour/2, backOff(destination.Retry{First: time.Hour, Longest: 24 * time.Hour}, 31, func() uint64 { return 0 }))
}

// The rate is kept, and what the receiver asks for with Retry-After comes before it.
func TestLimit(t *testing.T) {
	l := limit{perSecond: 10}
	now := time.Unix(1000, 0)
	require.Zero(t, l.take(now))
	require.Equal(t, 100*time.Millisecond, l.take(now))
	now = now.Add(100 * time.Millisecond)
	require.Zero(t, l.take(now))
	l.refrain(now.Add(time.Minute))
	l.refrain(now.Add(time.Second)) // a shorter one does not end it
	require.Equal(t, time.Minute, l.take(now))
	require.Zero(t, l.take(now.Add(time.Minute)))
}

// The position is below every record that is not done.
func TestLow(t *testing.T) {
	p := &progress{next: 10}
	require.EqualValues(t, 10, p.low())
	var all []*delivery
	for _, offset := range []int64{10, 12, 13} {
		all = append(all, &delivery{at: origin{offset: offset}})
	}
	p.open, p.next = append(p.open, all...), 20
	all[1].done.Store(true)
	require.EqualValues(t, 10, p.low())
	all[0].done.Store(true)
	require.EqualValues(t, 13, p.low())
	all[2].done.Store(true)
	require.EqualValues(t, 20, p.low())
}

// An id depends on the record alone, and differs between records, ledgers and topics that were made again.
func TestMessageID(t *testing.T) {
	record := func(ledger string) kafka.Record {
		b := kafka.NewBatch("t", 0)
		b.Append(0, nil, nil, kafka.EncodeHeaders(nil, []kafka.Header{{Key: output.HeaderLedgerID, Value: []byte(ledger)}}))
		var r kafka.Record
		require.NoError(t, b.Records(func(x kafka.Record) error { r = x.Clone(); return nil }))
		return r
	}
	// printf 'L\nmainstay.clv.v1\n3\n17' | sha256sum | cut -c 1-32
	require.Equal(t, "msg_4c364f1fab9ef8a8abb99cf32b53a877", messageID(origin{"mainstay.clv.v1", 3, 17}, record("L")))
	seen := map[string]bool{}
	for _, ledger := range []string{"L", "M"} {
		for _, o := range []origin{{"a", 1, 1}, {"a", 1, 2}, {"a", 2, 1}, {"b", 1, 1}, {"a", 11, 1}, {"a", 1, 11}} {
			id := messageID(o, record(ledger))
			require.False(t, seen[id])
			require.Regexp(t, `^msg_[0-9a-f]{32}$`, id)
			seen[id] = true
		}
	}
}
