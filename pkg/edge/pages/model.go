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
	outcomes := outcomesOf(&m.Calibration)
	asOf := []g.Node{g.Text("What customers are scored with, and whether forecasts were kept.")}
	if m.AsOf != 0 {
		asOf = append(asOf, g.Text(" As of "), p.moment(m.AsOf), g.Text("."))
	}
	s := &m.Scoring
	note := ""
	if m.Changing {
		note = "customers are being rescored with it"
	}
	c := content{title: "Model", body: []g.Node{
		heading(g.Text("Model"), asOf...),
		h.P(h.Class("lead"), g.Text(trust(m, outcomes))),
		figures(
			figure{"Model", modelName(s.Model), "", "version " + strconv.FormatUint(s.Version, 10)},
			figure{"Parameters", words(s.Status), "", cmp.Or(note, statusAbout(s.Status))},
			figure{"Forecasts come due", count(outcomes.whole.promises), "", fmt.Sprintf("of an order within %d days, for one customer in eight", m.HorizonDays)},
			figure{"Were to be kept", count(int64(outcomes.whole.expected + .5)), "", "by the promised probabilities"},
			figure{"Were kept", count(outcomes.whole.kept), "", "the customer ordered in time"},
			figure{"Orders forecast", count(int64(m.Calibration.PredictedOrders() + .5)), "", count(m.Calibration.Observed) + " came; purchase days within these times"},
		),
		card("Promised against kept", calibrationChart(outcomes)),
		h.Section(h.Class("card"), h.H2(g.Text("By promised probability")), calibrationTable(outcomes)),
		h.Div(h.Class("columns"), card("Parameters", parameterTable(s)), card("Classes of churn risk", h.Dl(h.Class("facts"),
			fact("Medium", "from "+percent(s.Medium)), fact("High", "from "+percent(s.High)), fact("Low", fmt.Sprintf("always within %d days of an order", s.GraceDays)),
		))),
	}}
	return c, nil
}

// modelName is a model as docs/models.md calls it: mbg_nbd is MBG/NBD.
func modelName(name string) string {
	all := strings.Split(name, "_")
	for i, word := range all {
		if len(word) <= len("mbg") {
			all[i] = strings.ToUpper(word)
		} else {
			all[i] = words(word)
		}
	}
	return strings.Join(all, "/")
}

func fact(name, value string) g.Node { return h.Div(h.Dt(g.Text(name)), h.Dd(g.Text(value))) }

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

func outcomesOf(t *calibration.Totals) (all outcomes) {
	for i := range all.tenths {
		o := outcome{name: fmt.Sprintf("%d–%d%%", 10*i, 10*i+10), promises: t.Promises[i], expected: t.Promised(i), kept: t.Kept[i]}
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
func trust(m *lookup.Model, all outcomes) string {
	w := &all.whole
	switch difference := w.share() - w.promised(); {
	case w.promises < 100:
		return fmt.Sprintf("It is too early to tell how far to trust the forecasts: so far %s have come due, one %d days after it was made.", count(w.promises), m.HorizonDays)
	case math.Abs(difference) <= slight || !w.off():
		text := fmt.Sprintf("Forecasts are kept: %s of the customers were to order in time, %s did. The probabilities can be taken at their word", percent(w.promised()), percent(w.share()))
		for i := range all.tenths {
			if o := &all.tenths[i]; o.off() && math.Abs(o.share()-o.promised()) > slight {
				return text + ", on the whole: some of them, marked below, are off by more than chance."
			}
		}
		return text + "."
	case difference < 0:
		return fmt.Sprintf("Forecasts were too high: %s of the customers were to order in time, %s did. "+distrust, percent(w.promised()), percent(w.share()))
	default:
		return fmt.Sprintf("Forecasts were too low: %s of the customers were to order in time, %s did. "+distrust, percent(w.promised()), percent(w.share()))
	}
}

func statusAbout(status string) string {
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
func calibrationChart(all outcomes) g.Node {
	const thousandths = 1000
	if all.whole.promises == 0 {
		return empty("Points appear when the first forecasts come due.")
	}
	c := newChart("Part of the forecasts that were kept, by promised probability; the table below has the figures", 0, thousandths, 1)
	var texts []string
	for _, v := range []float64{0, .25, .5, .75, 1} {
		c.level(v, fmt.Sprintf("%.0f%%", 100*v))
		texts = append(texts, fmt.Sprintf("%.0f%%", 100*v))
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
			class, html.EscapeString(fmt.Sprintf("%s promised, %s kept, of %s forecasts", percent(o.promised()), percent(o.share()), count(o.promises))),
			x, x, c.y(min(o.share()+o.margin(), 1)), c.y(max(o.share()-o.margin(), 0)), x, c.y(o.share()))
	}
	return g.Group{c.node(), h.P(h.Class("keys soft"),
		h.Span(h.Class("key point"), g.Text("kept, by the promised probability below")), h.Span(h.Class("key silence"), g.Text("exactly as promised")),
		h.Span(g.Text("Bars: where 19 of 20 points lie by chance.")))}
}

func calibrationTable(all outcomes) g.Node {
	rows := make([][]g.Node, 0, len(all.tenths)+1)
	all.whole.name = "All"
	for _, o := range append(all.tenths[:], all.whole) {
		promised, kept, off := unknown, unknown, g.Text(unknown)
		if o.promises > 0 {
			promised, kept = percent(o.promised()), percent(o.share())
		}
		switch {
		case o.promises > 0 && o.promises < fewPromises:
			off = chip("too few to tell")
		case o.off():
			off = h.Span(h.Class("chip bad"), g.Text(points(o.share()-o.promised())+", more than chance"))
		case o.promises > 0:
			off = g.Text(points(o.share() - o.promised()))
		}
		rows = append(rows, []g.Node{g.Text(o.name), g.Text(count(o.promises)), g.Text(promised), g.Text(kept), off})
	}
	return table("Promised against kept", []cell{{label: "Promised"}, {label: "Forecasts", number: true}, {label: "On average", number: true}, {label: "Kept", number: true}, {label: "Difference"}}, rows)
}

// points is a difference of two shares.
func points(difference float64) string {
	sign := ""
	if difference > 0 {
		sign = "+"
	}
	return sign + grouped(fmt.Sprintf("%.1f", 100*difference)) + " points"
}

// parameterTable lists the parameters by the names that docs/models.md uses.
func parameterTable(s *processors.Scoring) g.Node {
	var rows []g.Node
	add := func(name string, values ...float64) {
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = strconv.FormatFloat(v, 'g', 5, 64)
		}
		rows = append(rows, fact(name, strings.Join(texts, ", ")))
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
			add("Pace of "+e.Name, e.Multiplier)
		}
		for _, c := range m.Campaigns {
			add("Pace of "+c.Name+", "+c.First+" to "+c.Last, c.Multiplier)
		}
	}
	if m := s.Spend; m != nil {
		add("Spend p, q, v", m.P, m.Q, m.V)
	} else {
		rows = append(rows, fact("Spend", "a customer's own average"))
	}
	return h.Dl(h.Class("facts"), g.Group(rows))
}
