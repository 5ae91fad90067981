package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/deliver"
	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

// A receiver fails three times in ten: it answers 503, cuts the connection after it has kept the request, or does not answer. Two processes
// deliver and are stopped a hundred times, at random moments, in order and not. What the receiver has kept, each id once, is what was
// published, in the order of each customer.
func TestNothingIsLostRepeatedOrReordered(t *testing.T) {
	const restarts = 50 // of each of two processes
	w := newWorld(t, "crm")
	var random sync.Mutex
	seeded := rand.New(rand.NewPCG(1, 2))
	draw := func(n int) int {
		random.Lock()
		defer random.Unlock()
		return seeded.IntN(n)
	}
	r := newReceiver(t, func(received) (bool, int) {
		switch draw(10) {
		case 0:
			return false, http.StatusServiceUnavailable
		case 1:
			return true, 0
		case 2:
			return draw(2) == 0, -1
		}
		return true, http.StatusOK
	})
	yaml := w.destination("crm", r.URL, "topics: [clv, churn-risk], concurrency: 8")
	all := outputs(3, []output.Topic{output.CLV, output.ChurnRisk}, 40, 25)
	var processes sync.WaitGroup
	for range 2 {
		processes.Go(func() {
			for range restarts {
				d := w.deliver(yaml)
				ctx, kill := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					_ = d.Run(ctx)
					close(ended)
				}()
				time.Sleep(time.Duration(50+draw(300)) * time.Millisecond)
				if draw(2) == 0 {
					d.Drain()
				} else {
					kill()
				}
				<-ended
				kill()
			}
		})
	}
	for i := 0; i < len(all); i += 100 {
		w.publish(all[i : i+100])
		time.Sleep(100 * time.Millisecond)
	}
	processes.Wait()
	w.start(yaml)
	w.eventually("all outputs", func() bool { return r.count(t) == len(all) })
	r.requireSame(t, all)
	require.Greater(t, r.attempts(), len(all), "nothing ever failed")
	_, letters := w.letters()
	require.Empty(t, letters)
}

// A receiver that never answers, and one that cannot be reached, hold up no other destination, and nothing of theirs is lost.
func TestDeadReceiversHoldNoOther(t *testing.T) {
	w := newWorld(t, "live", "silent", "gone")
	live := newReceiver(t, nil)
	var mu sync.Mutex
	healed := false
	silent := newReceiver(t, func(received) (bool, int) {
		mu.Lock()
		defer mu.Unlock()
		if healed {
			return true, http.StatusOK
		}
		return false, -1
	})
	gone := newReceiver(t, nil)
	gone.Close()
	all := outputs(4, []output.Topic{output.CLV}, 20, 150) // more than may wait in memory
	w.publish(all)
	const topics = "topics: [clv]"
	w.start(w.destination("silent", silent.URL, topics) + w.destination("gone", gone.URL, topics) + w.destination("live", live.URL, topics))
	w.eventually("all outputs of the live one", func() bool { return live.count(t) == len(all) })
	live.requireSame(t, all)
	require.Empty(t, silent.firsts(t))
	mu.Lock()
	healed = true
	mu.Unlock()
	w.eventually("all outputs of the one that came back", func() bool { return silent.count(t) == len(all) })
	silent.requireSame(t, all)
}

// A refused row is a dead letter, and no other waits for it. Secrets, ids of customers and addresses are not in the log.
func TestRefusedRowsSinkNoOther(t *testing.T) {
	w := newWorld(t, "crm")
	r := newReceiver(t, func(got received) (bool, int) {
		if got.customer == "secret-customer" && got.n == 2 {
			return false, http.StatusUnprocessableEntity
		}
		return true, http.StatusOK
	})
	topic := output.CLV.Name(namespace)
	all := []published{{topic, "secret-customer", 1}, {topic, "secret-customer", 2}, {topic, "secret-customer", 3}, {topic, "ada", 1}}
	w.publish(all)
	stop := w.start(w.destination("crm", r.URL, "topics: [clv], authorization_file: "+w.secret))
	w.eventually("the others", func() bool { return r.count(t) == len(all)-1 })
	r.requireSame(t, []published{all[0], all[2], all[3]})
	w.eventually("the dead letter", func() bool { return w.outcome("dead_letter") == 1 })
	customers, reasons := w.letters()
	require.Equal(t, []string{"secret-customer"}, customers)
	require.Equal(t, []string{"mainstay.http_422"}, reasons)
	stop()
	for _, entry := range w.logs.All() {
		line, err := json.Marshal(entry.ContextMap())
		require.NoError(t, err)
		require.NotContains(t, entry.Message+string(line), "secret-customer")
		require.NotContains(t, entry.Message+string(line), strings.TrimPrefix(r.URL, "http://"))
		require.NotContains(t, entry.Message+string(line), strings.TrimPrefix(secret, "whsec_"))
	}
	require.Len(t, w.logs.FilterMessage("dead letter: the output is not delivered").All(), 1)
}

