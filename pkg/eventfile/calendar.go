package eventfile

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hablullah/go-hijri"
	"github.com/jalaali/go-jalaali"
)

// calendar is the calendar of a column of dates, which are written year, month, day.
type calendar struct {
	name      string // as a value of --time-format
	century   int    // of a year of two digits below pivot; from pivot on, the century before
	pivot     int
	gregorian func(year, month, day int) (time.Time, bool)
}

// jalali is the Solar Hijri calendar of Iran and Afghanistan.
func jalali() *calendar {
	return &calendar{name: "jalali", century: 1400, pivot: 30, gregorian: func(year, month, day int) (time.Time, bool) {
		if !jalaali.IsValidDate(year, month, day) {
			return time.Time{}, false
		}
		y, m, d, err := jalaali.ToGregorian(year, jalaali.Month(month), day)
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC), err == nil
	}}
}

// ummAlQura is the lunar Hijri calendar of Saudi Arabia, which defines the years 1356 to 1500.
func ummAlQura() *calendar {
	return &calendar{name: "hijri", century: 1400, pivot: 60, gregorian: func(year, month, day int) (time.Time, bool) {
		if year < 1356 || year > 1500 {
			return time.Time{}, false
		}
		t := hijri.UmmAlQuraDate{Year: int64(year), Month: int64(month), Day: int64(day)}.ToGregorian()
		back, err := hijri.CreateUmmAlQuraDate(t)
		return t, err == nil && back.Month == int64(month) && back.Day == int64(day) // a month has 29 or 30 days
	}}
}

// toGregorian replaces the date with which a text begins by the same day as 2006-01-02; the time of day follows it unchanged.
func (c *calendar) toGregorian(text string) (string, bool) {
	rest := text
	var parts [3]int
	for i := range parts {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || i == 0 && digits != 2 && digits != 4 || i > 0 && digits > 2 {
			return "", false
		}
		if i == 0 && digits == 2 {
			if n += c.century; n >= c.century+c.pivot {
				n -= 100
			}
		}
		parts[i], rest = n, rest[digits:]
		if i < 2 {
			if rest == "" || rest[0] != '/' && rest[0] != '-' {
				return "", false
			}
			rest = rest[1:]
		}
	}
	if parts[1] < 1 || parts[1] > 12 || parts[2] < 1 || parts[2] > 31 {
		return "", false
	}
	day, ok := c.gregorian(parts[0], parts[1], parts[2])
	return day.Format(time.DateOnly) + rest, ok
}

// plainDigits replaces the forms of digits, spaces and separators that people write, and software of other languages, by ASCII: the
// digits of Persian and Arabic, their comma, no-break spaces. It drops marks of the writing direction.
func plainDigits(text string) string {
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

// currencyOfWord returns the code of a currency that files of Iran name by a word; "" for another text.
func currencyOfWord(word string) string {
	switch word {
	case "تومان", "تومن":
		return "IRT"
	case "ریال", "﷼":
		return "IRR"
	}
	return ""
}

// cutCurrencyWord returns an amount without the word of its currency, and the code of that currency; "": there is no word.
func cutCurrencyWord(text string) (amount, code string) {
	digits := strings.TrimRightFunc(text, func(c rune) bool { return !unicode.IsDigit(c) })
	if code = currencyOfWord(strings.TrimSpace(text[len(digits):])); code == "" {
		return text, ""
	}
	return digits, code
}
