package money

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func table(t testing.TB) *Table {
	table, err := NewTable(nil)
	require.NoError(t, err)
	return table
}

func unit(t testing.TB, code string) Unit {
	u, ok := table(t).Lookup([]byte(code))
	require.True(t, ok, code)
	return u
}

func TestParseAndAppend(t *testing.T) {
	for _, c := range []struct {
		code, text string
		form       Number
		minor      int64
		rounded    bool
		printed    string
		err        error
	}{
		{"EUR", "49.90", Literal, 4990, false, "49.90", nil},
		{"EUR", "49.90", Text, 4990, false, "49.90", nil},
		{"EUR", "0", Literal, 0, false, "0.00", nil},
		{"EUR", "-0.0", Literal, 0, false, "0.00", nil},
		{"EUR", "0.005", Literal, 0, true, "0.00", nil},
		{"EUR", "0.015", Literal, 2, true, "0.02", nil},
		{"EUR", "0.0050000000000000000000000001", Literal, 1, true, "0.01", nil},
		{"EUR", "0.004999", Literal, 0, true, "0.00", nil},
		{"EUR", "0.9951", Literal, 100, true, "1.00", nil},
		{"EUR", "1.10000000000000000000000000000", Literal, 110, false, "1.10", nil},
		{"EUR", "1.5e3", Literal, 150000, false, "1500.00", nil},
		{"EUR", "1500E-3", Literal, 150, false, "1.50", nil},
		{"EUR", "5e-3", Literal, 0, true, "0.00", nil},
		{"EUR", "6e-3", Literal, 1, true, "0.01", nil},
		{"EUR", "99e-5", Literal, 0, true, "0.00", nil},
		{"EUR", "1e-999", Literal, 0, true, "0.00", nil},
		{"EUR", "0e999", Literal, 0, false, "0.00", nil},
		{"EUR", "1e1000", Literal, 0, false, "", ErrOverflow},
		{"EUR", "1.5e3", Text, 0, false, "", ErrFormat},
		{"EUR", "007.50", Text, 750, false, "7.50", nil},
		{"EUR", "007.50", Literal, 0, false, "", ErrFormat},
		{"EUR", ".5", Literal, 0, false, "", ErrFormat},
		{"EUR", "5.", Text, 0, false, "", ErrFormat},
		{"EUR", "", Text, 0, false, "", ErrFormat},
		{"EUR", "NaN", Text, 0, false, "", ErrFormat},
		{"EUR", "1e", Literal, 0, false, "", ErrFormat},
		{"EUR", "1,000.00", Text, 0, false, "", ErrFormat},
		{"EUR", "-0.001", Literal, 0, false, "", ErrNegative},
		{"EUR", "-5", Text, 0, false, "", ErrNegative},
		{"EUR", "92233720368547758.07", Literal, math.MaxInt64, false, "92233720368547758.07", nil},
		{"EUR", "92233720368547758.0749", Literal, math.MaxInt64, true, "92233720368547758.07", nil},
		{"EUR", "92233720368547758.075", Literal, 0, false, "", ErrOverflow},
		{"EUR", "92233720368547758.08", Literal, 0, false, "", ErrOverflow},
		{"EUR", "100000000000000000000", Literal, 0, false, "", ErrOverflow},
		{"JPY", "1200", Literal, 1200, false, "1200", nil},
		{"JPY", "0.5", Literal, 0, true, "0", nil},
		{"JPY", "1.5", Literal, 2, true, "2", nil},
		{"KWD", "1.2345", Literal, 1234, true, "1.234", nil},
		{"CLF", "1.2345", Literal, 12345, false, "1.2345", nil},
		{"IRT", "200000", Literal, 200000000, false, "200000", nil},
		{"IRT", "0", Literal, 0, false, "0", nil},
		{"IRT", "1.5", Literal, 1500, false, "1.5", nil},
		{"IRT", "10.05", Literal, 10050, false, "10.05", nil},
		{"irt", "0.001", Literal, 1, false, "0.001", nil},
	} {
		u := unit(t, c.code)
		minor, rounded, err := u.Parse([]byte(c.text), c.form)
		require.Equal(t, c.err, err, "%s %s", c.code, c.text)
		if err != nil {
			continue
		}
		require.Equal(t, c.minor, minor, "%s %s", c.code, c.text)
		require.Equal(t, c.rounded, rounded, "%s %s", c.code, c.text)
		require.Equal(t, c.printed, string(u.Append(nil, minor)))
	}
	require.Equal(t, "-92233720368547758.08", string(unit(t, "EUR").Append(nil, math.MinInt64)))
	require.Equal(t, "-0.05", string(unit(t, "EUR").Append(nil, -5)))
}

func TestAliasHoldsTheCurrencyBehindIt(t *testing.T) {
	irt := unit(t, "IRT")
	require.Equal(t, Unit{Code: "IRT", Currency: "IRR", Decimals: 3, Optional: 3}, irt)
	minor, _, err := irt.Parse([]byte("200000"), Literal)
	require.NoError(t, err)
	require.Equal(t, "1000000", string(irt.Append(nil, 5*minor)))
	require.Equal(t, "10000000.00", string(unit(t, "IRR").Append(nil, 5*minor)))
}

