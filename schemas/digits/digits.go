// Package digits owns the scripts in which numbers and times are written besides ASCII: the digits of Persian and Arabic, and what
// stands between them.
//
// It refuses to judge what the text means: whether it is a number, an amount or a time.
package digits

import "strings"

// Plain replaces the forms of digits, spaces and separators that people write, and software of other languages, by ASCII: the
// digits of Persian and Arabic, their comma, no-break spaces. It drops marks of the writing direction.
func Plain(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < 0x80
	}
	if ascii {
		return text
	}
	return strings.TrimSpace(strings.Map(func(c rune) rune {
		switch {
		case c >= '۰' && c <= '۹': // Persian
			return c - '۰' + '0'
		case c >= '٠' && c <= '٩': // Arabic
			return c - '٠' + '0'
		case c == '،':
			return ','
		case c == '\u00a0' || c == '\u202f' || c == '\u2009':
			return ' '
		case c == '\u200e' || c == '\u200f' || c == '\u061c' || c >= '\u202a' && c <= '\u202e':
			return -1
		}
		return c
	}, text))
}
