//go:build !race

// The race detector changes what an allocation takes.

package fold

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// customerWith returns a customer with a number of orders, of which each fifth is refunded in part, and a survey response for each tenth.
func customerWith(orders int) *customer.State {
	t := &customer.Terms{Unit: money.Unit{Code: "EUR", Currency: "EUR", Decimals: 2}, Settings: &ledger.SettingsValues{MemoryDays: 400, MemoryOrders: 1024, DedupDays: 30, DedupEvents: 256}}
	s := customer.New()
	for i := range orders {
		at := int64(i) * 20 * customer.DayMS
		m := t.At(at, at, true)
		id := fmt.Sprintf("order-%d", i)
		e := &ledger.Event{Id: fmt.Sprintf("event-%d", i), Source: "purchase", OccurredAt: at, Facts: uint64(i) << 50}
		s.RecordPurchase(t, m, e, &ledger.Purchase{OrderId: id, Total: 4990, Currency: "EUR"})
		s.RememberEvent(m, customer.EventFingerprint(e))
		if i%5 == 4 {
			s.RecordRefund(t, m, e, &ledger.Cancellation{OrderId: id, RefundId: "r" + id, Total: 100, Currency: "EUR"})
		}
		if i%10 == 9 {
			s.RecordResponse(&ledger.Survey{ResponseId: id, SurveyId: "survey", Type: ledger.SurveyType_SURVEY_TYPE_NPS, Score: 9, CreatedAt: at})
		}
		s.Evict(t, m)
	}
	return s
}

// liveHeap returns the bytes of all objects that are in use.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What the cache counts is what it takes: the memory setting is a promise about the process. It may count somewhat more.
func TestCacheCountsWhatItTakes(t *testing.T) {
	const customers = 3_000
	for _, orders := range []int{0, 1, 5, 15, 60} {
		t.Run(fmt.Sprintf("%d orders", orders), func(t *testing.T) {
			n := customers
			if orders > 20 {
				n /= 10
			}
			blob := customerWith(orders).Encode(nil)
			for name, fill := range map[string]func(w *workingSet, s *decodingStore){
				"loaded": func(w *workingSet, _ *decodingStore) {
					for i := range n {
						w.request(fmt.Sprintf("customer-%08d", i))
					}
					require.NoError(t, w.load())
				},
				"looked up in vain": func(w *workingSet, s *decodingStore) {
					s.blob = nil
					for i := range n {
						w.request(fmt.Sprintf("customer-%08d", i))
					}
					require.NoError(t, w.load())
				},
				"changed": func(w *workingSet, s *decodingStore) {
					s.blob = nil
					for i := range n {
						w.Put(fmt.Sprintf("customer-%08d", i), customerWith(orders))
					}
					w.committed()
				},
			} {
				before := liveHeap()
				s := &decodingStore{blob: blob}
				w := newWorkingSet(1<<40, s)
				fill(w, s)
				taken := liveHeap() - before
				t.Logf("%s: %d bytes taken, %d counted for each customer", name, taken/int64(n), w.bytes/int64(n))
				require.GreaterOrEqual(t, w.bytes, taken-taken/50, name)
				require.LessOrEqual(t, w.bytes, taken+taken/3, name)
				runtime.KeepAlive(w)
			}
		})
	}
}

// Changed customers cannot be evicted, so a commit is due before they take the whole of the memory setting.
func TestChangedCustomersCrowd(t *testing.T) {
	s, w := newFakeStore(100_000)
	n := 0
	for ; !w.crowded(); n++ {
		w.Put(fmt.Sprint(n), stateWithDeadline(1))
	}
	require.Greater(t, w.bytes, int64(50_000))
	require.Less(t, w.bytes, int64(60_000))
	s.commit(w)
	require.False(t, w.crowded())
	w.Put("0", customerWith(5))
	require.Equal(t, w.customers["0"].size, w.dirtyBytes)
	w.Put("0", customerWith(50))
	require.Equal(t, w.customers["0"].size, w.dirtyBytes)
}

// decodingStore holds the same blob for every customer.
type decodingStore struct{ blob []byte }

func (s *decodingStore) Load(ids []string) ([][]byte, error) {
	blobs := make([][]byte, len(ids))
	for i := range ids {
		blobs[i] = s.blob
	}
	return blobs, nil
}

func (*decodingStore) Due(int64, int) ([]redis.Timer, error) { return nil, nil }

func (*decodingStore) Classes(first, end, _ uint32) ([][]string, error) {
	return make([][]string, end-first), nil
}