// Every text is exact, whatever the currency: it is read as the amount that was written.
func TestWrittenIsRead(t *testing.T) {
	for _, code := range []string{"EUR", "JPY", "KWD", "CLF", "IRR", "IRT"} {
		u := unit(t, code)
		for minor := int64(1); minor > 0 && minor < math.MaxInt64/7; minor = minor*7 + 3 {
			for _, v := range []int64{minor, minor / 10 * 10, minor / 1000 * 1000} {
				again, rounded, err := u.Parse(u.Append(nil, v), Literal)
				require.NoError(t, err)
				require.False(t, rounded)
				require.Equal(t, v, again, code)
			}
		}
	}
}

// Amounts that are computed have no more decimals than the currency: none in toman.
func TestRound(t *testing.T) {
	irt, eur := unit(t, "IRT"), unit(t, "EUR")
	for minor, want := range map[int64]int64{0: 0, 499: 0, 500: 0, 501: 1000, 1500: 2000, 2500: 2000, -500: 0, -501: -1000, -1500: -2000, -2500: -2000, -2501: -3000} {
		require.Equal(t, want, irt.Round(minor), minor)
		require.Equal(t, minor, eur.Round(minor))
	}
	euro := Alias{As: "EUR", Times: 1}
	table, err := NewTable(map[string]Alias{"EURO": euro})
	require.NoError(t, err)
	u, _ := table.Lookup([]byte("EURO"))
	require.Equal(t, "2.00", string(u.Append(nil, 200)), "another name of the euro has cents")
}

func TestTableRefuses(t *testing.T) {
	for want, aliases := range map[string]map[string]Alias{
		"money.currencies.EUR: is a code of ISO 4217":         {"EUR": {As: "USD", Times: 10}},
		"money.currencies.ab: a code has 3 to 8":              {"ab": {As: "USD", Times: 10}},
		`money.currencies.XYZ.as: "ABC" is no code`:           {"XYZ": {As: "ABC", Times: 10}},
		"money.currencies.XYZ.times: 12 is not one of 1, 10,": {"XYZ": {As: "USD", Times: 12}},
		"money.currencies.XYZ.times: 0 is not":                {"XYZ": {As: "USD"}},
		`money.currencies.XYZ.as: "IRT" is no code`:           {"XYZ": {As: "IRT", Times: 1}},
		"money.currencies.IRT: is shipped as 10 IRR":          {"IRT": {As: "IRR", Times: 100}},
	} {
		_, err := NewTable(aliases)
		require.ErrorContains(t, err, want)
	}
	for _, code := range []string{"", "EU", "XAU", "EURO", "ABCDEFGHI", "E\x00R"} {
		_, ok := table(t).Lookup([]byte(code))
		require.False(t, ok, code)
	}
}

func TestShippedAliasesMayBeRepeated(t *testing.T) {
	repeated, err := NewTable(Shipped())
	require.NoError(t, err)
	require.Equal(t, table(t), repeated)
}

func TestFloats(t *testing.T) {
	eur := unit(t, "EUR")
	for major, want := range map[float64]int64{0: 0, 1.25: 125, .125: 12, .375: 38, -.125: -12, 1e6: 1e8} {
		minor, ok := eur.Minor(major)
		require.True(t, ok)
		require.Equal(t, want, minor)
	}
	for _, major := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e17} {
		_, ok := eur.Minor(major)
		require.False(t, ok)
	}
	require.InDelta(t, 49.9, eur.Major(4990), 1e-12)
}

// naive is the same by big.Rat.
func naive(text string, scale int) (v int64, rounded, negative, overflow bool) {
	r, _ := new(big.Rat).SetString(text)
	if r.Sign() < 0 {
		return 0, false, true, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	q, rem := new(big.Int).QuoRem(r.Num(), r.Denom(), new(big.Int))
	twice := new(big.Int).Lsh(rem, 1).Cmp(r.Denom())
	if twice > 0 || twice == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q.Int64(), rem.Sign() != 0, false, !q.IsInt64()
}

func TestDecimalAgainstBigRat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,21})(\.[0-9]{1,8}0{0,3}5?)?([eE][+-]?[0-9]{1,2})?`).Draw(t, "text")
		agree(t, text, rapid.IntRange(0, 10).Draw(t, "scale"))
	})
}

func FuzzMoney(f *testing.F) {
	for _, s := range []string{"49.90", "1e3", "-0", "0.005", "92233720368547758.075", "1e-999", "x", "5.", "007"} {
		f.Add(s, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) { agree(t, text, int(scale%11)) })
}

// agree holds Decimal against big.Rat, and a printed amount against what is read back.
func agree(t require.TestingT, text string, scale int) {
	v, rounded, err := Decimal([]byte(text), scale, Literal)
	if errors.Is(err, ErrFormat) || errors.Is(err, ErrOverflow) && strings.ContainsAny(text, "eE") {
		return // huge exponents are cut before big.Rat would meet them
	}
	want, wantRounded, negative, overflow := naive(text, scale)
	switch {
	case overflow:
		require.Equal(t, ErrOverflow, err)
	case negative:
		require.Error(t, err)
	default:
		require.NoError(t, err)
		require.Equal(t, want, v)
		require.Equal(t, wantRounded, rounded)
		printed := Unit{Decimals: scale}.Append(nil, v)
		again, _, err := Decimal(printed, scale, Literal)
		require.NoError(t, err)
		require.Equal(t, v, again)
	}
}
