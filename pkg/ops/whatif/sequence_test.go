package whatif

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Entries come in the order in which the broker appended them, but none before the entry that it follows from, even if the clock of its
// broker is behind. What follows from an entry beyond the end is beyond the end.
func TestSequenceFollowsCauses(t *testing.T) {
	const topic = "a.ledger"
	type appended struct {
		partition int32
		time      int64
		from      *ledger.Origin
	}
	fact := func(partition int32, time int64) appended { return appended{partition: partition, time: time} }
	sent := func(partition int32, time int64, from int32, offset int64) appended {
		return appended{partition, time, &ledger.Origin{Partition: from, Offset: offset}}
	}
	for name, test := range map[string]struct {
		all  []appended
		want []string
	}{
		"by time": {
			[]appended{fact(0, 1), fact(1, 1), fact(0, 40), fact(1, 30), fact(0, 50)},
			[]string{"0/0", "1/0", "1/1", "0/1", "0/2"},
		},
		"genesis first": {
			[]appended{fact(0, 1), fact(0, 2), fact(1, 10)},
			[]string{"0/0", "1/0", "0/1"},
		},
		"a clock behind": {
			[]appended{fact(0, 1), fact(1, 1), fact(0, 40), sent(1, 30, 0, 1), fact(1, 31)},
			[]string{"0/0", "1/0", "0/1", "1/1", "1/2"},
		},
		"of its own partition": {
			[]appended{fact(0, 1), fact(1, 1), fact(1, 2), sent(1, 3, 1, 1)},
			[]string{"0/0", "1/0", "1/1", "1/2"},
		},
		"beyond the end": {
			[]appended{fact(0, 1), fact(1, 1), sent(1, 2, 0, 1), fact(1, 3)},
			[]string{"0/0", "1/0"},
		},
		"of an input": {
			[]appended{fact(0, 1), fact(1, 1), {1, 2, &ledger.Origin{Topic: "purchases", Offset: 99}}},
			[]string{"0/0", "1/0", "1/1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := embedded.StartVirtual(t, embedded.Options{Topics: []embedded.Topic{{Name: topic, Partitions: 2}}})
				client, err := kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Dial: e.DialKafka})
				require.NoError(t, err)
				t.Cleanup(client.Close)
				producer, err := client.NewProducer(t.Context())
				require.NoError(t, err)
				for _, a := range test.all {
					value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_CREDIT, Origin: a.from}).MarshalVT()
					require.NoError(t, err)
					batch := kafka.NewBatch(topic, a.partition)
					batch.Append(a.time, nil, value, nil)
					_, err = producer.Produce(t.Context(), []*kafka.Batch{batch})
					require.NoError(t, err)
				}
				s, err := newSequence(t.Context(), client, topic, 2)
				require.NoError(t, err)
				var got []string
				require.NoError(t, s.read(t.Context(), func(partition int32, offset int64, _ *ledger.Entry) error {
					got = append(got, fmt.Sprintf("%d/%d", partition, offset))
					return nil
				}))
				require.Equal(t, test.want, got)
			})
		})
	}
}
