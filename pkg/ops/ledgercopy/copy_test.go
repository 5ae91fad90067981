package ledgercopy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broker returns a client, and one whose requests around may fail.
func broker(t *testing.T, around func(context.Context, kafka.Call, func(context.Context) error) error) (whole, faulty *kafka.Client) {
	t.Helper()
	e, err := embedded.Start(t.Context(), embedded.Options{Kafka: true})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	clients := make([]*kafka.Client, 2)
	for i, a := range []func(context.Context, kafka.Call, func(context.Context) error) error{nil, around} {
		clients[i], err = kafka.New(kafka.Config{Brokers: []string{e.KafkaAddress()}, Around: a})
		require.NoError(t, err)
		t.Cleanup(clients[i].Close)
	}
	return clients[0], clients[1]
}

func copyOf(partitions int32, finish bool) Config {
	return Config{
		From: from, To: topicsOf(to, partitions), Partitions: partitions, Finish: finish, Logic: processors.LogicVersion,
		Pause: 5 * time.Millisecond, Now: time.Now, Random: rand.Uint64,
	}
}

// Nothing is left of customers that are to be forgotten, and the entries of all others are the same but for referrals by them.
func TestCustomersAreLeftOut(t *testing.T) {
	k, _ := broker(t, nil)
	old := newOld(t, k, 11, 2)
	for range 60 {
		old.round()
	}
	cfg := copyOf(3, false)
	cfg.Without = []string{"c7", "c3"}
	_, err := Run(t.Context(), cfg, k)
	require.NoError(t, err)
	for range 20 {
		old.round()
	}
	old.stop()
	for _, other := range [][]string{nil, {"c3"}, {"c3", "c8"}} {
		cfg := copyOf(3, true)
		cfg.Without = other
		_, err := Run(t.Context(), cfg, k)
		require.ErrorIs(t, err, ErrOther)
	}
	cfg = copyOf(3, true)
	cfg.Without = []string{"c3", "c7", "c3"}
	_, err = Run(t.Context(), cfg, k)
	require.NoError(t, err)

	want, got, referrals := oldDeliveries(t, k, 2), deliveries{}, 0
	forgotten := func(b delivered) bool {
		var e ledger.Event
		require.NoError(t, e.UnmarshalVT([]byte(strings.TrimPrefix(b.body, ledger.Kind_KIND_EVENT.String()))))
		if r := e.GetReferral().GetReferrer(); r == "c3" || r == "c7" {
			referrals++
			return true
		}
		return false
	}
	for id, all := range want {
		if id != "" {
			want[id] = slices.DeleteFunc(all, forgotten)
		}
	}
	require.Positive(t, referrals)
	for _, id := range []string{"", "c3", "c7"} {
		delete(want, id)
	}
	for p := range int32(3) {
		delivered := newTellings(t, k, p, 3)
		delete(delivered, "")
		maps.Copy(got, delivered)
	}
	require.Equal(t, want, got)
}

// checkCopy compares what the copy tells every customer, and with which time, with what the old ledger does.
func checkCopy(t *testing.T, k *kafka.Client, was, now int32) {
	t.Helper()
	want := oldDeliveries(t, k, was)
	forAll := want[""]
	delete(want, "")
	got := deliveries{}
	for p := range now {
		delivered := newTellings(t, k, p, now)
		require.Equal(t, forAll, delivered[""], "settings and thresholds in partition %d", p)
		delete(delivered, "")
		maps.Copy(got, delivered)
	}
	require.Equal(t, want, got)
	require.NotEmpty(t, got)
}

