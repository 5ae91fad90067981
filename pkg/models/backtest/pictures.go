package backtest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// picture is a chart with its title, text and legend.
type picture struct {
	Title, Text string
	Keys        []key
	Drawing     string // SVG; every text in it is escaped
}

// key is an entry of the legend.
type key struct{ Class, Name string }

// drawn returns the models in the charts: the recommended one, and Live if it is another.
func (r *Result) drawn() ([]*Model, []key) {
	models := []*Model{r.model(r.Recommended)}
	keys := []key{{"first", r.Recommended}}
	if r.Recommended != Live {
		models = append(models, r.model(Live))
		keys = append(keys, key{"second", Live})
	}
	return models, keys
}

func (r *Result) pictures() []picture {
	all := []picture{r.drawCumulative(), r.drawWeekly(), r.drawFrequency(), r.drawReliability(), r.drawLift()}
	if r.Season != nil {
		all = append(all, r.drawPace())
	}
	return all
}

func (r *Result) drawCumulative() picture {
	most := 0.0
	_, keys := r.drawn()
	for _, course := range r.courses() {
		for _, at := range course.points {
			most = math.Max(most, at.Total)
		}
	}
	p := newPlot("Cumulative repeat purchases", 0, r.WeeksBefore+r.WeeksAfter, above(most))
	p.scaleY("repeat purchases so far")
	p.scaleX("weeks from the first purchase")
	p.mark(r.Tracking.SplitWeek, "split "+r.Split)
	for _, course := range r.courses() {
		p.line(course.class, course.points)
	}
	return picture{
		"Cumulative repeat purchases",
		"Left of the split: the purchases that the fitted model expects of these customers. Right of it: the actual purchases up to the split plus the purchases predicted for each customer at the split.",
		append([]key{{"actual", "actual"}}, keys...), p.end(),
	}
}

func (r *Result) drawWeekly() picture {
	most := 0.0
	_, keys := r.drawn()
	courses := r.courses()
	for i := range courses {
		courses[i].points = weekly(courses[i].points)
		for _, at := range courses[i].points {
			most = math.Max(most, at.Total)
		}
	}
	p := newPlot("Weekly repeat purchases", 0, r.WeeksBefore+r.WeeksAfter, above(most))
	p.scaleY("repeat purchases per week")
	p.scaleX("weeks from the first purchase")
	p.mark(r.Tracking.SplitWeek, "split "+r.Split)
	for _, course := range courses {
		p.line(course.class, course.points)
	}
	return picture{
		"Weekly repeat purchases",
		"The same by week. Models without a season do not predict peaks, but they should predict the level.",
		append([]key{{"actual", "actual"}}, keys...), p.end(),
	}
}

type course struct {
	class  string
	points []Point
}

// courses returns the lines of the tracking charts. The recommended model is last, so that it is drawn on top.
func (r *Result) courses() []course {
	out := []course{{"actual", r.Tracking.Actual}}
	for _, class := range []string{"second", "first"} {
		for _, t := range r.Tracking.Predicted {
			if (class == "first") == (t.Name == r.Recommended) {
				out = append(out, course{class, t.Fit}, course{class, t.Forecast})
			}
		}
	}
	return out
}

// weekly returns the purchases of each whole week.
func weekly(points []Point) []Point {
	var out []Point
	for i := 1; i < len(points); i++ {
		if math.Abs(points[i].Week-points[i-1].Week-1) < 1e-6 {
			out = append(out, Point{points[i].Week, points[i].Total - points[i-1].Total})
		}
	}
	return out
}

