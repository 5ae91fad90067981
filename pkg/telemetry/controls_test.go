package telemetry

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// hostile has what a terminal acts on: escape sequences in their 7-bit and 8-bit forms, a bell, delete, reversed text, bytes that are not
// UTF-8.
const hostile = "a\x1b]0;title\x07\x1b[2Jb\u009b2Jc\x7fd\u202ee\u2066f\x9bg\rh\x00"

func TestControlCharactersAreEscaped(t *testing.T) {
	escaped := EscapeControls(hostile + "\n\tö漢👩‍🚒")
	require.Equal(t, `a\u001b]0;title\u0007\u001b[2Jb\u009b2Jc\u007fd\u202ee\u2066f`+"\ufffd"+`g\u000dh\u0000`+"\n\tö漢👩‍🚒", escaped)
	require.Equal(t, escaped, EscapeControls(escaped), "nothing is left")
	require.Equal(t, "all is well\n", EscapeControls("all is well\n"))
}

// In a JSON text the escapes mean the same, so that what is printed can be read again.
func TestEscapedJSONMeansTheSame(t *testing.T) {
	valid := "a\x1bb\u009bc\x7fd\u202e"
	text, err := json.Marshal(valid)
	require.NoError(t, err)
	var got string
	require.NoError(t, json.Unmarshal([]byte(EscapeControls(string(text))), &got))
	require.Equal(t, valid, got)
}

func TestLogLinesHoldNoControlCharacters(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var out bytes.Buffer
		log, _, err := NewLogger(&out, format, "info")
		require.NoError(t, err)
		log.Info("a record of "+hostile, zap.String("topic", hostile), zap.ByteString("stack", []byte(hostile)))
		for _, r := range out.String() {
			require.False(t, unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r), "%s: %q in %q", format, r, out.String())
		}
	}
}
