package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/sandbox/groundtruth"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/schemas/output"
)

// Screen prints the progress of the demonstration. On a terminal it redraws a picture; elsewhere it prints a line per tenth.
type Screen struct {
	Out       io.Writer
	Redraw    bool   // Out is a terminal
	Colour    bool   // Out shows colours
	Quiet     bool   // print nothing: the caller prints the summary as JSON
	Command   string // that starts this program in a shell
	Directory string // in which Command works, quoted for a shell; empty: any
	Now       func() time.Time

	lines    int       // of the picture on the terminal
	drawn    time.Time // when it was drawn
	tenth    int       // last tenth of the simulated time that was printed
	writeErr error     // the first failure to write
}

const (
	frame    = 80 * time.Millisecond // between two pictures
	barWidth = 30
	columns  = 80 // of the narrowest terminal: a wrapped line of the picture would not be erased
)

// print keeps the first failure to write; the demonstration continues without a reader.
func (s *Screen) print(format string, args ...any) {
	if s.Quiet || s.writeErr != nil {
		return
	}
	_, s.writeErr = fmt.Fprintf(s.Out, format, args...)
}

func (s *Screen) bold(text string) string { return s.paint("1", text) }
func (s *Screen) dim(text string) string  { return s.paint("2", text) }

func (s *Screen) paint(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// printHeader prints the address of the pages first, then what is simulated, and commands to paste.
func (s *Screen) printHeader(d *demo) {
	s.print("  %s\n\n", s.bold(d.pages()))
	s.print("Mainstay: a simulated shop and its customers. Open the address: the pages fill as you watch.\n\n")
	s.print("  %d customers over %d days, from %s until now; seed %d\n", d.Customers, d.Days, d.end.AddDate(0, 0, -d.Days).Format(time.DateOnly), d.Seed)
	s.print("  events > Kafka > lifetime value, churn risk, promoter status > Kafka, Redis\n\n")
	s.print("  %s\n\n", s.dim("Paste into another terminal:"))
	s.printCommands(d)
}

// printCommands prints commands for a POSIX shell that use the running demonstration. They read its addresses from variables, so
// that each fits in a line or two.
func (s *Screen) printCommands(d *demo) {
	c := d.app.Config
	customer := "me"
	if len(d.groundTruth.Customers) > 0 {
		customer = d.groundTruth.Customers[0].ID
	}
	if s.Directory != "" {
		s.print("    cd %s\n", s.Directory)
	}
	s.print("    export MAINSTAY_KAFKA_BROKERS=%s\n    export MAINSTAY_REDIS_ADDRESSES=%s\n", c.Kafka.Brokers[0], c.Redis.Addresses[0])
	for _, arguments := range []string{
		"send purchase --customer me --order 1 --total 49.90 --currency EUR --wait", "customer get me",
		"customer explain " + customer, "tail clv --from start --customer " + customer + " --max 1",
	} {
		s.print("%s\n", foldCommand("    ", s.Command+" "+arguments))
	}
	s.print("\n")
}

// foldCommand continues a command on further lines where it exceeds the terminal's width.
func foldCommand(indent, command string) string {
	const continued = " \\"
	var folded strings.Builder
	line := indent
	for i, word := range strings.Fields(command) {
		switch {
		case i == 0:
			line += word
		case len(line)+len(" ")+len(word)+len(continued) > columns:
			folded.WriteString(line + continued + "\n")
			line = indent + "  " + word
		default:
			line += " " + word
		}
	}
	return folded.String() + line
}

// draw shows how far the simulation is and the watched customers. The caller holds the watch's lock.
func (s *Screen) draw(w *watch) {
	span := float64(time.Duration(w.d.Days) * day)
	start := w.d.end.Add(-time.Duration(w.d.Days) * day)
	share := min(max(float64(w.now.Sub(start))/span, 0), 1)
	if !s.Redraw {
		if tenth := int(share * 10); tenth > s.tenth { //nolint:mnd // ten lines in all
			s.tenth = tenth
			s.print("  %s  %3.0f%%  %d events  %s\n", w.now.Format(time.DateOnly), share*100, w.events, w.counts())
		}
		return
	}
	if now := s.Now(); now.Sub(s.drawn) < frame && share < 1 {
		return
	} else {
		s.drawn = now
	}
	full := int(share * barWidth)
	lines := []string{
		fmt.Sprintf("  %s  day %3d of %d  [%s%s]  %d events", s.bold(w.now.Format(time.DateOnly)), int(share*float64(w.d.Days)+.5), w.d.Days,
			strings.Repeat("#", full), strings.Repeat(".", barWidth-full), w.events),
		"  " + w.counts(),
		fmt.Sprintf("  alerts %d%s", w.answers[output.Alerts], w.alert),
		"",
		"  Customers who stop buying. No event says so; only time passes.",
		s.dim(fmt.Sprintf("  %-7s %6s %-10s %-10s %7s %-15s %s", "id", "orders", "last order", "lost on", "since", "P(churned)", "churn risk")),
	}
	for _, c := range w.watched {
		lines = append(lines, s.row(w.now, c))
	}
	s.erase()
	for _, l := range lines {
		s.print("%s\n", l)
	}
	s.lines = len(lines)
}

func (w *watch) counts() string {
	return fmt.Sprintf("clv %d, churn-risk %d, promoter-status %d; by time alone %d",
		w.answers[output.CLV], w.answers[output.ChurnRisk], w.answers[output.PromoterStatus], w.byTime)
}

func (s *Screen) row(now time.Time, c *watchedCustomer) string {
	if c.LastOrder.IsZero() {
		return s.dim(fmt.Sprintf("  %-7s %6s", c.ID, "-"))
	}
	lost := "not yet"
	if !now.Before(c.Gone) {
		lost = c.Gone.Format(time.DateOnly)
	}
	const cells = 8
	colour := map[string]string{"low": "32", "medium": "33", "high": "31", "churned": "31"}[c.Risk]
	bar := fmt.Sprintf("%-*s", cells+len(" 0.0000"), "account closed")
	if c.Probability >= 0 {
		full := int(c.Probability*cells + .5)
		bar = s.paint(colour, strings.Repeat("#", full)) + s.dim(strings.Repeat(".", cells-full)) + fmt.Sprintf(" %.4f", c.Probability)
	}
	inactive := max(0, int(now.Sub(c.LastOrder).Hours()/24)) //nolint:mnd // days
	return fmt.Sprintf("  %-7s %6d %-10s %-10s %6dd %s %s", c.ID, c.Orders, c.LastOrder.Format(time.DateOnly), lost, inactive,
		bar, s.paint(colour, c.path()))
}

func (s *Screen) erase() {
	if s.lines > 0 {
		s.print("\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = 0
}

// keepPicture leaves the last picture on the terminal.
func (s *Screen) keepPicture() {
	s.lines = 0
	s.print("\n")
}

// printSummary prints the summary.
func (s *Screen) printSummary(sum *Summary) error {
	row := func(name, text string, args ...any) {
		s.print("  %-18s %s\n", name, fmt.Sprintf(text, args...))
	}
	t := sum.GroundTruth
	s.print("%s\n", s.bold("Summary"))
	row("events", "%d from %s to %s, in %.1f s", sum.Events, sum.From.Format(time.DateOnly), sum.To.Format(time.DateOnly), sum.WallSeconds)
	row("customers", "%d with purchases, %d more referred only", sum.Customers, sum.Known-sum.Customers)
	for o := range output.Topics {
		if n := sum.Outputs[o.String()]; n > 0 {
			row(o.String(), "%d", n)
		}
	}
	row("by time alone", "%d of them, without an event", sum.BySilence)
	row("open alerts", "%d in the customers' state, %d in the topic, %d in one of them alone", sum.OpenAlerts.State, sum.OpenAlerts.Topic, sum.OpenAlerts.Differing)
	row("dead letters", "%d", sum.DeadLetters)
	row("audit", "%d lost, %d doubled, %d differing, %d missing", sum.Audit.Lost, sum.Audit.Doubled, sum.Audit.Differing, sum.Audit.StateMissing)
	row("", "(%d outputs and %d customers recomputed from the ledger)", sum.Audit.Outputs, sum.Audit.Customers)
	if f := sum.Audit.Final; f != nil {
		const cents = 100 // of the demo's currency
		row("portfolio", "final %.2f as of %s, %.2f in sum: difference %.2f", float64(f.CustomerEquity)/cents, f.AsOf.Format(time.DateOnly), float64(f.Sum)/cents, float64(f.CustomerEquity-f.Sum)/cents)
	}
	s.print("%s\n", s.bold("Compared with the simulation's ground truth"))
	row("historic value", "exact for %d of %d", t.ValueExact, t.Buyers)
	row("standing orders", "exact for %d of %d", t.OrdersExact, t.Buyers)
	row("referrers", "right for %d of %d referred customers", t.ReferrersRight, t.Referred)
	row("referral value", "exact for %d of %d referrers", t.CreditExact, t.Referrers)
	if m := sum.Model; m.Outcome == refit.Appended {
		row("model", "%s, %s to this year: r %.2f, alpha %.2f, a %.2f, b %.2f", m.InForce.Model, m.InForce.Status, m.InForce.R, m.InForce.Alpha, m.InForce.A, m.InForce.B)
	} else {
		row("model", "%s, %s (%s)", m.InForce.Model, m.InForce.Status, m.Reason)
	}
	if sum.Model.InForce.Model == model.BGNBD {
		row("", "(by this model one-time buyers never stop: 0%%)")
	}
	row("churn probability", "%.2f for the %d churned, %.2f for the %d active", t.ChurnOfGone, t.Gone, t.ChurnOfActive, t.Active)
	row("", "(averages; in %.0f%% of pairs higher for the churned customer)", t.Concordance*100)
	s.printCalibration(t.Calibration)
	if d := t.TopDecile; d.Customers > 0 {
		row("top decile", "%d of %d by total CLV are in the true top decile (%.0f%%)", d.Right, d.Customers, d.Precision*100)
		row("", "(with %.0f%% of its value)", d.ShareOfValue*100)
	}
	return s.writeErr
}

// printCalibration compares predicted with actual churn, by tenths of the customers.
func (s *Screen) printCalibration(c groundtruth.Calibration) {
	if len(c.Deciles) == 0 {
		return
	}
	s.print("  %-18s", "predicted churn, %")
	for _, d := range c.Deciles {
		s.print(" %4.0f", d.Predicted*100)
	}
	s.print("   by tenths of the customers\n  %-18s", "actual churn, %")
	for _, d := range c.Deciles {
		s.print(" %4.0f", d.Gone*100)
	}
	s.print("   (%d of %d within 3 points or chance)\n", c.WithinTolerance, len(c.Deciles))
}

// printRunning says that everything keeps running, with the commands once more.
func (s *Screen) printRunning(d *demo) {
	s.print("\n  %s\n\n", s.dim("Everything keeps running until Ctrl-C. Paste into another terminal:"))
	s.printCommands(d)
}
