package views_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/kafka"
)

// alertTopic stands for the topic of alerts. It counts how often it is asked.
type alertTopic struct {
	records [][]string // by partition
	start   int64
	asked   int
	err     error
}

func (a *alertTopic) ListOffsets(context.Context, string, []int32) (map[int32]kafka.Offsets, error) {
	a.asked++
	all := map[int32]kafka.Offsets{}
	for p, records := range a.records {
		all[int32(p)] = kafka.Offsets{Start: a.start, LastStable: int64(len(records))}
	}
	return all, a.err
}

func (a *alertTopic) ReadCommitted(_ context.Context, _ string, partition int32, from, to int64, each func(kafka.Record) error) (int64, error) {
	for at := from; at < to; at++ {
		var value []byte
		if text := a.records[partition][at]; text != "" {
			value = []byte(text)
		}
		if err := each(kafka.Record{Offset: at, Value: value}); err != nil {
			return at, err
		}
	}
	return to, nil
}

func raisedAt(customer string, second int) string {
	return fmt.Sprintf(`{"customer_id":%q,"state":"raised","as_of":"2026-05-01T00:00:%02dZ"}`, customer, second)
}

func customers(all []views.Published) (ids []string) {
	for _, a := range all {
		ids = append(ids, fmt.Sprint(a.Number, a.Customer))
	}
	return ids
}

func TestFeed(t *testing.T) {
	now := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	topic := &alertTopic{records: [][]string{{raisedAt("a", 3), "", `{"customer_id":"a","event_type":"mainstay.customer.erased.v1"}`}, {raisedAt("b", 1)}}}
	feed := views.NewFeed(topic, "mainstay", 2, func() time.Time { return now })
	after := func(number int64, limit int) []string {
		t.Helper()
		all, err := feed.After(t.Context(), number, limit)
		require.NoError(t, err)
		return customers(all)
	}
	require.Equal(t, []string{"1b", "2a"}, after(0, 10), "in the order of time, without tombstones and erasures")
	require.Equal(t, []string{"2a"}, after(0, 1), "the newest")
	require.Empty(t, after(2, 10))

	topic.records[1] = append(topic.records[1], raisedAt("c", 9))
	require.Empty(t, after(2, 10))
	require.Equal(t, 1, topic.asked, "once a second")
	now = now.Add(time.Second)
	require.Equal(t, []string{"3c"}, after(2, 10))

	topic.err = errors.New("broker is away")
	now = now.Add(time.Second)
	_, err := feed.After(t.Context(), 0, 10)
	require.ErrorContains(t, err, "broker is away")
	topic.err = nil
	now = now.Add(time.Second)
	require.Equal(t, []string{"1b", "2a", "3c"}, after(0, 10), "nothing is read twice")

	topic.records = [][]string{{raisedAt("d", 1)}, nil}
	now = now.Add(time.Second)
	require.Equal(t, []string{"4d"}, after(3, 10), "the topic was created again")

	for i := range 2000 {
		topic.records[0] = append(topic.records[0], raisedAt(fmt.Sprint("n", i), 2))
	}
	now = now.Add(time.Second)
	require.Len(t, after(0, 10_000), 500, "memory is bounded")
	topic.records[0] = append(topic.records[0], "no JSON")
	now = now.Add(time.Second)
	_, err = feed.After(t.Context(), 0, 10)
	require.ErrorContains(t, err, "decode an alert")
}

func TestFeedBeginsWithTheNewest(t *testing.T) {
	topic := &alertTopic{records: [][]string{nil}, start: 100}
	for i := range 3000 {
		topic.records[0] = append(topic.records[0], raisedAt(fmt.Sprint("n", i), 2))
	}
	all, err := views.NewFeed(topic, "mainstay", 1, time.Now).After(t.Context(), 0, 10_000)
	require.NoError(t, err)
	require.Len(t, all, 500)
	require.Equal(t, "n2500", all[0].Customer)
}
