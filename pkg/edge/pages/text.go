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

// text and textf are texts in the reader's language.
func (p *pages) text(text string) g.Node { return g.Text(p.T(text)) }

func (p *pages) textf(format string, args ...any) g.Node { return g.Text(p.F(format, args...)) }

// foreign is a text that exists in English alone, since an output or a configuration has it. Its direction is its own.
func (p *pages) foreign(text string) g.Node {
	if p.Tag == "en" {
		return g.Text(text)
	}
	return h.Span(h.Lang("en"), h.Dir("ltr"), g.Text(text))
}

// grouped writes a decimal number as the reader does.
func (p *pages) grouped(number string) string {
	if number == "" {
		return unknown
	}
	return p.Decimal(number)
}

func (p *pages) amount(u money.Unit, minor int64) string {
	return p.grouped(string(u.Append(nil, minor)))
}

func (p *pages) amountIf(u money.Unit, v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return p.amount(u, v.Value)
}

func (p *pages) numberIf(v output.Opt[float64], decimals int) string {
	if !v.Known {
		return unknown
	}
	return p.grouped(strconv.FormatFloat(v.Value, 'f', decimals, 64))
}

func (p *pages) wholeIf(v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return p.count(v.Value)
}

// plain is a decimal number without groups of thousands, for an axis.
func (p *pages) plain(number string) string { return p.Ungrouped(number) }

func (p *pages) count(n int64) string { return p.Decimal(strconv.FormatInt(n, 10)) }

func (p *pages) percentIf(v output.Opt[float64]) string {
	if !v.Known {
		return unknown
	}
	return p.wholePercent(v.Value)
}

// wholePercent has no decimal: 0.1234 is 12%.
func (p *pages) wholePercent(part float64) string { return p.Percent(fmt.Sprintf("%.0f", 100*part)) }

// percent has one decimal: 0.1234 is 12.3%.
func (p *pages) percent(part float64) string {
	text := fmt.Sprintf("%.1f", 100*part)
	if text == "-0.0" {
		text = "0.0"
	}
	return p.Percent(text)
}

func (p *pages) day(ms int64) string { return p.Day(time.UnixMilli(ms).In(p.Zone)) }

// dayOf is the day of a text: a day, or a moment as RFC 3339 writes it.
func (p *pages) dayOf(text string) string {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return p.Day(at.In(p.Zone))
	}
	return p.Period(text)
}

func (p *pages) dayIf(v output.Opt[int64]) string {
	if !v.Known {
		return unknown
	}
	return p.day(v.Value)
}

// moment is a time as people and programs read it.
func (p *pages) moment(ms int64) g.Node {
	t := time.UnixMilli(ms)
	//mutant:moments-in-utc replace return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), g.Text(p.Moment(t.UTC())))
	return h.Time(h.DateTime(t.UTC().Format(time.RFC3339)), g.Text(p.Moment(t.In(p.Zone))))
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