// A copy tells every customer the same, in the same order and at the same base time, whatever the partition counts, however the
// old partitions got their entries, and wherever the copying command was killed.
func TestCopyTellsEveryCustomerTheSame(t *testing.T) {
	for seed, c := range []struct{ was, now int32 }{{1, 3}, {3, 1}, {2, 3}, {3, 2}, {3, 3}, {4, 5}} {
		t.Run(fmt.Sprintf("%d to %d", c.was, c.now), func(t *testing.T) {
			var left atomic.Int64
			rng := rand.New(rand.NewPCG(uint64(seed), 2))
			whole, dying := broker(t, func(ctx context.Context, call kafka.Call, do func(context.Context) error) error {
				if call.API == "Produce" || call.API == "EndTxn" || call.API == "OffsetCommit" {
					if left.Add(-1) < 0 {
						if rng.IntN(2) == 0 {
							_ = do(ctx) // it is done, and the answer is lost
						}
						return kafka.CodeTopicAuthorizationFailed // not one to try again: the command ends
					}
				}
				return do(ctx)
			})
			old := newOld(t, whole, uint64(seed), c.was)
			for range 6 {
				for range 12 {
					old.round()
				}
				for _, calls := range []int64{rng.Int64N(2 * int64(c.now)), 1000} { // while the old namespace runs on
					left.Store(calls)
					_, err := Run(t.Context(), copyOf(c.now, false), dying)
					if err != nil {
						require.ErrorIs(t, err, kafka.CodeTopicAuthorizationFailed)
					}
				}
			}
			old.stop()
			for tries := 0; ; tries++ {
				left.Store(int64(tries))
				result, err := Run(t.Context(), copyOf(c.now, true), dying)
				if errors.Is(err, ErrFinished) { // handed over, and the answer was lost
					break
				}
				if err != nil {
					require.ErrorIs(t, err, kafka.CodeTopicAuthorizationFailed)
					continue
				}
				require.True(t, result.Finished)
				break
			}
			checkCopy(t, whole, c.was, c.now)
			checkHandOver(t, whole, old, c.now)
			_, err := Run(t.Context(), copyOf(c.now, true), whole)
			require.ErrorIs(t, err, ErrFinished)
		})
	}
}

// checkHandOver folds the copy: every entry counts, intake's marks are the greatest, and the new intakes begin where the old ones stopped.
func checkHandOver(t *testing.T, k *kafka.Client, old *old, partitions int32) {
	t.Helper()
	for p := range partitions {
		state, store := processors.NewPartition(p), memstore.New()
		greatest := map[int32]int64{}
		var out output.Batch
		entries, offsets := readEntries(t, k, to, p)
		for i, e := range entries {
			out.Reset()
			v, err := processors.Step(state, offsets[i], e, store, &out)
			require.NoError(t, err)
			require.Equal(t, i < len(entries)-1, state.Copying(), "the last entry hands over")
			if e.GetKind() == ledger.Kind_KIND_EVENT {
				require.Contains(t, []processors.Result{processors.Applied, processors.Rejected}, v.Result) // a second referral is rejected
				s := e.GetOrigin().GetPartition()
				greatest[s] = max(greatest[s], e.GetOrigin().GetOffset())
			}
		}
		require.False(t, state.Copying())
		in := state.Inputs()
		require.Len(t, in, inputs)
		for _, input := range in {
			want, ok := greatest[input.Partition]
			if !ok {
				want = -1
			}
			require.Equal(t, want, input.Mark, "mark of input %d in partition %d", input.Partition, p)
			require.Equal(t, old.intakes[input.Partition/2].committed[input.Partition], input.Position)
		}
	}
	var numbers []int32
	for s := range int32(inputs) {
		numbers = append(numbers, s)
	}
	was, err := k.CommittedOffsets(t.Context(), intake.Group(from), input, numbers)
	require.NoError(t, err)
	is, err := k.CommittedOffsets(t.Context(), intake.Group(to), input, numbers)
	require.NoError(t, err)
	require.Equal(t, was, is)
}

// A copy follows while events come, waits for the intakes to stop, and then hands over within one look.
func TestCopyFollowsUntilTheIntakesStop(t *testing.T) {
	k, _ := broker(t, nil)
	old := newOld(t, k, 7, 2)
	old.round()
	old.stop()
	member, err := k.NewGroup(kafka.GroupConfig{ID: intake.Group(from), Topics: []string{input}, SessionTimeout: 10 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 10 * time.Second})
	require.NoError(t, err)
	_, err = member.Next(t.Context())
	require.NoError(t, err)
	waited := make(chan struct{}, 1000)
	cfg := copyOf(3, true)
	cfg.Progress = func(p Progress) {
		if p.Waiting != nil && p.Behind == 0 {
			select {
			case waited <- struct{}{}:
			default:
			}
		}
	}
	type end struct {
		result *Result
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		r, err := Run(t.Context(), cfg, k)
		ended <- end{r, err}
	}()
	<-waited
	for range 10 {
		old.round()
	}
	require.NoError(t, member.Close(t.Context()))
	old.stop()
	e := <-ended
	require.NoError(t, e.err)
	require.True(t, e.result.Finished)
	require.Equal(t, e.result.Appended, e.result.Entries)
	checkCopy(t, k, 2, 3)
}

