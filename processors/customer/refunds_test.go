package customer

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

func refundTerms() *Terms {
	return &Terms{Unit: money.Unit{Code: "USD", Currency: "USD", Decimals: 2}, Settings: &ledger.SettingsValues{MemoryDays: 400}}
}

// A ledger may hold a snapshot with more refunds than an event may have now. Work that grows with their square would take minutes here.
func TestSnapshotWithManyRefunds(t *testing.T) {
	const n = 300_000
	refunds := make([]*ledger.Refund, n)
	for i := range refunds {
		refunds[i] = &ledger.Refund{RefundId: fmt.Sprint(i), Total: 1}
	}
	s := New()
	require.Empty(t, s.RecordPurchase(refundTerms(), Moment{}, &ledger.Event{}, &ledger.Purchase{OrderId: "o", Total: n + 1, Currency: "USD", Refunds: refunds}).Reason)
	require.EqualValues(t, 1, s.Historic())
}

// What the state of an order holds has a limit. Beyond it a refund is rejected, and a known one is still recognised.
func TestRefundsOfAnOrderHaveALimit(t *testing.T) {
	for name, purchased := range map[string]bool{"after its purchase": true, "before its purchase": false} {
		t.Run(name, func(t *testing.T) {
			s, terms, m := New(), refundTerms(), Moment{}
			if purchased {
				require.Empty(t, s.RecordPurchase(terms, m, &ledger.Event{}, &ledger.Purchase{OrderId: "o", Total: 5000, Currency: "USD"}).Reason)
			}
			refund := func(i int) Change {
				return s.RecordRefund(terms, m, &ledger.Event{}, &ledger.Cancellation{OrderId: "o", RefundId: fmt.Sprint(i), Total: 1, Currency: "USD"})
			}
			for i := range event.MaxRefunds {
				require.Equal(t, Change{}, refund(i))
			}
			before := s.Encode(nil)
			require.Equal(t, Change{Reason: output.TooManyRefunds}, refund(event.MaxRefunds))
			require.Equal(t, Change{Duplicate: true}, refund(7))
			require.Equal(t, before, s.Encode(nil))
		})
	}
}
