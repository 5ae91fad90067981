package telemetry

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// EscapeControls replaces what a terminal acts on by an escape that JSON has too: control characters (C0 but line feed and tab, delete,
// C1), characters that change the direction of text, and bytes that are not UTF-8. In a JSON text such characters occur in strings only,
// so that the result means the same.
func EscapeControls(s string) string {
	if strings.IndexFunc(s, acts) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteRune(utf8.RuneError)
		case acts(r) && r != utf8.RuneError:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// acts reports whether a terminal may act on a character rather than show it. The replacement character may stand for a byte that is not
// UTF-8, which a terminal may take for a C1 control character.
func acts(r rune) bool {
	return r == utf8.RuneError || unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

// escapingWriter escapes control characters in log lines: fields hold the text of errors, and errors that of others.
type escapingWriter struct{ to io.Writer }

func (w escapingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.to, EscapeControls(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
