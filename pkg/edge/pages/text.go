package pages

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// unknown stands for a figure that is not known.
const unknown = "–"

// grouped groups the digits of a decimal number by thousands.
func grouped(number string) string {
	if number == "" {
		return unknown
	}
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "−", number[1:]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	var b strings.Builder
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	if fraction != "" {
		b.WriteString("." + fraction)
	}
	return sign + b.String()
}

func amount(u money.Unit, minor int64) string { return grouped(string(u.Append(nil, minor))) }

func amountIf(u money.Unit, v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return amount(u, v.Value)
}

func numberIf(v output.Opt[float64], decimals int) string {
	if !v.Known {
		return unknown
	}
	return grouped(strconv.FormatFloat(v.Value, 'f', decimals, 64))
}

func wholeIf(v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return grouped(strconv.FormatInt(v.Value, 10))
}

func percentIf(v output.Opt[float64]) string {
	if !v.Known {
		return unknown
	}
	return fmt.Sprintf("%.0f%%", 100*v.Value)
}

func (p *pages) day(ms int64) string { return time.UnixMilli(ms).In(p.Zone).Format(time.DateOnly) }

func (p *pages) dayIf(v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return p.day(v.Value)
}

// moment is a time as people and programs read it.
func (p *pages) moment(ms int64) g.Node {
	t := time.UnixMilli(ms)
	return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), g.Text(t.In(p.Zone).Format("2006-01-02 15:04 MST")))
}

// shown writes out the characters of a name that would act instead of being read.
func shown(name string) string {
	var b strings.Builder
	for _, r := range name {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// name is a customer's id. Its direction is its own.
func name(id string) g.Node { return h.Span(h.Class("id"), h.Dir("auto"), g.Text(shown(id))) }

// linked is a customer's id as a link to their page.
func linked(id string) g.Node {
	return h.A(h.Class("id"), h.Dir("auto"), h.Href("/customer?id="+url.QueryEscape(id)), g.Text(shown(id)))
}

// words makes a field's name readable.
func words(field string) string {
	all := strings.Split(field, "_")
	for i, word := range all {
		if word == "clv" || word == "nps" || word == "cac" || word == "roi" {
			all[i] = strings.ToUpper(word)
		}
	}
	text := strings.Join(all, " ")
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
