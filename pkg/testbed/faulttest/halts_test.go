package faulttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// inWorld runs a test in a world without faults.
func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 1))
		w, err := newWorld(4, nil, rng, newCoverage(), zap.NewNop())
		require.NoError(t, err)
		defer w.close()
		w.registryAnswers = true
		test(t, w)
	})
}

// startBothRoles runs one process of each role until the returned func is called.
func (w *world) startBothRoles() (stop func()) {
	in, f := w.startProcess("intake"), w.startProcess("fold")
	return func() {
		in.drain()
		<-in.done
		time.Sleep(3 * time.Second)
		f.drain()
		<-f.done
	}
}

// purchase produces a purchase.
func (w *world) purchase(t *testing.T, id int) {
	t.Helper()
	producer, err := w.client.Kafka.NewProducer(w.ctx)
	require.NoError(t, err)
	at := time.Now().AddDate(0, 0, -100).UTC().Format(time.RFC3339)
	w.produce(producer, "purchases", fmt.Appendf(nil, `{"event_id":"e%d","customer_id":"c%d","order_id":"o%d","total":10,"currency":"USD","occurred_at":%q}`, id, id%3, id, at))
}

// orders counts the orders that the subscriber holds.
func (w *world) orders(t *testing.T) int {
	t.Helper()
	require.NoError(t, w.readOutputs())
	n := 0
	for _, c := range w.subscriber.customers {
		n += int(c.orders)
	}
	return n
}

// inputHalts returns why input partitions are halted.
func inputHalts(in *intake.Intake) map[halt.Reason]bool {
	reasons := map[halt.Reason]bool{}
	for _, s := range in.Status() {
		if s.Halted != "" {
			reasons[s.Halted] = true
		}
	}
	return reasons
}

// foldHalts returns why ledger partitions are halted.
func foldHalts(f *fold.Fold) map[halt.Reason]bool {
	reasons := map[halt.Reason]bool{}
	for _, s := range f.Status() {
		if s.Halted != "" {
			reasons[s.Halted] = true
		}
	}
	return reasons
}

// A re-created input topic has other records at offsets that were read before.
func TestRecreatedInputHalts(t *testing.T) {
	for name, records := range map[string]int{"shorter than it was": 1, "as long as it was": 12} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				stop := w.startBothRoles()
				for i := range 9 {
					w.purchase(t, i)
				}
				time.Sleep(5 * time.Second)
				stop()
				require.Equal(t, 9, w.orders(t))

				require.NoError(t, w.client.Kafka.DeleteTopics(w.ctx, []string{"purchases"}))
				require.NoError(t, w.client.Kafka.CreateTopics(w.ctx, []kafka.TopicSpec{{Name: "purchases", Partitions: 2, Replicas: 1}}))
				for i := range records {
					w.purchase(t, 100+i)
				}
				in := w.startProcess("intake")
				time.Sleep(5 * time.Second)
				require.True(t, inputHalts(in.intake)[halt.InputRecreated], "%v", in.intake.Status())
				in.drain()
				<-in.done

				_, err := intake.DeclareRecreated(w.ctx, w.client.Kafka, w.cfg.Namespace, "purchases")
				require.NoError(t, err)
				stop = w.startBothRoles()
				time.Sleep(8 * time.Second)
				stop()
				require.Equal(t, 9+records, w.orders(t), "the new topic's records count, under a new incarnation")
			})
		})
	}
}

// Records that retention deleted before they were read are never skipped silently.
func TestTruncatedInputHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stop := w.startBothRoles()
		for i := range 6 {
			w.purchase(t, i)
		}
		time.Sleep(5 * time.Second)
		stop()
		for i := range 12 {
			w.purchase(t, 10+i)
		}
		for p := range int32(2) {
			bounds, err := w.client.Kafka.ListOffsets(w.ctx, "purchases", []int32{p})
			require.NoError(t, err)
			require.NoError(t, w.client.Kafka.DeleteRecords(w.ctx, "purchases", p, bounds[p].HighWatermark))
		}
		in := w.startProcess("intake")
		time.Sleep(5 * time.Second)
		require.True(t, inputHalts(in.intake)[halt.InputTruncated], "%v", in.intake.Status())
		in.drain()
		<-in.done
	})
}

// Two processes may not have different settings that answers depend on: the higher revision wins, and is appended to the ledger.
func TestSettingsOfOneRevisionMustAgree(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stop := w.startBothRoles()
		w.purchase(t, 1)
		time.Sleep(5 * time.Second)
		stop()

		w.cfg.Churn.High = .9
		f := w.startProcess("fold")
		time.Sleep(3 * time.Second)
		require.True(t, foldHalts(f.fold)[halt.SettingsConflict], "%v", f.fold.Status())
		f.drain()
		<-f.done

		w.cfg.SettingsRevision = 2
		stop = w.startBothRoles()
		time.Sleep(5 * time.Second)
		stop()
		f = w.startProcess("fold") // again, now that the ledger holds revision 2
		time.Sleep(3 * time.Second)
		require.Empty(t, foldHalts(f.fold))
		f.drain()
		<-f.done

		w.cfg.SettingsRevision = 1
		f = w.startProcess("fold")
		time.Sleep(3 * time.Second)
		require.True(t, foldHalts(f.fold)[halt.SettingsConflict], "a lower revision halts: %v", f.fold.Status())
		f.drain()
		<-f.done
	})
}