func TestRefusals(t *testing.T) {
	k, _ := broker(t, nil)
	old := newOld(t, k, 3, 2)
	for range 5 {
		old.round()
	}
	run := func(change func(*Config)) error {
		cfg := copyOf(3, false)
		change(&cfg)
		_, err := Run(t.Context(), cfg, k)
		return err
	}
	require.ErrorIs(t, run(func(c *Config) { c.To.Namespace = from }), ErrSelf)
	require.ErrorIs(t, run(func(c *Config) { c.From = "nothing" }), topics.ErrNoLedger)
	require.ErrorContains(t, run(func(c *Config) { c.Timezone = "Mars/Olympus" }), "timezone")
	_, err := topics.Genesis(t.Context(), k, to)
	require.ErrorIs(t, err, topics.ErrNoLedger, "nothing was changed")

	require.NoError(t, k.CreateTopics(t.Context(), []kafka.TopicSpec{{Name: ledger.Topic("compacted"), Partitions: 3, Configs: map[string]string{"cleanup.policy": "compact"}}}))
	require.ErrorIs(t, run(func(c *Config) { c.To.Namespace = "compacted" }), ErrTopic)
	require.NoError(t, k.CommitOffsets(t.Context(), intake.Group("used"), []kafka.TopicPartitionOffset{{Topic: input, Offset: 4}}))
	require.ErrorIs(t, run(func(c *Config) { c.To.Namespace = "used" }), ErrNotEmpty)
	found, err := k.Topics(t.Context(), []string{ledger.Topic("used"), output.CLV.Name("compacted")})
	require.NoError(t, err)
	require.False(t, found[0].Exists || found[1].Exists, "nothing was changed")

	require.NoError(t, run(func(*Config) {}))
	require.ErrorIs(t, run(func(c *Config) { c.Partitions = 4 }), ErrOther)
	require.ErrorIs(t, run(func(c *Config) { c.Timezone = "Europe/Berlin" }), ErrOther)
	require.ErrorIs(t, run(func(c *Config) { c.From, c.To.Namespace = to, from }), ErrNotEmpty, "the old ledger is no copy of the new one")
	require.NoError(t, run(func(c *Config) { c.To.Namespace, c.Partitions = "third", 0 }))

	// An intake was killed: an event is in the ledger, and its offset is not committed.
	require.ErrorIs(t, run(func(c *Config) { c.Finish = true }), ErrUncounted)
	old.stop()
	require.NoError(t, run(func(c *Config) { c.Finish = true }))
}

// Two commands at once: the later one takes the copy over, and the earlier one ends.
func TestTheLaterCopyTakesOver(t *testing.T) {
	k, _ := broker(t, nil)
	old := newOld(t, k, 5, 2)
	old.round()
	began, ended := make(chan struct{}), make(chan error, 1)
	first := true
	cfg := copyOf(2, false)
	cfg.Follow = true
	cfg.Progress = func(Progress) {
		if first {
			first = false
			close(began)
		}
	}
	go func() {
		_, err := Run(t.Context(), cfg, k)
		ended <- err
	}()
	<-began
	_, err := Run(t.Context(), copyOf(2, false), k)
	require.NoError(t, err)
	for range 20 {
		old.round()
	}
	require.ErrorIs(t, <-ended, ErrTaken)
	_, err = Run(t.Context(), copyOf(2, false), k)
	require.NoError(t, err)
}

// A copy whose content was changed is refused, and so is one of a ledger that was replaced.
func TestAlteredCopyIsRefused(t *testing.T) {
	k, _ := broker(t, nil)
	old := newOld(t, k, 5, 2)
	for range 10 {
		old.round()
	}
	_, err := Run(t.Context(), copyOf(2, false), k)
	require.NoError(t, err)
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	value, err := (&ledger.Entry{Version: ledger.Version, Kind: ledger.Kind_KIND_EVENT, Customer: "nobody", Copied: &ledger.Copied{Offset: 1}}).MarshalVT()
	require.NoError(t, err)
	b := kafka.NewBatch(ledger.Topic(to), 1)
	b.Append(0, nil, value, nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{b})
	require.NoError(t, err)
	old.round()
	old.stop()
	_, err = Run(t.Context(), copyOf(2, true), k)
	require.ErrorIs(t, err, ErrDiffers)
}
