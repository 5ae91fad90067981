package pages

import (
	"encoding/json"
	"strconv"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/schemas/output"
)

// equityMoved draws what has moved customer equity from the close before the last to the last one: a block for each part, that begins where
// the one before ends. Parts of nothing are left out.
func (p *pages) equityMoved(closes []json.RawMessage) (g.Node, error) {
	if len(closes) == 0 {
		return p.empty("It appears with the second closed day."), nil
	}
	d, unit, err := report.ReadEquityDay(closes[len(closes)-1])
	if err != nil {
		return nil, err
	}
	if d.Change == nil {
		return p.empty("It appears when two days in a row are closed."), nil
	}
	type block struct {
		class, name, text string
		from, to          float64
	}
	at := unit.Major(d.Equity - d.Moved())
	blocks := []block{{"whole", p.T("before"), p.amount(unit, d.Equity-d.Moved()), 0, at}}
	low, high := at, at
	for _, m := range report.EquityParts() {
		v := m.Of(&d)
		moved := v.Float(unit)
		if moved == 0 {
			continue
		}
		class, sign := "rise", "+"
		if moved < 0 {
			class, sign = "fall", ""
		}
		blocks = append(blocks, block{class, p.N(m.Name), p.grouped(sign + string(v.Append(nil, unit))), at, at + moved})
		at += moved
		low, high = min(low, at), max(high, at)
	}
	blocks = append(blocks, block{"whole", p.T("now"), p.amount(unit, d.Equity), 0, at})
	if low -= (high - low) / 4; low < 0 || high == low {
		low = 0 // the changes are as large as the whole, or there are none
	}
	n := int64(len(blocks))
	c := p.chartOf("chart", chartWidth, p.F("Customer equity from %s to %s %s", blocks[0].text, blocks[n-1].text, p.N(unit.Code)), 0, n, low, high)
	for _, v := range []float64{low, (low + high) / 2, high} {
		c.level(v, p.axis(v, high-low))
	}
	names := make([]string, n)
	for i, b := range blocks {
		names[i] = b.name
		c.block(b.class, int64(i), int64(i+1), max(b.from, low), b.to, b.name+": "+b.text)
	}
	c.labels(names, func(i int) float64 { return (c.x(int64(i)) + c.x(int64(i+1))) / 2 })
	rows := make([][]g.Node, n)
	for i, b := range blocks {
		rows[i] = []g.Node{g.Text(b.name), g.Text(b.text)}
	}
	return g.Group{c.node(), p.table("What has moved customer equity", []cell{{label: "Cause"}, {label: p.N(unit.Code), number: true}}, rows)}, nil
}

// axis is a number for an axis of so wide a range: short where that tells its numbers apart.
func (p *pages) axis(v, width float64) string {
	if width > v/20 {
		return p.short(v)
	}
	return p.grouped(strconv.FormatFloat(v, 'f', 0, 64))
}

// equityDrivers shows what customers answer in equity surveys.
func (p *pages) equityDrivers(now *portfolio) g.Node {
	var rows [][]g.Node
	for _, name := range output.EquityDrivers() {
		d := now.Drivers[name]
		if d.Responses == 0 {
			continue
		}
		score := unknown
		if d.Mean != nil {
			score = p.grouped(d.Mean.String())
			if d.Error != nil {
				score += " ± " + p.grouped(d.Error.String())
			}
		}
		rows = append(rows, []g.Node{g.Text(p.N(name)), g.Text(score), g.Text(p.count(d.Responses))})
	}
	if len(rows) == 0 {
		return p.empty("No equity survey was answered by the last closed day.")
	}
	return g.Group{
		p.table("Drivers of customer equity", []cell{{label: "Dimension"}, {label: "Mean score, 0 to 10", number: true}, {label: "Customers", number: true}}, rows),
		h.P(h.Class("soft"), p.text("After ± the standard error.")),
	}
}
