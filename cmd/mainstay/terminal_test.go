package main

import (
	"encoding/json"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// Whoever sends events decides what is in ids and payloads, and a terminal acts on control characters: no command prints one.
func TestNothingThatAShopSendsReachesTheTerminalRaw(t *testing.T) {
	const hostile = "x\x1b]0;owned\x07\x1b[2J\u009b2J\x7f\u202e\r\ny"
	w, _ := newRunningWorld(t)
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(t, err)
	defer k.Close()
	producer, err := k.NewProducer(t.Context())
	require.NoError(t, err)
	good, err := json.Marshal(map[string]any{
		"event_id": hostile, "customer_id": hostile, "order_id": hostile, "total": 5, "currency": "USD", "occurred_at": "2026-01-01T00:00:00Z",
	})
	require.NoError(t, err)
	b := kafka.NewBatch("purchases", 0)
	b.Append(0, []byte(hostile), []byte(hostile), nil)
	b.Append(0, []byte(hostile), good, nil)
	_, err = producer.Produce(t.Context(), []*kafka.Batch{b})
	require.NoError(t, err)
	w.customer(hostile, orders("1"))

	for _, command := range [][]string{
		{"tail", "dlq", "--from", "start", "--max", "1", "--payload"},
		{"tail", "purchases", "--from", "start", "--max", "2", "--payload"},
		{"tail", "clv", "--from", "start", "--max", "1"},
		{"dlq", "list"},
		{"dlq", "show", "mainstay.purchases.dlq/0/0", "--payload"},
		{"customer", "get", hostile},
		{"customer", "explain", hostile},
		{"send", "purchase", "--customer", hostile, "--order", "2", "--total", "5", "--currency", "USD"},
		{"customer", "get", "nobody" + hostile},
		{"status"},
	} {
		for _, output := range []string{"table", "json"} {
			_, out, errs := w.run(append(command, "--output", output)...)
			require.NotEmpty(t, out+errs)
			for _, r := range out + errs {
				require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r), "%v: %q in %q", command, r, out+errs)
			}
		}
	}
}