// What fails for longer than give_up_after becomes a dead letter, but not before five attempts.
func TestGivingUp(t *testing.T) {
	fails := func(received) (bool, int) { return false, http.StatusInternalServerError }
	topic := output.CLV.Name(namespace)
	w, r := newWorld(t, "crm"), newReceiver(t, fails)
	w.publish([]published{{topic, "ada", 1}})
	time.Sleep(1100 * time.Millisecond) // the least that can be configured
	w.start(w.destination("crm", r.URL, "topics: [clv]"))
	w.eventually("attempts", func() bool { return r.attempts() > 8 })
	_, reasons := w.letters()
	require.Empty(t, reasons, "24 hours are not over")

	w, r = newWorld(t, "crm"), newReceiver(t, fails)
	w.publish([]published{{topic, "ada", 1}})
	time.Sleep(1100 * time.Millisecond)
	w.start(strings.Replace(w.destination("crm", r.URL, "topics: [clv]"), "longest: 40ms", "longest: 40ms, give_up_after: 1s", 1))
	w.eventually("a dead letter", func() bool { return w.outcome("dead_letter") == 1 })
	_, reasons = w.letters()
	require.Equal(t, []string{"mainstay.http_500"}, reasons)
	require.Equal(t, 5, r.attempts())
}

func (w *world) setPaused(name string, paused bool) {
	w.t.Helper()
	state, err := json.Marshal(deliver.State{Paused: paused, At: time.Now()})
	require.NoError(w.t, err)
	w.produce(func(b *kafka.Batches) {
		b.BatchFor(deliver.ControlTopic(namespace), 0, 100).Append(time.Now().UnixMilli(), []byte(name), state, nil)
	})
}

// A destination that was paused before the process began gets nothing, others do; once resumed it gets all.
func TestPausedDestinationsGetNothing(t *testing.T) {
	w := newWorld(t, "crm", "other")
	crm, other := newReceiver(t, nil), newReceiver(t, nil)
	w.setPaused("crm", true)
	all := outputs(5, []output.Topic{output.CLV}, 3, 3)
	w.publish(all)
	w.start(w.destination("crm", crm.URL, "topics: [clv]") + w.destination("other", other.URL, "topics: [clv]"))
	w.eventually("the other", func() bool { return other.count(t) == len(all) })
	require.Zero(t, crm.count(t))
	w.setPaused("crm", false)
	w.eventually("the resumed one", func() bool { return crm.count(t) == len(all) })
	crm.requireSame(t, all)
}

// A new destination that begins at the end gets nothing of before, and keeps its place although it delivered nothing before it stopped.
func TestLatestKeepsItsPlace(t *testing.T) {
	w := newWorld(t, "crm")
	r := newReceiver(t, nil)
	topic := output.CLV.Name(namespace)
	w.publish([]published{{topic, "ada", 1}})
	yaml := strings.Replace(w.destination("crm", r.URL, "topics: [clv]"), "earliest", "latest", 1)
	stop := w.start(yaml)
	w.eventually("the place", func() bool {
		at, err := w.kafka.CommittedOffsets(t.Context(), deliver.Group(namespace, "crm"), topic, []int32{0, 1, 2, 3})
		require.NoError(t, err)
		sum := int64(0)
		for _, o := range at {
			sum += o.Offset
		}
		return sum == 1
	})
	stop()
	w.publish([]published{{topic, "ada", 2}})
	w.start(yaml)
	w.eventually("what came in between", func() bool { return r.count(t) == 1 })
	r.requireSame(t, []published{{topic, "ada", 2}})
}

