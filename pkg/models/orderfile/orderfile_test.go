package orderfile

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/event"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func read(t *testing.T, content string, change func(*Options)) (*Orders, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	o := Options{Event: event.DefaultOptions(), Now: now}
	if change != nil {
		change(&o)
	}
	return Read(path, o)
}

func repeatBuyers(all []lifetimes.History) (n int) {
	for _, h := range all {
		if len(h) > 1 {
			n++
		}
	}
	return n
}

// TestStatusesCountAsInTheStream reads 400 customers, some of whose orders are cancelled, refunded, drafts, or stated again with
// another status.
func TestStatusesCountAsInTheStream(t *testing.T) {
	orders, err := Read("testdata/status.csv", Options{Event: event.DefaultOptions(), Now: now})
	require.NoError(t, err)
	require.Len(t, orders.Histories, 326)
	require.Equal(t, 123, repeatBuyers(orders.Histories))
	require.Equal(t, "EUR", orders.Unit.Code)
}

// An order of which more is paid back than the setting counts of it, such as its shipping, is an order that does not stand, and no error.
func TestMoreIsPaidBackThanCounts(t *testing.T) {
	orders, err := read(t, "customer_id,order_id,occurred_at,total,shipping,refunded,currency\na,1,2026-01-01,50,5,50,EUR\na,2,2026-01-02,50,5,,EUR\n", func(o *Options) {
		o.Event.Total, o.Mapping.Columns = event.TotalWithoutShipping, map[string]string{"refunded": "refunded"}
	})
	require.NoError(t, err)
	require.Empty(t, orders.Refused)
	require.Len(t, orders.Histories, 1)
	require.Equal(t, int64(4500), orders.Histories[0].Net())
}

func TestCDNOW(t *testing.T) {
	columns, err := eventfile.ParseMap("customer_id=sampleid,occurred_at=date,total=sales")
	require.NoError(t, err)
	orders, err := Read("../../lifetimes/testdata/cdnow_sample.csv", Options{
		Mapping: eventfile.Mapping{Columns: columns, TimeFormat: "20060102", Currency: "USD"}, Event: event.DefaultOptions(), Now: now,
	})
	require.NoError(t, err)
	require.Empty(t, orders.Refused)
	require.Equal(t, "USD", orders.Unit.Code)
	count, sum := 0, int64(0)
	for _, h := range orders.Histories {
		count, sum = count+h.Orders(), sum+h.Net()
	}
	require.Equal(t, 6919, count)
	require.Equal(t, int64(24_409_194), sum)
}

// TestOrdersCountOnce verifies repeated rows, conflicts, tests, anonymous customers and the normalisation of ids.
func TestOrdersCountOnce(t *testing.T) {
	const content = `customer_id,order_id,occurred_at,total,test
a,1,2024-01-01,10,
a,1,2024-01-01,10.00,
b,1,2024-01-01,10,
a,1,2024-01-02,10,
guest,9,2024-01-02,10,
walk-in,8,2024-01-02,10,
a,2,2024-01-02,10,true
 B ,3,2024-01-03,5,
`
	orders, err := read(t, content, func(o *Options) {
		o.Event.Anonymous, o.Event.Normalise = []string{"walk-in", "guest"}, event.NormaliseLower
	})
	require.NoError(t, err)
	require.Empty(t, orders.Unit.Code)
	require.Equal(t, []lifetimes.History{{{Day: 19723, Orders: 1, Net: 1000}}, {{Day: 19723, Orders: 1, Net: 1000}, {Day: 19725, Orders: 1, Net: 500}}}, orders.Histories)
	require.Equal(t, 2, orders.Anonymous)
	require.Len(t, orders.Refused, 1)
	require.Equal(t, 5, orders.Refused[0].Line)
	require.Contains(t, orders.Refused[0].Reason, "stated before")
}

// TestSnapshots verifies that the newest snapshot of an order counts, in any order of the rows, and the amount by money.total.
func TestSnapshots(t *testing.T) {
	rows := []string{
		"a,1,2024-01-01,2024-01-01T10:00:00Z,100,80\n", "a,1,2024-01-01,2024-01-03T10:00:00Z,70,60\n", "a,1,2024-01-01,2024-01-02T10:00:00Z,90,75\n",
	}
	for i := range rows {
		content := "customer_id,order_id,occurred_at,updated_at,total,subtotal\n" + rows[i] + rows[(i+1)%3] + rows[(i+2)%3]
		orders, err := read(t, content, nil)
		require.NoError(t, err)
		require.Equal(t, []lifetimes.History{{{Day: 19723, Orders: 1, Net: 7000}}}, orders.Histories)
		orders, err = read(t, content, func(o *Options) { o.Event.Total = event.TotalSubtotal })
		require.NoError(t, err)
		require.Equal(t, int64(6000), orders.Histories[0].Net())
	}
}

func TestCurrenciesAndDays(t *testing.T) {
	_, err := read(t, "customer_id,occurred_at,total,currency\na,2024-01-01,10,EUR\nb,2024-01-01,10,USD\n", nil)
	require.ErrorIs(t, err, ErrCurrencies)
	orders, err := read(t, "customer_id,occurred_at,total,currency\na,2024-01-01,10,IRT\n", nil)
	require.NoError(t, err)
	require.Equal(t, "IRT", orders.Unit.Code)
	require.Equal(t, int64(10), orders.Histories[0].Net()/pow10(orders.Unit.Decimals))
	tehran, err := time.LoadLocation("Asia/Tehran")
	require.NoError(t, err)
	orders, err = read(t, "customer_id,occurred_at,total\na,2024-05-01T21:00:00Z,10\n", func(o *Options) { o.Zone = tehran })
	require.NoError(t, err)
	require.Equal(t, int32(19845), orders.Histories[0][0].Day, "the 2nd in Tehran")
	empty, err := read(t, "customer_id,occurred_at,total\n", nil)
	require.NoError(t, err)
	require.Empty(t, empty.Histories)
}

func pow10(n int) int64 {
	v := int64(1)
	for range n {
		v *= 10
	}
	return v
}