// An entry that this release cannot read halts its partition; no later entry is folded.
func TestUnknownEntryHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		value, err := (&ledger.Entry{Version: ledger.Version + 1, Kind: ledger.Kind_KIND_EVENT, Customer: "c0"}).MarshalVT()
		require.NoError(t, err)
		producer, err := w.client.Kafka.NewProducer(w.ctx)
		require.NoError(t, err)
		b := kafka.NewBatch(ledger.Topic(w.cfg.Namespace), 0)
		b.Append(0, ledger.AppendKey(nil, "c0", 1), value, nil)
		_, err = producer.Produce(w.ctx, []*kafka.Batch{b})
		require.NoError(t, err)
		f := w.startProcess("fold")
		time.Sleep(3 * time.Second)
		require.True(t, foldHalts(f.fold)[halt.EntryRefused], "%v", f.fold.Status())
		f.drain()
		<-f.done
	})
}

// A fold does not touch another ledger's state under the same namespace.
func TestForeignStateHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		p := w.client.Redis.Partition(w.cfg.Namespace, 0, w.genesis.GetPartitions())
		_, err := p.Claim(w.ctx, "token")
		require.NoError(t, err)
		require.NoError(t, p.BeginSnapshot(w.ctx, "another ledger", "snapshot", "commit", 0))
		f := w.startProcess("fold")
		time.Sleep(3 * time.Second)
		require.True(t, foldHalts(f.fold)[halt.LedgerForeign], "%v", f.fold.Status())
		f.drain()
		<-f.done
	})
}

// Without any evidence of what was published, a claim halts instead of guessing.
func TestPublishedPositionUnknownHalts(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		producer, err := w.client.Kafka.NewProducer(w.ctx)
		require.NoError(t, err)
		clv := output.CLV.Name(w.cfg.Namespace)
		b := kafka.NewBatch(clv, 0)
		b.Append(0, []byte("c0"), []byte("{}"), nil)
		_, err = producer.Produce(w.ctx, []*kafka.Batch{b})
		require.NoError(t, err)
		require.NoError(t, w.client.Kafka.DeleteRecords(w.ctx, clv, 0, 1)) // an output was published and deleted
		f := w.startProcess("fold")
		time.Sleep(3 * time.Second)
		require.True(t, foldHalts(f.fold)[halt.PublishedPositionUnknown], "%v", f.fold.Status())
		f.drain()
		<-f.done
	})
}

// A checkpoint in the ledger outlives the outputs, the group's offset and Redis.
func TestCheckpointIsEvidenceEnough(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		stop := w.startBothRoles()
		for i := range 6 {
			w.purchase(t, i)
		}
		time.Sleep(8 * time.Second)
		stop()
		require.Equal(t, 6, w.orders(t))
		for p := range w.genesis.GetPartitions() {
			for topic := range output.Topics {
				name := topic.Name(w.cfg.Namespace)
				bounds, err := w.client.Kafka.ListOffsets(w.ctx, name, []int32{p})
				require.NoError(t, err)
				if bounds[p].HighWatermark > 0 {
					require.NoError(t, w.client.Kafka.DeleteRecords(w.ctx, name, p, bounds[p].HighWatermark))
				}
			}
			require.NoError(t, w.client.Kafka.CommitOffsets(w.ctx, fold.Group(w.cfg.Namespace), []kafka.TopicPartitionOffset{
				{Topic: ledger.Topic(w.cfg.Namespace), Partition: p, Offset: -1},
			}))
		}
		require.NoError(t, w.env.Empty())
		stop = w.startBothRoles()
		w.purchase(t, 7)
		time.Sleep(8 * time.Second)
		stop()
		require.Equal(t, 7, w.orders(t))
		w.subscriber.checkSequences()
		require.Empty(t, w.subscriber.problems, "no output is published twice")
	})
}

// Torn state (keys of another type, unreadable meta) is not repaired: the ledger is folded again, into a new snapshot.
func TestTornStateIsFoldedAgain(t *testing.T) {
	for name, torn := range map[string]func(key string) bool{
		"meta":      func(key string) bool { return strings.HasSuffix(key, ":meta") },
		"customers": func(key string) bool { return !strings.HasSuffix(key, ":meta") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				stop := w.startBothRoles()
				for i := range 6 {
					w.purchase(t, i)
				}
				time.Sleep(5 * time.Second)
				stop()
				for _, key := range w.env.Miniredis().Keys() {
					if torn(key) {
						w.env.Miniredis().Del(key)
						require.NoError(t, w.env.Miniredis().Set(key, "of another type"))
					}
				}
				stop = w.startBothRoles()
				for i := range 6 {
					w.purchase(t, 6+i)
				}
				time.Sleep(8 * time.Second)
				stop()
				require.Empty(t, w.verify())
				require.Equal(t, 12, w.orders(t))
				snapshots := map[string]map[string]bool{} // by partition: the names of the snapshots that have keys
				for _, key := range w.env.Miniredis().Keys() {
					partition, rest, _ := strings.Cut(key, "}:")
					if name, _, ok := strings.Cut(rest, ":"); ok {
						if snapshots[partition] == nil {
							snapshots[partition] = map[string]bool{}
						}
						snapshots[partition][name] = true
					}
				}
				require.Len(t, snapshots, 2)
				for partition, names := range snapshots {
					require.Len(t, names, 1, "%s: former snapshots are removed", partition)
				}
			})
		})
	}
}

// A drain waits for what the process is doing; a crash does not.
func TestKillEndsAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		f := w.startProcess("fold")
		time.Sleep(2 * time.Second)
		f.freeze(time.Minute)
		f.drain()
		time.Sleep(time.Second)
		select {
		case <-f.done:
			t.Fatal("the drain did not wait for the frozen request")
		default:
		}
		began := time.Now()
		f.crash()
		<-f.done
		require.Less(t, time.Since(began), 2*time.Minute) // virtual time: it ends when it thaws
		require.ErrorIs(t, context.Cause(f.ctx), context.Canceled)
	})
}
