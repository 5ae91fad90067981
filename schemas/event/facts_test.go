package event

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func factsOf(t testing.TB, kind Kind, value string) uint64 {
	r, err := decode(t, options(), kind, message(value))
	require.NoError(t, err, value)
	return r.Event.Facts
}

// The hash stands in ledgers: whatever changes these bytes or figures breaks the recognition of duplicates. The bytes are
// worked out by hand: a number is a zigzag varint (1772366400000 ms is 80a8a8949567), a text follows its length.
func TestFactsNeverChange(t *testing.T) {
	const at = `"occurred_at":"2026-03-01T12:00:00Z","customer_id":"c1",`
	for _, x := range []struct {
		kind      Kind
		value     string
		canonical string
		facts     uint64
	}{
		{
			Purchase, plainPurchase,
			// kind, occurred_at, order_id, total, currency, updated_at, cancelled, cancelled_at, number of refunds
			"00 80a8a8949567 026f31 fc4d 03455552 00 00 00 00", 0xe6e3d7497eab6962,
		},
		{
			Purchase, `{` + at + `"order_id":"o1","total":49.90,"status":"cancelled","updated_at":"2026-03-02T12:00:00Z","refunds":[{"refund_id":7,"total":0.05},{"refund_id":"r2","total":2,"occurred_at":"2026-03-01T12:00:00Z"}]}`,
			"00 80a8a8949567 026f31 fc4d 03455552 8098dbe69567 01 00 04" + // two refunds: id, total, occurred_at or 0
				"0137 0a 00  027232 9003 80a8a8949567", 0x79fc2c5c225acf73,
		},
		{
			Cancellation, `{` + at + `"kind":"refund","order_id":"o1","refund_id":"r1","total":5,"cancel_reason":"fraud"}`,
			// kind, occurred_at, kind of cancellation, order_id, refund_id, total, currency, subscription_id, effective_at, reason
			"01 80a8a8949567 04 026f31 027231 e807 03455552 00 00 056672617564", 0x35790fa13fc84690,
		},
		{
			Referral, `{"referral_id":"f1","advocate":"a","friend":"b","status":"approved"}`,
			// kind, occurred_at (not stated), referral_id, referrer, status
			"02 00 026631 0161 04", 0xc3a1def7028ea387,
		},
		{
			Survey, `{` + at + `"response_id":"a1","survey_id":"s1","survey_type":"equity","dimension":"brand","score":7,"created_at":"2026-03-01T12:00:00Z","excluded_from_calculations":true,"comment":"no fact","order_id":"no fact","product_id":"no fact"}`,
			// kind, occurred_at, response_id, survey_id, type, score, created_at, updated_at (not stated), excluded, dimension
			"03 80a8a8949567 026131 027331 08 0e 80a8a8949567 00 01 056272616e64", 0xc4753ba47db76147,
		},
		{
			Engagement, `{` + at + `"type":"page","channel":"web","campaign":"no fact"}`,
			// kind, occurred_at, type
			"05 80a8a8949567 02", 0xda64084701dd606e,
		},
	} {
		canonical, err := hex.DecodeString(strings.ReplaceAll(x.canonical, " ", ""))
		require.NoError(t, err)
		require.Equal(t, xxh64(canonical), factsOf(t, x.kind, x.value), x.value)
		require.Equal(t, x.facts, xxh64(canonical), "%#x", xxh64(canonical))
	}
}

// Published figures of XXH64, and every length of input against another implementation.
func TestXXH64(t *testing.T) {
	for text, want := range map[string]uint64{"": 0xef46db3751d8e999, "a": 0xd24ec4f1a98c6e5b, "abc": 0x44bc2cf5ad770999} {
		require.Equal(t, want, xxh64([]byte(text)))
	}
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes")
		require.Equal(t, xxhash.Sum64(b), xxh64(b))
	})
}

func TestWhatIsAFact(t *testing.T) {
	same := factsOf(t, Purchase, plainPurchase)
	for _, other := range []string{
		strings.Replace(plainPurchase, "e1", "e2", 1),
		strings.Replace(plainPurchase, `"EUR"`, `"eur","source":"shop"`, 1),
		strings.Replace(plainPurchase, `49.90`, `"49.900"`, 1),
		strings.Replace(plainPurchase, `12:00:00Z`, `13:00:00+01:00`, 1),
	} {
		require.Equal(t, same, factsOf(t, Purchase, other), other)
	}
	for _, other := range []string{
		strings.Replace(plainPurchase, "49.90", "49.91", 1),
		strings.Replace(plainPurchase, "o1", "o2", 1),
		strings.Replace(plainPurchase, "EUR", "USD", 1),
		strings.Replace(plainPurchase, "12:00:00Z", "12:00:01Z", 1),
		strings.Replace(plainPurchase, `"occurred_at":"2026-03-01T12:00:00Z",`, "", 1),
		strings.Replace(plainPurchase, `}`, `,"status":"cancelled"}`, 1),
		strings.Replace(plainPurchase, `}`, `,"refunds":[{"refund_id":"r","total":1}]}`, 1),
	} {
		require.NotEqual(t, same, factsOf(t, Purchase, other), other)
	}
	later := message(`{"customer_id":"c","response_id":"o","score":1}`)
	later.Timestamp += 12345
	r, err := decode(t, options(), Survey, later)
	require.NoError(t, err)
	require.Equal(t, factsOf(t, Survey, string(later.Value)), r.Event.Facts, "a time that is not stated is no fact")
}
