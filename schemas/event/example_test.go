package event_test

import (
	"fmt"

	"github.com/mainstay/mainstay/schemas/event"
)

// A purchase needs a customer, an order, a total and a currency. Amounts become minor units of the currency, and the order
// stands in for the event_id that the record does not have.
func ExampleDecoder_Decode() {
	d, err := event.NewDecoder(event.DefaultOptions())
	if err != nil {
		fmt.Println(err)
		return
	}
	const now = 1_772_366_400_000 // ms: the caller's clock, 2026-03-01T12:00:00Z
	var result event.Result
	m := event.Message{Value: []byte(`{"userId": "c-1001", "order_id": "o-2001", "revenue": "49.90", "currency": "EUR"}`), Timestamp: now}
	err = d.Decode(event.Purchase, &m, now, &result)
	e := &result.Event
	fmt.Println(result.Customer, e.GetId(), e.GetPurchase().GetTotal(), e.GetPurchase().GetCurrency(), err)

	m.Value = []byte(`{"userId": "c-1001", "order_id": "o-2001", "currency": "EUR"}`)
	fmt.Println(d.Decode(event.Purchase, &m, now, &result))
	// Output:
	// c-1001 order:o-2001 4990 EUR <nil>
	// total: missing
}
