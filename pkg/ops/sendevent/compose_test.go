package sendevent

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/schemas/event"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestCompose(t *testing.T) {
	for name, c := range map[string]struct {
		kind  event.Kind
		texts map[string]string
		want  string
	}{
		"purchase": {
			event.Purchase,
			map[string]string{"customer": "me", "order": "1", "total": "49.90", "currency": "EUR"},
			`{"type":"purchase","occurred_at":"2026-03-01T12:00:00Z","customer_id":"me","order_id":"1","total":49.90,"currency":"EUR"}`,
		},
		"quotes": {
			event.Purchase,
			map[string]string{"customer": `a"b`, "order": "\n", "total": "1e3", "at": "-1d", "test": "true"},
			`{"type":"purchase","occurred_at":"2026-02-28T12:00:00Z","customer_id":"a\"b","test":true,"order_id":"\n","total":1e3}`,
		},
		"refund": {
			event.Cancellation,
			map[string]string{"customer": "me", "order": "1", "refund": "r", "total": "5"},
			`{"type":"cancellation","occurred_at":"2026-03-01T12:00:00Z","customer_id":"me","kind":"refund","refund_id":"r","order_id":"1","total":5}`,
		},
		"order":        {event.Cancellation, map[string]string{"customer": "me", "order": "1"}, `{"type":"cancellation","occurred_at":"2026-03-01T12:00:00Z","customer_id":"me","kind":"order","order_id":"1"}`},
		"subscription": {event.Cancellation, map[string]string{"customer": "me", "subscription": "s"}, `{"type":"cancellation","occurred_at":"2026-03-01T12:00:00Z","customer_id":"me","kind":"subscription","subscription_id":"s"}`},
		"account":      {event.Cancellation, map[string]string{"customer": "me"}, `{"type":"cancellation","occurred_at":"2026-03-01T12:00:00Z","customer_id":"me","kind":"account"}`},
		"referral": {
			event.Referral,
			map[string]string{"customer": "friend", "referrer": "me"},
			`{"type":"referral","occurred_at":"2026-03-01T12:00:00Z","referrer_customer_id":"me","referred_customer_id":"friend","status":"approved"}`,
		},
		"survey": {
			event.Survey,
			map[string]string{"customer": "me", "score": "9", "at": "2026-02-01"},
			`{"type":"survey","occurred_at":"2026-02-01T00:00:00Z","customer_id":"me","response_id":"new","survey_type":"nps","score":9}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			key, value, err := Compose(c.kind, c.texts, noon, "new")
			require.NoError(t, err)
			require.Equal(t, c.want, string(value))
			require.Equal(t, c.texts["customer"], string(key))
		})
	}
	for want, texts := range map[string]map[string]string{
		"--customer is needed": {"order": "1", "total": "1"},
		"--total: must be a number such as 49.90; it is \"NaN\"":       {"customer": "me", "order": "1", "total": "NaN"},
		"--total: must be a number such as 49.90; it is \"\\\"1\\\"\"": {"customer": "me", "order": "1", "total": `"1"`},
		"--at: must be a time like":                                    {"customer": "me", "order": "1", "total": "1", "at": "soon"},
		"--test: must be true or false":                                {"customer": "me", "order": "1", "total": "1", "test": "1"},
	} {
		_, _, err := Compose(event.Purchase, texts, noon, "new")
		require.ErrorContains(t, err, want)
	}
}

// Any values of the flags give valid JSON with these values, and the decoder reads the same values from it.
func TestComposedEventsAreRead(t *testing.T) {
	d, err := event.NewDecoder(event.DefaultOptions())
	require.NoError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		texts := map[string]string{
			"customer": rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "customer"), "order": rapid.String().Draw(t, "order"), "total": rapid.StringMatching(`\d{1,6}\.\d{2}`).Draw(t, "total"), "currency": "EUR",
		}
		if texts["order"] == "" {
			texts["order"] = "1"
		}
		key, value, err := Compose(event.Purchase, texts, noon, "new")
		if err != nil { // 007 is no number
			require.False(t, json.Valid([]byte(texts["total"])))
			return
		}
		var read map[string]any
		require.NoError(t, json.Unmarshal(value, &read))
		require.Equal(t, texts["order"], read["order_id"])
		var result event.Result
		if d.Decode(event.Purchase, &event.Message{Key: key, Value: value}, noon.UnixMilli(), &result) == nil && result.Skip == "" {
			require.Equal(t, texts["customer"], result.Customer)
		}
	})
}
