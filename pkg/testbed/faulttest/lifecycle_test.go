package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/stream/halt"
	"github.com/mainstay/mainstay/pkg/stream/intake"
)

const inputUnderTest = "purchases"

// inputLife is what a test knows of the input topic whose life it follows: what was sold, and what nobody can read any more.
type inputLife struct {
	w      *world
	sold   int
	unread int // sold since the last run
	lost   int // deleted before it was read

	// mustHalt: records were deleted unread, or the topic is another one and no setting states it. Otherwise nothing may halt.
	mustHalt bool
	// declared: since the last run, which is the first to put it into the ledger.
	declared bool
}

func (l *inputLife) sell(t *testing.T, n int) {
	for range n {
		l.w.purchase(t, l.sold)
		l.sold++
		l.unread++
	}
}

type lifecycleFault struct {
	name   string
	inject func(t *testing.T, l *inputLife)
}

// lifecycleFaults are what happens to an input topic while nothing runs.
func lifecycleFaults() []lifecycleFault {
	return []lifecycleFault{
		{"offsets expire", func(t *testing.T, l *inputLife) { l.sleepMonth(t) }},
		{"retention, all read", func(t *testing.T, l *inputLife) { l.deleteRead(t) }},
		{"retention, some unread", func(t *testing.T, l *inputLife) { l.sell(t, 8); l.deleteAll(t) }},
		{"re-created", func(t *testing.T, l *inputLife) { l.recreate(t, 9) }},
		{"re-created, nothing sold", func(t *testing.T, l *inputLife) { l.recreate(t, 0) }},
		{"re-created, and declared", func(t *testing.T, l *inputLife) { l.recreate(t, 7); l.declare(t) }},
		{"the group is deleted", func(t *testing.T, l *inputLife) { l.forgetOffsets(t) }},
	}
}

// sleepMonth passes a month without anybody. The broker forgets the groups' offsets, and deletes what its retention does not keep.
func (l *inputLife) sleepMonth(t *testing.T) {
	t.Helper()
	w := l.w
	w.client.Close() // its polls would take long
	time.Sleep(31 * 24 * time.Hour)
	var err error
	w.client, err = app.New(w.cfg, w.log, app.Hooks{KafkaDial: w.env.DialKafka, RedisDial: w.env.DialRedis, Random: w.random, Registry: registryThatAnswers{w}, Embedded: true})
	require.NoError(t, err)
	committed, err := w.client.Kafka.CommittedOffsets(w.ctx, intake.Group(w.cfg.Namespace), inputUnderTest, []int32{0, 1})
	require.NoError(t, err)
	require.Equal(t, []int64{-1, -1}, []int64{committed[0].Offset, committed[1].Offset}, "the offsets have expired")
	l.deleteAll(t) // as the broker does, in its time
}

// deleteRead deletes what was read, if there is nothing else.
func (l *inputLife) deleteRead(t *testing.T) {
	t.Helper()
	if l.unread == 0 {
		l.deleteAll(t)
	}
}

// deleteAll does what retention does.
func (l *inputLife) deleteAll(t *testing.T) {
	t.Helper()
	for p := range int32(2) {
		bounds, err := l.w.client.Kafka.ListOffsets(l.w.ctx, inputUnderTest, []int32{p})
		require.NoError(t, err)
		require.NoError(t, l.w.client.Kafka.DeleteRecords(l.w.ctx, inputUnderTest, p, bounds[p].HighWatermark))
	}
	l.lose()
}

func (l *inputLife) lose() {
	l.mustHalt = l.mustHalt || l.unread > 0
	l.lost += l.unread
	l.unread = 0
}

// recreate deletes the topic and creates it again. Kafka deletes the committed offsets with the topic.
func (l *inputLife) recreate(t *testing.T, sold int) {
	t.Helper()
	k := l.w.client.Kafka
	require.NoError(t, k.DeleteTopics(l.w.ctx, []string{inputUnderTest}))
	require.NoError(t, k.CreateTopics(l.w.ctx, []kafka.TopicSpec{{Name: inputUnderTest, Partitions: 2, Replicas: 1}}))
	l.forgetOffsets(t)
	l.lose()
	l.mustHalt = true
	l.sell(t, sold)
}

func (l *inputLife) forgetOffsets(t *testing.T) {
	t.Helper()
	for p := range int32(2) {
		require.NoError(t, l.w.client.Kafka.CommitOffsets(l.w.ctx, intake.Group(l.w.cfg.Namespace), []kafka.TopicPartitionOffset{{Topic: inputUnderTest, Partition: p, Offset: -1}}))
	}
	l.mustHalt = l.mustHalt || l.declared // the declaration is lost
}

// declare is what the runbook says.
func (l *inputLife) declare(t *testing.T) {
	t.Helper()
	_, err := intake.DeclareRecreated(l.w.ctx, l.w.client.Kafka, l.w.cfg.Namespace, inputUnderTest)
	require.NoError(t, err)
	l.mustHalt, l.declared = false, true
}

// live runs both roles until what is sold is read, after an operator's act if the input has to halt.
func (l *inputLife) live(t *testing.T, what string) {
	t.Helper()
	if l.mustHalt {
		in := l.w.startProcess("intake")
		time.Sleep(1200 * time.Millisecond)
		halts, status := inputHalts(in.intake), in.intake.Status()
		in.drain()
		<-in.done
		require.True(t, halts[halt.InputTruncated] || halts[halt.InputRecreated], "%s: %d records were lost in silence: %+v", what, l.lost, status)
		l.declare(t)
	}
	in, f := l.w.startProcess("intake"), l.w.startProcess("fold")
	l.sell(t, 3)
	time.Sleep(2500 * time.Millisecond)
	require.Empty(t, inputHalts(in.intake), "%s: %+v", what, in.intake.Status())
	in.drain()
	<-in.done
	time.Sleep(1200 * time.Millisecond)
	f.drain()
	<-f.done
	l.unread, l.declared = 0, false
	require.Equal(t, l.sold-l.lost, l.w.orders(t), "%s: what can be read counts, once", what)
}

// Whatever an input topic goes through in months, with a run after each fault or after two: what can be read counts once, and what
// cannot be read any more halts its partition. Each pair of faults occurs, in one long life of the same topic.
func TestInputLifecycles(t *testing.T) {
	for name, apart := range map[string]bool{"a run after each": true, "a run after two": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, w *world) {
				l := &inputLife{w: w}
				l.sell(t, 6)
				l.live(t, "at first")
				faults := lifecycleFaults()
				before := faults[0]
				for _, i := range allPairs(len(faults)) {
					f := faults[i]
					if !apart {
						before.inject(t, l)
					}
					f.inject(t, l)
					l.live(t, before.name+", then "+f.name)
					before = f
				}
			})
		})
	}
}

// allPairs returns numbers below n in an order in which each follows each, after a 0 at the start (a de Bruijn sequence).
func allPairs(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
		for j := i + 1; j < n; j++ {
			all = append(all, i, j)
		}
	}
	return append(all[1:], 0)
}
