package money

import (
	"encoding/json"
	"strings"
	"unicode"
)

// Spelled returns a number in JSON's syntax, digit for digit and without a float: it corrects the forms of spreadsheets that JSON does
// not allow (.5, 5., +5, 007), and reads the separators of Persian and Arabic. Its digits are ASCII (digits.Plain).
func Spelled(text string, decimalComma bool) (string, bool) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "٫٬") { // the decimal point and the separator of thousands of Persian and Arabic
		if strings.ContainsAny(text, ".,") || strings.Contains(text[max(0, strings.Index(text, "٫")):], "٬") && strings.Contains(text, "٫") {
			return "", false
		}
		text, decimalComma = strings.NewReplacer("٫", ".", "٬", "").Replace(text), false
	}
	if decimalComma {
		if strings.Contains(text, ".") || strings.Count(text, ",") > 1 {
			return "", false
		}
		text = strings.Replace(text, ",", ".", 1)
	}
	sign := ""
	switch {
	case strings.HasPrefix(text, "-"):
		sign, text = "-", text[1:]
	case strings.HasPrefix(text, "+"):
		text = text[1:]
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	whole, rest := text[:digits], text[digits:]
	if rest == "." && digits > 0 {
		rest = ""
	}
	if digits == 0 && (len(rest) < 2 || rest[0] != '.') {
		return "", false
	}
	whole = strings.TrimLeft(whole, "0")
	if whole == "" {
		whole = "0"
	}
	literal := sign + whole + rest
	return literal, len(literal) <= 400 && json.Valid([]byte(literal))
}

// OfWord returns the code of a currency that shops of Iran name by a word; "" for another text. "rial" in Latin letters is also the
// name of other currencies.
func OfWord(word string) string {
	switch word {
	case "تومان", "تومن":
		return "IRT"
	case "ریال", "﷼":
		return "IRR"
	}
	if strings.EqualFold(word, "toman") {
		return "IRT"
	}
	return ""
}

// CutWord returns an amount without the word of its currency, and the code of that currency; "": there is no word.
func CutWord(text string) (amount, code string) {
	digits := strings.TrimRightFunc(text, func(c rune) bool { return !unicode.IsDigit(c) })
	if code = OfWord(strings.TrimSpace(text[len(digits):])); code == "" {
		return text, ""
	}
	return digits, code
}
