package format_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/schemas/event"
)

// readAll returns what a record comes to: its events and their numbers, or why it is refused.
func readAll(t testing.TB, f *format.Format, value string, header func(string) ([]byte, bool)) (all []string, err error) {
	t.Helper()
	var into event.Result
	err = f.Decode(decoder(t), event.Purchase, &event.Message{Value: []byte(value), Timestamp: now, Header: header}, now, &into, func(number int, _ []byte) {
		payload, err := into.Event.MarshalVT()
		require.NoError(t, err)
		all = append(all, fmt.Sprintf("%d %s %s %x", number, into.Skip, into.Customer, payload))
	})
	return all, err
}

// An array of values is what its elements are, one after the other.
func TestAnArrayIsItsElements(t *testing.T) {
	shopify, err := format.Open("shopify")
	require.NoError(t, err)
	for _, c := range []struct {
		format *format.Format
		values []string
	}{
		{nil, []string{
			`{"customer_id":"c-1","order_id":"o-1","total":10,"currency":"EUR"}`, `{"customer_id":"c-2","order_id":"o-2","total":1.5,"currency":"EUR","test":true}`,
			`{"specversion":"1.0","id":"e","source":"/shop","type":"purchase","data":{"customer_id":"c-1","order_id":"o-3","total":10,"currency":"EUR"}}`,
			`{"customer_id":"c-1","order_id":"o-4","currency":"EUR"}`, // refused
		}},
		{shopify, []string{
			`{"id":5001,"total_price":"10.00","current_total_price":"10.00","currency":"EUR","customer":{"id":7},"processed_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","financial_status":"paid"}`,
			`{"id":5002,"total_price":"1.00","current_total_price":"1.00","currency":"EUR","customer":{"id":8},"processed_at":"2026-03-01T12:00:00Z","updated_at":"2026-03-01T12:00:00Z","financial_status":"paid"}`,
			`{"hello":1}`, // refused
		}},
	} {
		rapid.Check(t, func(rt *rapid.T) {
			values := rapid.SliceOfN(rapid.SampledFrom(c.values), 1, 5).Draw(rt, "values")
			var want []string
			refusedAt := -1
			for i, value := range values {
				events, err := readAll(t, c.format, value, nil)
				if err != nil {
					refusedAt = i
					break
				}
				for _, e := range events {
					_, e, _ = strings.Cut(e, " ")
					want = append(want, fmt.Sprint(len(want), " ", e))
				}
			}
			got, err := readAll(t, c.format, " ["+strings.Join(values, ",\n")+"]", nil)
			if refusedAt >= 0 {
				require.ErrorContains(rt, err, fmt.Sprintf("of [%d]", refusedAt))
				require.Empty(rt, got, "nothing of a refused record counts")
				return
			}
			require.NoError(rt, err)
			require.Equal(rt, want, got)
		})
	}
}

func TestBoundsOfAnArray(t *testing.T) {
	const one = `{"customer_id":"c","order_id":"o","total":10,"currency":"EUR"}`
	got, err := readAll(t, nil, "["+strings.Repeat(one+",", format.MaxEvents-1)+one+"]", nil)
	require.NoError(t, err)
	require.Len(t, got, format.MaxEvents)
	_, err = readAll(t, nil, "["+strings.Repeat(one+",", format.MaxEvents)+one+"]", nil)
	require.EqualError(t, err, "record: too_many: at most 1000 events")
	_, err = readAll(t, nil, "["+one+",["+one+"]]", nil)
	require.EqualError(t, err, "record: malformed: one JSON object is wanted, not an array: of [1]")
	got, err = readAll(t, nil, "[]", nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Contains(t, got[0], "0 other_record")
}

// The headers of a record name one event, and so none of an array.
func TestHeadersSayNothingOfAnArray(t *testing.T) {
	const one, other = `{"customer_id":"c","order_id":"o","total":10,"currency":"EUR"}`, `{"customer_id":"c","order_id":"p","total":10,"currency":"EUR"}`
	header := func(name string) ([]byte, bool) { return []byte("e-1"), name == "ce_id" }
	plain, err := readAll(t, nil, "["+one+","+other+"]", nil)
	require.NoError(t, err)
	got, err := readAll(t, nil, "["+one+","+other+"]", header)
	require.NoError(t, err)
	require.Equal(t, plain, got)
	named, err := readAll(t, nil, one, header)
	require.NoError(t, err)
	require.NotEqual(t, plain[0], named[0], "a record that is one event has them")
}
