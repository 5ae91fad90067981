package pages

import (
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// chart is a picture of figures over time, as SVG. Its colours are classes of the style sheet.
type chart struct {
	b          strings.Builder
	from, to   int64 // ms
	low, high  float64
	left, base float64
	width      float64
}

// A chart has the width of a page, or as a narrow one of a column. Its text grows and shrinks with it.
const chartWidth, narrowWidth, chartHeight = 720.0, 440.0, 240.0

// newChart returns a chart of values from 0 on.
func (p *pages) newChart(title string, from, to int64, high float64) *chart {
	return p.chartOf("chart", chartWidth, title, from, to, 0, high)
}

func (p *pages) newNarrowChart(title string, from, to int64, low, high float64) *chart {
	return p.chartOf("chart narrow", narrowWidth, title, from, to, low, high)
}

// axisRoom is the room for the labels of the levels: for a short number and the word for its unit, which is a letter in English.
func (p *pages) axisRoom() float64 {
	const short, letter = 52.0, 8.0
	return short + letter*float64(utf8.RuneCountInString(p.T("%sm"))-len("%sm"))
}

func (p *pages) chartOf(class string, width float64, title string, from, to int64, low, high float64) *chart {
	c := &chart{from: from, to: max(to, from+1), low: low, high: high, left: p.axisRoom(), base: chartHeight - 28, width: width}
	if c.high <= c.low {
		c.high = c.low + 1
	}
	fmt.Fprintf(&c.b, `<svg class="%s" viewBox="0 0 %g %g" role="img" aria-label="%s">`, class, width, chartHeight, html.EscapeString(title))
	return c
}

func (c *chart) x(at int64) float64 {
	return c.left + float64(at-c.from)/float64(c.to-c.from)*(c.width-c.left-12)
}

func (c *chart) y(v float64) float64 { return c.base - (v-c.low)/(c.high-c.low)*(c.base-14) }

func (c *chart) level(v float64, label string) {
	fmt.Fprintf(&c.b, `<line class="grid" x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><text x="%.1f" y="%.1f" text-anchor="end">%s</text>`,
		c.left, c.width-12, c.y(v), c.y(v), c.left-8, c.y(v)+4, html.EscapeString(label))
}

// days labels the axis of time.
func (c *chart) days(day func(ms int64) string) {
	const labels = 5
	for i := range int64(labels) {
		at := c.from + (c.to-c.from)*i/(labels-1)
		anchor := "middle"
		switch i {
		case 0:
			anchor = "start"
		case labels - 1:
			anchor = "end"
		}
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, c.x(at), chartHeight-8, anchor, html.EscapeString(day(at)))
	}
}

// labels writes some texts below the axis, the first and the last among them, as many as there is room for.
func (c *chart) labels(texts []string, place func(i int) float64) {
	const room = 110 // of a text
	most := int(c.width / room)
	step := max(1, (len(texts)-1+most-2)/(most-1))
	for i := range texts {
		if last := len(texts) - 1; i != last && (i%step != 0 || last-i < step) {
			continue
		}
		fmt.Fprintf(&c.b, `<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, min(place(i), c.width-30), chartHeight-8, html.EscapeString(texts[i]))
	}
}

// part is one part of a bar.
type part struct {
	class string
	v     float64
	about string
}

// bar stacks parts on the axis in the place from one x to another. Parts below 0 are left out: the table has them.
func (c *chart) bar(from, to int64, parts []part) {
	const gap = .12
	left, right := c.x(from), c.x(to)
	left, right = left+gap*(right-left), right-gap*(right-left)
	sum := c.low
	for _, p := range parts {
		if p.v <= 0 {
			continue
		}
		fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
			p.class, left, c.y(sum+p.v), right-left, c.y(sum)-c.y(sum+p.v), html.EscapeString(p.about))
		sum += p.v
	}
}

// block fills the place from one x to another between two values.
func (c *chart) block(class string, from, to int64, a, b float64, about string) {
	const gap = .12
	left, right := c.x(from), c.x(to)
	left, right = left+gap*(right-left), right-gap*(right-left)
	fmt.Fprintf(&c.b, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
		class, left, c.y(max(a, b)), right-left, c.y(min(a, b))-c.y(max(a, b)), html.EscapeString(about))
}

type spot struct {
	at int64
	v  float64
}

func (c *chart) line(class string, spots []spot) {
	if len(spots) < 2 {
		return
	}
	fmt.Fprintf(&c.b, `<polyline class="%s" points="`, class)
	for _, s := range spots {
		fmt.Fprintf(&c.b, "%.1f,%.1f ", c.x(s.at), c.y(s.v))
	}
	c.b.WriteString(`"/>`)
}

// mark draws a vertical line, with what happened as its title.
func (c *chart) mark(class string, at int64, about string) {
	fmt.Fprintf(&c.b, `<g class="%s"><title>%s</title><line x1="%.1f" x2="%.1f" y1="14" y2="%.1f"/><circle cx="%.1f" cy="14" r="4"/></g>`,
		class, html.EscapeString(about), c.x(at), c.x(at), c.base, c.x(at))
}

// tick marks a moment at the axis of time.
func (c *chart) tick(at int64, about string) {
	fmt.Fprintf(&c.b, `<g class="order"><title>%s</title><line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/></g>`, html.EscapeString(about), c.x(at), c.x(at), c.base-8, c.base)
}

func (c *chart) node() g.Node { return g.Raw(c.b.String() + "</svg>") }

// lifeChart draws the probability that a customer is alive over time, and what silence would bring, with the open alerts and the orders.
func (p *pages) lifeChart(profile *lookup.Profile) g.Node {
	now := profile.Scores.AsOf
	var past, future []spot
	for _, at := range profile.Path() {
		if !at.Probability.Known {
			continue
		}
		s := spot{at.At, 1 - at.Probability.Value}
		if at.At/1000 <= now/1000 {
			past = append(past, s)
		}
		if at.At/1000 >= now/1000 {
			future = append(future, s)
		}
	}
	if len(past) < 2 {
		return p.empty("There is nothing to draw: without a standing order, or with a closed account, no probability is known.")
	}
	last := past[len(past)-1].at
	if len(future) > 0 {
		last = future[len(future)-1].at
	}
	c := p.newChart(p.F("Probability of still being a customer, %s now", p.wholePercent(past[len(past)-1].v)), past[0].at, last, 1)
	for _, v := range []float64{0, .5, 1} {
		c.level(v, p.wholePercent(v))
	}
	c.days(p.day)
	for _, d := range profile.Explanation.Days {
		if at, err := time.ParseInLocation(time.DateOnly, d.Day, p.Zone); err == nil && at.UnixMilli() >= past[0].at {
			c.tick(at.UnixMilli(), p.F("Order on %s", p.dayOf(d.Day)))
		}
	}
	c.line("line", past)
	c.line("line silence", future)
	for _, a := range profile.Alerts {
		c.mark("alert severity-"+a.Severity, min(max(a.RaisedAt, past[0].at), last), p.F("%s raised %s", p.N(a.Rule), p.day(a.RaisedAt)))
	}
	return g.Group{c.node(), h.P(
		h.Class("keys soft"),
		h.Span(h.Class("key line"), p.text("so far")), h.Span(h.Class("key silence"), p.text("if silent from now on")), h.Span(h.Class("key order"), p.text("order")), h.Span(h.Class("key alert"), p.text("open alert")),
		h.Span(p.text("By the model in force today, not as it was published then.")),
	)}
}
