package faulttest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// batchOf is a record of several events.
func batchOf(all ...inputRecord) inputRecord {
	values := make([]string, len(all))
	for i, r := range all {
		values[i] = r.value
	}
	return inputRecord{value: `{"batch":[` + strings.Join(values, ",") + `]}`}
}

// Of a record some of whose events the ledger refuses, the others count, and the record is one dead letter, counted once. Sent again when the
// ledger accepts them, each event counts once.
func TestRefusedEventsOfARecord(t *testing.T) {
	require.True(t, batches(eventClockSeed))
	inUncompressedWorld(t, eventClockSeed, func(t *testing.T, w *world) {
		remove := w.refuse("mainstay.ledger.v1", kerr.MessageTooLarge, largerThan(3000))
		in, f := w.startProcess("intake"), w.startProcess("fold")
		time.Sleep(2 * time.Second)
		refused := batchOf(sale(10, 0), sale(11, 300), sale(12, 0), sale(13, 300), sale(14, 300), sale(15, 0))
		w.send(t, "purchases", refused, batchOf(sale(16, 0), sale(17, 0)), sale(18, 0))
		time.Sleep(5 * time.Second)
		require.Empty(t, inputHalts(in.intake), "%v", in.intake.Status())
		require.Empty(t, w.unread(t, "purchases"))
		require.Equal(t, map[string]int{"too_large 0": 1}, w.letters(t))
		require.Equal(t, 6, w.orders(t))
		require.Equal(t, map[string]float64{"accepted": 2, "dead_letter": 1, "skipped": 0}, consumed(t, in), "each record is counted once")
		require.NoError(t, w.readAll("mainstay.purchases.dlq", func(r kafka.Record) error {
			require.Equal(t, refused.value, string(r.Value), "the dead letter is whole")
			return nil
		}))

		remove()
		w.send(t, "purchases", refused)
		time.Sleep(5 * time.Second)
		in.drain()
		<-in.done
		time.Sleep(3 * time.Second)
		f.drain()
		<-f.done
		require.Equal(t, 9, w.orders(t))
		require.Len(t, w.letters(t), 1)
	})
}

// A record of a thousand events, which is more than one batch of the ledger holds, is read as a whole.
func TestRecordOfManyEvents(t *testing.T) {
	inUncompressedWorld(t, eventClockSeed, func(t *testing.T, w *world) {
		in, f := w.startProcess("intake"), w.startProcess("fold")
		var all []inputRecord
		for i := range 1000 {
			all = append(all, sale(1000+i, 0))
		}
		w.send(t, "purchases", batchOf(all...), batchOf(append(all, sale(1, 0))...))
		time.Sleep(10 * time.Second)
		in.drain()
		<-in.done
		time.Sleep(3 * time.Second)
		f.drain()
		<-f.done
		require.Equal(t, 1000, w.orders(t))
		require.Equal(t, map[string]int{"too_many 1": 1}, w.letters(t))
		events, _ := w.appended(t)
		require.Equal(t, map[string]int{"purchases/0/0/0": 1000}, events)
	})
}
