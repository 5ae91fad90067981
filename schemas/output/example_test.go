package output_test

import (
	"encoding/json"
	"fmt"

	"github.com/mainstay/mainstay/schemas/output"
)

// A subscriber reads a record of the topic mainstay.clv.v1: the headers say which ledger entry caused the output, and the value is
// JSON. The identity names the output, so a subscriber that has seen an equal or later one of the same ledger partition can drop it.
func Example() {
	// The record as a Kafka client returns it, with the headers that an output has.
	headers := map[string]string{
		"ce_type":              "mainstay.customer.clv.updated.v1",
		output.HeaderLedgerID:  "0f3a",
		output.HeaderPartition: "2",
		output.HeaderOffset:    "1001",
		output.HeaderOrdinal:   "1",
		output.HeaderLogic:     "1",
	}
	value := []byte(`{"event_id":"2-1001-1","event_type":"mainstay.customer.clv.updated.v1","customer_id":"c1","as_of":"2026-03-01T12:00:00Z",` +
		`"sequence":7,"currency":"EUR","historic_clv":49.90,"predicted_clv":null,"value_tier":"top_10","previous":null}`)

	id, err := output.ParseIdentity(func(name string) ([]byte, bool) {
		v, ok := headers[name]
		return []byte(v), ok
	})
	if err != nil { // wraps ErrForeign: the record is not an output of Mainstay
		fmt.Println(err)
		return
	}
	fmt.Printf("ledger %s, partition %d, offset %d, ordinal %d\n", id.LedgerID, id.Partition, id.Offset, id.Ordinal)

	// The fields that this subscriber needs. Amounts are exact decimals, so json.Number keeps them; null is nil.
	var clv struct {
		Customer  string       `json:"customer_id"`
		Sequence  uint64       `json:"sequence"` // rises with each output of the customer
		Currency  string       `json:"currency"`
		Historic  json.Number  `json:"historic_clv"`
		Predicted *json.Number `json:"predicted_clv"`
		Tier      *string      `json:"value_tier"`
	}
	if err := json.Unmarshal(value, &clv); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("customer %s, output %d: historic CLV %s %s, tier %s\n", clv.Customer, clv.Sequence, clv.Historic, clv.Currency, *clv.Tier)
	fmt.Println("predicted CLV is known:", clv.Predicted != nil)
	// Output:
	// ledger 0f3a, partition 2, offset 1001, ordinal 1
	// customer c1, output 7: historic CLV 49.90 EUR, tier top_10
	// predicted CLV is known: false
}
