package pages

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"net/http"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/calibration"
)

// model shows what customers are scored with, how forecasts came out, and how far to trust them.
func (p *pages) model(r *http.Request) (content, error) {
	m, err := p.Views.Model(r.Context())
	if err != nil {
		return content{}, err
	}
	outcomes := p.outcomesOf(&m.Calibration)
	asOf := []g.Node{p.text("What customers are scored with, and whether forecasts were kept.")}
	if m.AsOf != 0 {
		asOf = append(asOf, p.text(" As of "), p.moment(m.AsOf), p.text("."))
	}
	s := &m.Scoring
	note := ""
	if m.Changing {
		note = "customers are being rescored with it"
	}
	c := content{title: p.T("Model"), body: []g.Node{
		heading(p.text("Model"), asOf...),
		h.P(h.Class("lead"), g.Text(p.trust(m, outcomes))),
		p.figures(
			figure{"Model", p.modelName(s.Model), "", p.F("version %d", s.Version)},
			figure{"Parameters", p.N(s.Status), "", cmp.Or(note, p.statusAbout(s.Status))},
			figure{"Forecasts come due", p.count(outcomes.whole.promises), "", p.F("of an order within %d days, for one customer in eight", m.HorizonDays)},
			figure{"Were to be kept", p.count(int64(outcomes.whole.expected + .5)), "", "by the promised probabilities"},
			figure{"Were kept", p.count(outcomes.whole.kept), "", "the customer ordered in time"},
			figure{"Orders forecast", p.count(int64(m.Calibration.PredictedOrders() + .5)), "", p.F("%s came; purchase days within these times", p.count(m.Calibration.Observed))},
		),
		p.card("Promised against kept", p.calibrationChart(outcomes)),
		h.Section(h.Class("card"), h.H2(p.text("By promised probability")), p.calibrationTable(outcomes)),
		h.Div(h.Class("columns"), p.card("Parameters", p.parameterTable(s)), p.card("Classes of churn risk", h.Dl(h.Class("facts"),
			p.fact("Medium", p.F("from %s", p.percent(s.Medium))), p.fact("High", p.F("from %s", p.percent(s.High))), p.fact("Low", p.F("always within %d days of an order", s.GraceDays)),
		))),
	}}
	return c, nil
}

// modelName is a model as docs/models.md calls it: mbg_nbd is MBG/NBD.
func (p *pages) modelName(name string) string {
	all := strings.Split(name, "_")
	for i, word := range all {
		if len(word) <= len("mbg") {
			all[i] = strings.ToUpper(word)
		} else {
			all[i] = p.N(word)
		}
	}
	return strings.Join(all, "/")
}

func (p *pages) fact(name, value string) g.Node {
	return h.Div(h.Dt(p.text(name)), h.Dd(g.Text(value)))
}

// outcome compares promises with what happened.
type outcome struct {
	name     string
	promises int64
	expected float64
	kept     int64
	variance float64 // of kept, if every promise is true and each is kept or not by chance
}

type outcomes struct {
	tenths [calibration.Tenths]outcome
	whole  outcome
}

func (p *pages) outcomesOf(t *calibration.Totals) (all outcomes) {
	for i := range all.tenths {
		o := outcome{name: p.F("%d–%d%%", 10*i, 10*i+10), promises: t.Promises[i], expected: t.Promised(i), kept: t.Kept[i]}
		o.variance = o.expected * (1 - o.promised())
		all.tenths[i] = o
		all.whole.promises += o.promises
		all.whole.expected += o.expected
		all.whole.kept += o.kept
		all.whole.variance += o.variance
	}
	return all
}

// promised and share are the mean promise and the part that was kept; 0 without a promise.
func (o *outcome) promised() float64 { return o.expected / float64(max(o.promises, 1)) }
func (o *outcome) share() float64    { return float64(o.kept) / float64(max(o.promises, 1)) }

// margin is how far the kept part is from the promised one by chance, in 19 of 20 cases.
func (o *outcome) margin() float64 { return 2 * math.Sqrt(o.variance) / float64(max(o.promises, 1)) }

// fewPromises is the number of promises below which the page does not judge them.
const fewPromises = 30

// off reports whether the kept part is farther from the promised one than chance explains.
func (o *outcome) off() bool {
	return o.promises >= fewPromises && math.Abs(o.share()-o.promised()) > o.margin()
}

// slight is a difference of shares that matters to nobody.
const slight = .03

// distrust follows where forecasts were off. Sums since the ledger began do not tell the parameters in force from former ones.
const distrust = "The order of the customers can be trusted further than the probabilities. Forecasts by former parameters are among them; `mainstay refit` fits the model to your customers."

// trust says in a sentence or two how far to trust the forecasts.
func (p *pages) trust(m *lookup.Model, all outcomes) string {
	w := &all.whole
	switch difference := w.share() - w.promised(); {
	case w.promises < 100:
		return p.F("It is too early to tell how far to trust the forecasts: so far %s have come due, one %d days after it was made.", p.count(w.promises), m.HorizonDays)
	case math.Abs(difference) <= slight || !w.off():
		text := p.F("Forecasts are kept: %s of the customers were to order in time, %s did. The probabilities can be taken at their word", p.percent(w.promised()), p.percent(w.share()))
		for i := range all.tenths {
			if o := &all.tenths[i]; o.off() && math.Abs(o.share()-o.promised()) > slight {
				return text + p.T(", on the whole: some of them, marked below, are off by more than chance.")
			}
		}
		return text + "."
	case difference < 0:
		return p.F("Forecasts were too high: %s of the customers were to order in time, %s did.", p.percent(w.promised()), p.percent(w.share())) + " " + p.T(distrust)
	default:
		return p.F("Forecasts were too low: %s of the customers were to order in time, %s did.", p.percent(w.promised()), p.percent(w.share())) + " " + p.T(distrust)
	}
}

