package faulttest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/failure"
)

// TestACoordinatorThatStaysBusyIsACause: a coordinator of transactions may answer for minutes that it is still ending the transaction
// before (51), as one does that cannot write markers. The partition says so, and goes on when that is over.
func TestACoordinatorThatStaysBusyIsACause(t *testing.T) {
	for _, request := range []kmsg.Key{kmsg.InitProducerID, kmsg.AddOffsetsToTxn, kmsg.EndTxn} {
		t.Run(request.Name(), func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				in := w.startProcess("intake")
				for id := range 9 {
					w.purchase(t, id)
				}
				time.Sleep(5 * time.Second)
				busy := w.env.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{request}, Err: kerr.ConcurrentTransactions, Count: -1})
				f := w.startProcess("fold")
				time.Sleep(time.Minute)
				busyAnswers := 0
				for _, s := range f.fold.Status() {
					if s.Failing != "" {
						require.Equal(t, failure.KafkaUnreachable, s.Failing)
						require.Contains(t, s.Cause, kafka.CodeConcurrentTransactions.Error())
						busyAnswers++
					}
				}
				require.Positive(t, busyAnswers)
				busy.Remove()
				time.Sleep(time.Minute)
				require.Equal(t, 9, w.orders(t))
				in.drain()
				<-in.done
				f.drain()
				<-f.done
			})
		})
	}
}