func (r *Result) drawFrequency() picture {
	models, keys := r.drawn()
	most := 0.0
	for _, m := range models {
		for _, g := range m.ByFrequency {
			most = math.Max(most, math.Max(g.Predicted, g.Actual))
		}
	}
	groups := models[0].ByFrequency
	p := newPlot("Calibration by frequency", -0.5, float64(len(groups))-0.5, above(most))
	p.scaleY("mean purchases after the split")
	for x, g := range groups {
		at := float64(x)
		p.text(p.x(at), p.bottom+16, "middle", "tick", g.Name)
		p.text(p.x(at), p.bottom+31, "middle", "small", "n "+grouped(g.Customers))
		if g.Customers > 0 {
			p.bar("observed", at-0.3, at+0.3, g.Actual, fmt.Sprintf("%s repeat purchases: %s with %.2f purchases on average", g.Name, counted(g.Customers, "customer"), g.Actual))
		}
	}
	p.base("repeat purchases before the split")
	for i, m := range slices.Backward(models) {
		shift := 0.1 * float64(1-2*i) * float64(len(models)-1)
		for x, g := range m.ByFrequency {
			if g.Customers > 0 {
				p.dot(keys[i].Class, float64(x)-shift, g.Predicted, 5, fmt.Sprintf("%s predicted %.2f", m.Name, g.Predicted))
			}
		}
	}
	return picture{
		"Calibration by frequency",
		"Mean purchases after the split, by the number of repeat purchases before it. A dot at the top of a bar is a correct prediction.",
		append([]key{{"observed", "actual"}}, keys...), p.end(),
	}
}

func (r *Result) drawReliability() picture {
	models, keys := r.drawn()
	most := 0.1
	for _, m := range models {
		for _, g := range m.ByProbability {
			most = math.Max(most, math.Max(g.Predicted, g.Actual))
		}
	}
	most = math.Min(1, above(most))
	p := newPlot("Reliability", 0, most, most)
	p.scaleY("share of buyers")
	p.scaleX("predicted probability of a purchase")
	fmt.Fprintf(&p.b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="mark"/>`, p.x(0), p.y(0), p.x(most), p.y(most))
	for i, m := range slices.Backward(models) {
		var line []Point
		for _, g := range m.ByProbability {
			line = append(line, Point{g.Predicted, g.Actual})
		}
		p.line(keys[i].Class+" thin", line)
		for _, g := range m.ByProbability {
			p.dot(keys[i].Class, g.Predicted, g.Actual, 5, fmt.Sprintf("%s: %s, predicted probability %.3f, share of buyers %.3f", m.Name, counted(g.Customers, "customer"), g.Predicted, g.Actual))
		}
	}
	return picture{
		"Reliability",
		"Ten groups of equal size, by predicted probability. On the dashed line, the share of buyers equals the predicted probability; above it, the share is higher.",
		keys, p.end(),
	}
}

func (r *Result) drawLift() picture {
	chosen := r.model(r.Recommended)
	rfm := r.model("RFM")
	average := float64(r.HoldoutPurchases) / float64(r.Customers)
	lift := func(g Group) float64 {
		if average > 0 {
			return g.Actual / average
		}
		return 0
	}
	most := 1.0
	for _, m := range []*Model{chosen, rfm} {
		for _, g := range m.Lift {
			most = math.Max(most, lift(g))
		}
	}
	p := newPlot("Lift by decile", 0.5, float64(len(chosen.Lift))+0.5, above(most))
	p.scaleY("purchases, as a multiple of the average")
	for i, g := range chosen.Lift {
		at := float64(i + 1)
		p.text(p.x(at), p.bottom+17, "middle", "tick", strconv.Itoa(i+1))
		p.bar("first", at-0.38, at-0.01, lift(g), fmt.Sprintf("decile %d: %.2f purchases on average, %.1f times the mean", i+1, g.Actual, lift(g)))
		p.text(p.x(at-0.19), p.y(lift(g))-5, "middle", "small", fmt.Sprintf("%.1f", lift(g)))
	}
	p.base("tenths of the customers, by decreasing predicted probability")
	p.level(1, "")
	for i, g := range rfm.Lift {
		p.bar("third", float64(i)+1.01, float64(i)+1.38, lift(g), fmt.Sprintf("RFM, decile %d: %.1f times the mean", i+1, lift(g)))
	}
	top := 0.0
	if len(chosen.Lift) > 0 && r.HoldoutPurchases > 0 {
		top = chosen.Lift[0].Actual * float64(chosen.Lift[0].Customers) / float64(r.HoldoutPurchases)
	}
	return picture{
		"Lift by decile", fmt.Sprintf("The tenth of the customers with the highest predicted probability made %.0f%% of the purchases after the split. For comparison: the same by RFM rank.", 100*top),
		[]key{{"first", r.Recommended}, {"third", "RFM"}},
		p.end(),
	}
}