func (p *pages) statusAbout(status string) string {
	switch status {
	case "prior":
		return "shipped ones, fitted to no customer of yours"
	case "provisional":
		return "fitted to fewer than 100 repeat buyers"
	default:
		return "fitted to your customers"
	}
}

// calibrationChart draws the kept part of the promises of each tenth against the promised one. On the diagonal they are equal.
func (p *pages) calibrationChart(all outcomes) g.Node {
	const thousandths = 1000
	if all.whole.promises == 0 {
		return p.empty("Points appear when the first forecasts come due.")
	}
	c := p.newChart(p.T("Part of the forecasts that were kept, by promised probability; the table below has the figures"), 0, thousandths, 1)
	var texts []string
	for _, v := range []float64{0, .25, .5, .75, 1} {
		c.level(v, p.wholePercent(v))
		texts = append(texts, p.wholePercent(v))
	}
	c.labels(texts, func(i int) float64 { return c.x(int64(i) * thousandths / 4) })
	c.line("line silence", []spot{{0, 0}, {thousandths, 1}})
	for i := range all.tenths {
		o := &all.tenths[i]
		if o.promises == 0 {
			continue
		}
		class := "point"
		if o.off() {
			class = "point off"
		}
		x := c.x(int64(o.promised()*thousandths + .5))
		fmt.Fprintf(&c.b, `<g class="%s"><title>%s</title><line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f"/><circle cx="%.1f" cy="%.1f" r="5"/></g>`,
			class, html.EscapeString(p.F("%s promised, %s kept, of %s forecasts", p.percent(o.promised()), p.percent(o.share()), p.count(o.promises))),
			x, x, c.y(min(o.share()+o.margin(), 1)), c.y(max(o.share()-o.margin(), 0)), x, c.y(o.share()))
	}
	return g.Group{c.node(), h.P(h.Class("keys soft"),
		h.Span(h.Class("key point"), p.text("kept, by the promised probability below")), h.Span(h.Class("key silence"), p.text("exactly as promised")),
		h.Span(p.text("Bars: where 19 of 20 points lie by chance.")))}
}

func (p *pages) calibrationTable(all outcomes) g.Node {
	rows := make([][]g.Node, 0, len(all.tenths)+1)
	all.whole.name = p.T("All")
	for _, o := range append(all.tenths[:], all.whole) {
		promised, kept, off := unknown, unknown, g.Text(unknown)
		if o.promises > 0 {
			promised, kept = p.percent(o.promised()), p.percent(o.share())
		}
		switch {
		case o.promises > 0 && o.promises < fewPromises:
			off = p.chip("too few to tell")
		case o.off():
			off = h.Span(h.Class("chip bad"), g.Text(p.F("%s, more than chance", p.points(o.share()-o.promised()))))
		case o.promises > 0:
			off = g.Text(p.points(o.share() - o.promised()))
		}
		rows = append(rows, []g.Node{g.Text(o.name), g.Text(p.count(o.promises)), g.Text(promised), g.Text(kept), off})
	}
	return p.table("Promised against kept", []cell{{label: "Promised"}, {label: "Forecasts", number: true}, {label: "On average", number: true}, {label: "Kept", number: true}, {label: "Difference"}}, rows)
}

// points is a difference of two shares.
func (p *pages) points(difference float64) string {
	sign := ""
	if difference > 0 {
		sign = "+"
	}
	return p.F("%s points", p.grouped(sign+fmt.Sprintf("%.1f", 100*difference)))
}

// parameterTable lists the parameters by the names that docs/models.md uses.
func (p *pages) parameterTable(s *processors.Scoring) g.Node {
	var rows []g.Node
	add := func(name string, values ...float64) {
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = p.plain(strconv.FormatFloat(v, 'g', 5, 64))
		}
		rows = append(rows, p.fact(name, strings.Join(texts, p.T(", "))))
	}
	if m := s.Purchases; m != nil {
		add("r, α", m.R, m.Alpha)
		add("a, b", m.A, m.B)
	}
	if m := s.Pareto; m != nil {
		add("Pareto r, α", m.R, m.Alpha)
		add("Pareto s, β", m.S, m.Beta)
	}
	if b := s.Blend; b != nil {
		add("Weights", b.Odds, b.Counts, b.Lift)
		add("Odds", b.Shift, b.Slope)
		add("Counts", b.Level, b.Power)
	}
	if m := s.Season; m != nil {
		if len(m.Weekly) > 0 {
			add("Pace from Monday", m.Weekly...)
		}
		if len(m.Yearly) > 0 {
			add("Pace from January", m.Yearly...)
		}
		for _, e := range m.Events {
			add(p.F("Pace of %s", e.Name), e.Multiplier)
		}
		for _, c := range m.Campaigns {
			add(p.F("Pace of %s, %s to %s", c.Name, p.dayOf(c.First), p.dayOf(c.Last)), c.Multiplier)
		}
	}
	if m := s.Spend; m != nil {
		add("Spend p, q, v", m.P, m.Q, m.V)
	} else {
		rows = append(rows, p.fact("Spend", p.T("a customer's own average")))
	}
	return h.Dl(h.Class("facts"), g.Group(rows))
}
