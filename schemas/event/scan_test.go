package event

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// advances holds every part of the scanner to what all its loops stand on: from any place in any bytes, it fails or has gone
// on by at least one byte, and never beyond the end. So no loop has more rounds than the record has bytes.
func advances(t require.TestingT, b []byte) {
	s := &scanner{buf: b}
	went := func(what string, from, end, least int) {
		if end != -1 && (end < from+least || end > len(b)) {
			require.Failf(t, "no way forward", "%s from %d of %q ended at %d", what, from, b, end)
		}
	}
	for i := range min(len(b), 64) {
		went("space", i, s.space(i), 0)
		went("digits", i, skipDigits(b, i), 0)
		_, end := s.value(i, inBody, 1)
		went("value", i, end, 1)
		end, _ = s.string(i) // as if a quote stood there
		went("string", i, end, 2)
		went("number", i, s.number(i), 1)
		went("object", i, s.object(i, inBody, 1), 2)
		went("array", i, s.array(i, 1), 2)
	}
	_, end := s.value(len(b), inBody, 1)
	went("value", len(b), end, 1)
}

func TestScannerAdvances(t *testing.T) {
	pieces := rapid.SampledFrom([]string{`{`, `}`, `[`, `]`, `"`, `,`, `:`, ` `, `\`, `\"`, `\u`, `\ud83d`, `\ude00`, `-`, `0`, `1.`, `e+`, `true`, `nul`, `"a":`, `"data":{`, `"refunds":[`, "\x00", "\xff", "é"})
	d := decoder(t, options())
	var into Result
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Join([][]byte{[]byte(joined(rapid.SliceOfN(pieces, 0, 30).Draw(t, "pieces"))), rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, "bytes")}, nil)
		advances(t, b)
		for kind := range Kinds { // and so it ends
			_ = d.Decode(kind, &Message{Value: b, Timestamp: now}, now, &into)
		}
	})
}

func joined(pieces []string) (all string) {
	for _, p := range pieces {
		all += p
	}
	return all
}

// The depth of what is read is bounded, however long the record.
func TestDeepRecordsAreRefused(t *testing.T) {
	d := decoder(t, options())
	for _, opening := range []string{`[`, `{"data":`, `{"refunds":[`, `{"a":`} {
		b := bytes.Repeat([]byte(opening), 100_000)
		err := d.Decode(Purchase, &Message{Value: append([]byte(`{"x":`), b...), Timestamp: now}, now, new(Result))
		require.EqualError(t, err, "record: malformed: one JSON object is wanted")
	}
}

// Eight bytes at once are as good as one after the other.
func TestSpecial(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringOfN(rapid.SampledFrom([]rune("a \"\\\x00\x1f\x1e!#[]\x7f\u0080é\u00a2\u2022")), 8, 20, -1).Draw(t, "text"))[:8]
		want := bytes.IndexFunc(b, func(r rune) bool { return r != utf8.RuneError && (r < ' ' || r == '"' || r == '\\') })
		if want < 0 {
			want = 8
		}
		var word uint64
		for i, c := range b {
			word |= uint64(c) << (8 * i)
		}
		require.Equal(t, want, special(word), "%q", b)
	})
}