// Records that retention has taken are counted, and what is left is delivered.
func TestLostToRetention(t *testing.T) {
	w := newWorld(t, "crm")
	r := newReceiver(t, nil)
	topic := output.CLV.Name(namespace)
	w.publish([]published{{topic, "ada", 1}})
	yaml := w.destination("crm", r.URL, "topics: [clv]")
	stop := w.start(yaml)
	w.eventually("the first", func() bool { return r.count(t) == 1 })
	stop()
	w.publish([]published{{topic, "ada", 2}, {topic, "ada", 3}, {topic, "ada", 4}})
	for p := range int32(partitions) {
		bounds, err := w.kafka.ListOffsets(t.Context(), topic, []int32{p})
		require.NoError(t, err)
		if bounds[p].HighWatermark > 0 {
			require.NoError(t, w.kafka.DeleteRecords(t.Context(), topic, p, 3))
		}
	}
	w.start(yaml)
	w.eventually("the last", func() bool { return r.count(t) == 2 })
	r.requireSame(t, []published{{topic, "ada", 1}, {topic, "ada", 4}})
	require.EqualValues(t, 2, w.outcome("lost"))
}

// Filters and tombstones move the position on.
func TestFilteredOutputsAreDone(t *testing.T) {
	w := newWorld(t, "crm")
	r := newReceiver(t, nil)
	topic := output.ChurnRisk.Name(namespace)
	w.produce(func(b *kafka.Batches) {
		for i, value := range []string{`{"churn_risk":"low","customer_id":"ada","event_id":"x-ada-1"}`, "", "no JSON", `{"churn_risk":"high","customer_id":"ada","event_id":"x-ada-2","n":2}`} {
			record := []byte(value)
			if value == "" {
				record = nil
			}
			b.BatchFor(topic, 0, 100).Append(int64(i), []byte("ada"), record, nil)
		}
	})
	w.start(w.destination("crm", r.URL, "topics: [churn-risk], churn_risk: [high]"))
	w.eventually("the one that is wanted", func() bool { return r.count(t) == 1 })
	require.Equal(t, "x", r.firsts(t)[0].topic)
	w.eventually("the position", func() bool {
		at, _, err := w.kafka.CommittedOffset(t.Context(), deliver.Group(namespace, "crm"), topic, 0)
		require.NoError(t, err)
		return at == 4
	})
	require.EqualValues(t, 2, w.outcome("filtered"))
	_, reasons := w.letters()
	require.Equal(t, []string{"mainstay.unreadable"}, reasons)
}

// A file that is missing is an error at start, of a name; nothing is sent.
func TestMissingFilesAreNoticedAtStart(t *testing.T) {
	w := newWorld(t, "crm")
	all, err := destination.Parse("d.yml", fmt.Appendf(nil, "destinations:\n  - {name: crm, url: 'https://crm.example.com', secret_files: [/missing], topics: [clv]}\n"))
	require.NoError(t, err)
	_, err = deliver.New(deliver.Config{Namespace: namespace, Destinations: all, Now: time.Now}, w.kafka, w.metrics, w.log)
	require.ErrorContains(t, err, "deliver.destinations_file: destination crm: secret_files: /missing")
}

// A receiver that asks to wait gets nothing meanwhile, from any worker. The clock has a lower bound here, and no upper one.
func TestRetryAfterHoldsAllWorkers(t *testing.T) {
	w := newWorld(t, "crm")
	var mu sync.Mutex
	var refused, next time.Time
	r := newReceiver(t, func(received) (bool, int) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case refused.IsZero():
			refused = time.Now()
			return false, http.StatusTooManyRequests
		case next.IsZero():
			next = time.Now()
		}
		return true, http.StatusOK
	})
	r.retryAfter = "1"
	topic := output.CLV.Name(namespace)
	all := []published{{topic, "ada", 1}}
	w.publish(all)
	w.start(w.destination("crm", r.URL, "topics: [clv]"))
	w.eventually("an attempt", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return !refused.IsZero()
	})
	for i := range 20 { // other workers
		all = append(all, published{topic, fmt.Sprint("c", i), 1})
	}
	w.publish(all[1:])
	w.eventually("all outputs", func() bool { return r.count(t) == len(all) })
	r.requireSame(t, all)
	mu.Lock()
	defer mu.Unlock()
	require.GreaterOrEqual(t, next.Sub(refused), time.Second)
}

// A template that fails for one output is a dead letter of that output, and the reason does not quote it.
func TestTemplateThatFails(t *testing.T) {
	w := newWorld(t, "crm")
	r := newReceiver(t, nil)
	topic := output.CLV.Name(namespace)
	w.publish([]published{{topic, "ada", 1}})
	w.start(w.destination("crm", r.URL, "topics: [clv], form: template, template: '{\"clv\": {{json .total_clv}}}'"))
	w.eventually("a dead letter", func() bool { return w.outcome("dead_letter") == 1 })
	_, reasons := w.letters()
	require.Equal(t, []string{"mainstay.template"}, reasons)
	require.Zero(t, r.attempts())
}
