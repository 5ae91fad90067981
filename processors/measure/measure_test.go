package measure_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/schemas/money"
)

// What is read of what was written is written alike.
func TestReadIsTheInverseOfAppend(t *testing.T) {
	euro := money.Unit{Code: "EUR", Currency: "EUR", Decimals: 2}
	rapid.Check(t, func(t *rapid.T) {
		n, of := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "n"), rapid.Int64Range(0, 40).Draw(t, "of")
		for _, v := range []measure.Value{
			measure.Number(n), measure.Amount(n), measure.AmountPer(n, of), measure.Ratio(n, of, 1), measure.Ratio(n, of, 2), measure.Share(n, of), measure.Bool(n > 0),
		} {
			text := string(v.Append(nil, euro))
			read, err := v.Read(text, euro)
			require.NoError(t, err)
			require.Equal(t, v.Known(), read.Known())
			require.Equal(t, v.Kind(), read.Kind())
			require.Equal(t, text, string(read.Append(nil, euro)))
		}
	})
	for _, text := range []string{"", "x", "1.234", "1e5", "1.x"} {
		_, err := measure.Amount(0).Read(text, euro)
		require.Error(t, err, text)
	}
}
