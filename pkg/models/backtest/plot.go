package backtest

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// plot draws one chart as SVG inside HTML. Colours are classes of the page's style sheet, so that they follow the light or dark mode.
type plot struct {
	b                        strings.Builder
	left, right, top, bottom float64 // of the drawing area, in pixels
	x0, x1, most             float64 // range of the data: x0 to x1 horizontally, 0 to most vertically
}

const plotWidth, plotHeight = 640.0, 340.0

func newPlot(title string, x0, x1, most float64) *plot {
	if !(x1 > x0) {
		x1 = x0 + 1
	}
	if !(most > 0) {
		most = 1
	}
	p := &plot{left: 64, right: plotWidth - 14, top: 14, bottom: plotHeight - 56, x0: x0, x1: x1, most: most}
	fmt.Fprintf(&p.b, `<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, plotWidth, plotHeight, html.EscapeString(title))
	return p
}

func (p *plot) end() string { return p.b.String() + "</svg>" }

func (p *plot) x(v float64) float64 { return p.left + (v-p.x0)/(p.x1-p.x0)*(p.right-p.left) }
func (p *plot) y(v float64) float64 { return p.bottom - v/p.most*(p.bottom-p.top) }

func (p *plot) text(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

// scaleY draws the horizontal grid lines and the label of the vertical axis.
func (p *plot) scaleY(label string) {
	for _, v := range ticks(0, p.most, 5) {
		fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="grid"/>`, p.left, p.right, p.y(v), p.y(v))
		p.text(p.left-7, p.y(v)+4, "end", "tick", number(v))
	}
	fmt.Fprintf(&p.b, `<text transform="translate(13 %.1f) rotate(-90)" text-anchor="middle" class="axis">%s</text>`, (p.top+p.bottom)/2, html.EscapeString(label))
}

func (p *plot) scaleX(label string) {
	for _, v := range ticks(p.x0, p.x1, 8) {
		fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="rule"/>`, p.x(v), p.x(v), p.bottom, p.bottom+4)
		p.text(p.x(v), p.bottom+17, "middle", "tick", number(v))
	}
	p.base(label)
}

// base draws the horizontal axis and its label.
func (p *plot) base(label string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="rule"/>`, p.left, p.right, p.bottom, p.bottom)
	p.text((p.left+p.right)/2, plotHeight-6, "middle", "axis", label)
}

func (p *plot) line(class string, points []Point) {
	if len(points) < 2 {
		return
	}
	fmt.Fprintf(&p.b, `<polyline class="line %s" points="`, class)
	for i, at := range points {
		if i > 0 {
			p.b.WriteByte(' ')
		}
		fmt.Fprintf(&p.b, "%.1f,%.1f", p.x(at.Week), p.y(at.Total))
	}
	p.b.WriteString(`"/>`)
}

// dot draws a dot with a tooltip.
func (p *plot) dot(class string, x, y, radius float64, about string) {
	fmt.Fprintf(&p.b, `<circle class="dot %s" cx="%.1f" cy="%.1f" r="%.1f"><title>%s</title></circle>`, class, p.x(x), p.y(y), radius, html.EscapeString(about))
}

func (p *plot) bar(class string, from, to, value float64, about string) {
	top := math.Min(p.y(value), p.bottom)
	fmt.Fprintf(&p.b, `<rect class="bar %s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`,
		class, p.x(from), top, p.x(to)-p.x(from), p.bottom-top, html.EscapeString(about))
}

// mark draws a vertical line with a label at its top.
func (p *plot) mark(x float64, text string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="mark"/>`, p.x(x), p.x(x), p.top, p.bottom)
	p.text(p.x(x)-5, p.top+10, "end", "tick", text)
}

// level draws a horizontal line with a label at its right end.
func (p *plot) level(y float64, text string) {
	fmt.Fprintf(&p.b, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" class="mark"/>`, p.left, p.right, p.y(y), p.y(y))
	p.text(p.right-4, p.y(y)-5, "end", "tick", text)
}

// ticks returns about n round numbers in [from, to].
func ticks(from, to float64, n int) []float64 {
	step := roundStep((to - from) / float64(n))
	var out []float64
	for k := math.Ceil(from/step - 1e-9); k*step <= to+step*1e-9; k++ {
		out = append(out, k*step+0) // + 0: no -0
	}
	return out
}

// roundStep is the least number not below v that is 1, 2 or 5 times a power of ten.
func roundStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= v*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// above is a round number not below v, at which a scale ends.
func above(v float64) float64 {
	if !(v > 0) {
		return 1
	}
	step := roundStep(v / 8)
	return math.Ceil(v/step-1e-9) * step
}

func number(v float64) string {
	if math.Abs(v) >= 1000 && v == math.Trunc(v) {
		return grouped(int(v))
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'g', -1, 64)
}
