package locale

import (
	"fmt"
	"io"
	"strings"
)

// numbers is how a language writes numbers.
type numbers struct {
	zero           rune // the first of ten digits in a row
	group, decimal string
	plus, minus    string
	percent        string
}

// Decimal writes a decimal number, which is written as programs do (-1234.50, +3), with its digits grouped by thousands.
func (l *Locale) Decimal(number string) string { return l.form().write(number, true) }

// Ungrouped is Decimal without the groups. English keeps the number as programs write it.
func (l *Locale) Ungrouped(number string) string {
	if l.numbers == nil {
		return number
	}
	return l.numbers.write(number, false)
}

func (n *numbers) write(number string, grouped bool) string {
	sign := ""
	if rest, below := strings.CutPrefix(number, "-"); below {
		sign, number = n.minus, rest
	} else if rest, signed := strings.CutPrefix(number, "+"); signed {
		sign, number = n.plus, rest
	}
	whole, fraction, _ := strings.Cut(number, ".")
	var b strings.Builder
	for i, digit := range whole {
		if grouped && i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteString(n.group)
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString(n.decimal + fraction)
	}
	return sign + n.digits(b.String())
}

// Percent adds the sign of percent to a decimal number.
func (l *Locale) Percent(number string) string { return l.Decimal(number) + l.form().percent }

// Digits writes the digits of a text that is not a number, such as an ordinal or a time of day.
func (l *Locale) Digits(text string) string { return l.form().digits(text) }

func (l *Locale) form() *numbers {
	if l.numbers == nil {
		return &numbers{zero: '0', group: ",", decimal: ".", plus: "+", minus: "−", percent: "%"}
	}
	return l.numbers
}

func (n *numbers) digits(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return c - '0' + n.zero
		}
		return c
	}, text)
}

// F formats like fmt.Sprintf: the format in the language, and the numbers among the arguments with its digits. Texts among them stand as
// they are, since they may be names.
func (l *Locale) F(format string, args ...any) string {
	if l.numbers == nil {
		return fmt.Sprintf(format, args...)
	}
	written := make([]any, len(args))
	for i, a := range args {
		switch a.(type) {
		case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
			a = argument{l.numbers, a}
		}
		written[i] = a
	}
	return fmt.Sprintf(l.T(format), written...)
}

// argument is a number among the arguments of a format.
type argument struct {
	in    *numbers
	value any
}

// Format implements fmt.Formatter: the number as the verb says, in the digits of the language.
func (a argument) Format(to fmt.State, verb rune) {
	text := fmt.Sprintf(fmt.FormatString(to, verb), a.value)
	text = strings.NewReplacer("-", a.in.minus, ".", a.in.decimal).Replace(text)
	_, _ = io.WriteString(to, a.in.digits(text)) // into memory
}
