package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/sandbox/groundtruth"
	"github.com/mainstay/mainstay/pkg/stream/refit"
	"github.com/mainstay/mainstay/schemas/output"
)

// Screen is the picture of what goes on. On a terminal it moves; elsewhere it is a line now and then.
type Screen struct {
	To      io.Writer
	Moving  bool   // To is a terminal
	Colour  bool   // and colours are wanted
	Quiet   bool   // show nothing: somebody wants the summary as JSON
	Name    string // how this program is called, for lines to paste
	Now     func() time.Time
	lines   int // that were drawn last
	drawn   time.Time
	tenth   int
	written error
}

const (
	frame = 80 * time.Millisecond // between two pictures
	width = 30                    // of the bar
)

// print keeps the first failure to write; the demonstration goes on without a reader.
func (s *Screen) print(format string, args ...any) {
	if s.Quiet || s.written != nil {
		return
	}
	_, s.written = fmt.Fprintf(s.To, format, args...)
}

func (s *Screen) bold(text string) string { return s.paint("1", text) }
func (s *Screen) dim(text string) string  { return s.paint("2", text) }

func (s *Screen) paint(code, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// open says what runs, and what can be done with it.
func (s *Screen) open(d *demo) {
	c := d.app.Config
	s.print("%s\n\n", s.bold("Mainstay: a shop and its customers, simulated"))
	s.print("  %d customers over %d days, from %s until now; seed %d\n", d.Customers, d.Days, d.end.AddDate(0, 0, -d.Days).Format(time.DateOnly), d.Seed)
	s.print("  its events > Kafka > lifetime value, churn risk, promoter status > Kafka, Redis\n\n")
	s.print("  Kafka %s   Redis %s   http://%s/status\n", c.Kafka.Brokers[0], c.Redis.Addresses[0], d.process.Address())
	s.print("  %s\n\n", s.dim("In another terminal, paste:"))
	s.paste(d)
}

// paste are three lines that do something.
func (s *Screen) paste(d *demo) {
	c := d.app.Config
	id := "me"
	if len(d.truth.Customers) > 0 {
		id = d.truth.Customers[0].ID
	}
	kafka := " --kafka.brokers " + c.Kafka.Brokers[0]
	s.print("    %s send purchase --customer me --order 1 --total 49.90 --currency EUR%s\n", s.Name, kafka)
	s.print("    %s tail clv%s\n", s.Name, kafka)
	s.print("    %s customer get %s%s --redis.addresses %s\n\n", s.Name, id, kafka, c.Redis.Addresses[0])
}

// draw shows where the shop is and whom it is losing. The watch is locked.
func (s *Screen) draw(w *watch) {
	span := float64(time.Duration(w.d.Days) * day)
	start := w.d.end.Add(-time.Duration(w.d.Days) * day)
	share := min(max(float64(w.now.Sub(start))/span, 0), 1)
	if !s.Moving {
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
	full := int(share * width)
	lines := []string{ // none wider than the narrowest terminal: a line that wraps would not be erased
		fmt.Sprintf("  %s  day %3d of %d  [%s%s]  %d events", s.bold(w.now.Format(time.DateOnly)), int(share*float64(w.d.Days)+.5), w.d.Days,
			strings.Repeat("#", full), strings.Repeat(".", width-full), w.events),
		"  " + w.counts(),
		fmt.Sprintf("  alerts %d%s", w.answers[output.Alerts], w.alert),
		"",
		"  Customers whom the shop is losing: nobody tells Mainstay but their silence.",
		s.dim(fmt.Sprintf("  %-7s %6s %-10s %-10s %7s %-15s %s", "who", "orders", "last order", "lost on", "silent", "probably gone", "churn risk")),
	}
	for _, c := range w.silent {
		lines = append(lines, s.row(w.now, c))
	}
	s.erase()
	for _, l := range lines {
		s.print("%s\n", l)
	}
	s.lines = len(lines)
}

func (w *watch) counts() string {
	return fmt.Sprintf("clv %d, churn-risk %d, promoter-status %d; by silence alone %d",
		w.answers[output.CLV], w.answers[output.ChurnRisk], w.answers[output.PromoterStatus], w.silence)
}

func (s *Screen) row(now time.Time, c *silent) string {
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
	silence := max(0, int(now.Sub(c.LastOrder).Hours()/24)) //nolint:mnd // days
	return fmt.Sprintf("  %-7s %6d %-10s %-10s %6dd %s %s", c.ID, c.Orders, c.LastOrder.Format(time.DateOnly), lost, silence,
		bar, s.paint(colour, c.path()))
}

func (s *Screen) erase() {
	if s.lines > 0 {
		s.print("\x1b[%dA\x1b[J", s.lines)
	}
	s.lines = 0
}

// close leaves the last picture standing.
func (s *Screen) close() {
	s.lines = 0
	s.print("\n")
}

// summary says what it all came to.
func (s *Screen) summary(sum *Summary) error {
	row := func(name, text string, args ...any) {
		s.print("  %-18s %s\n", name, fmt.Sprintf(text, args...))
	}
	t := sum.Truth
	s.print("%s\n", s.bold("What it came to"))
	row("events", "%d from %s to %s, in %.1f s", sum.Events, sum.From.Format(time.DateOnly), sum.To.Format(time.DateOnly), sum.WallSeconds)
	row("customers", "%d who bought, %d more who were only referred", sum.Customers, sum.Known-sum.Customers)
	for o := range output.Topics {
		if n := sum.Outputs[o.String()]; n > 0 {
			row(o.String(), "%d", n)
		}
	}
	row("by silence alone", "%d of them", sum.BySilence)
	row("dead letters", "%d", sum.DeadLetters)
	row("audit", "%d lost, %d doubled, %d differing, %d missing", sum.Audit.Lost, sum.Audit.Doubled, sum.Audit.Differing, sum.Audit.StateMissing)
	row("", "(of %d outputs and %d customers, folded again)", sum.Audit.Outputs, sum.Audit.Customers)
	s.print("%s\n", s.bold("Against the simulation's truth"))
	row("historic value", "exact for %d of %d", t.ValueExact, t.Buyers)
	row("standing orders", "exact for %d of %d", t.OrdersExact, t.Buyers)
	row("referrers", "right for %d of %d who were referred", t.ReferrersRight, t.Referred)
	row("referral value", "exact for %d of %d who referred", t.CreditExact, t.Referrers)
	if m := sum.Model; m.Outcome == refit.Appended {
		row("model", "MBG/NBD, %s to this year: r %.2f, alpha %.2f, a %.2f, b %.2f", m.InForce.Status, m.InForce.R, m.InForce.Alpha, m.InForce.A, m.InForce.B)
	} else {
		row("model", "MBG/NBD, %s (%s)", m.InForce.Status, m.Reason)
	}
	row("churn probability", "%.2f for the %d who are gone, %.2f for the %d who stay", t.ChurnOfGone, t.Gone, t.ChurnOfActive, t.Active)
	row("", "(averages; in %.0f%% of pairs higher for the one who is gone)", t.Concordance*100)
	s.calibration(t.Calibration)
	if d := t.TopDecile; d.Customers > 0 {
		row("top decile", "%d of %d by total CLV really belong to it (%.0f%%)", d.Right, d.Customers, d.Precision*100)
		row("", "(they are worth %.0f%% of what the true top decile is)", d.ShareOfValue*100)
	}
	return s.written
}

// calibration shows, by tenths of the customers, who was promised to be gone and who is.
func (s *Screen) calibration(c groundtruth.Calibration) {
	if len(c.Deciles) == 0 {
		return
	}
	s.print("  %-18s", "promised gone, %")
	for _, d := range c.Deciles {
		s.print(" %4.0f", d.Predicted*100)
	}
	s.print("   by tenths of the customers\n  %-18s", "really gone, %")
	for _, d := range c.Deciles {
		s.print(" %4.0f", d.Gone*100)
	}
	s.print("   (within 3 points and chance: %d of %d)\n", c.WithinTolerance, len(c.Deciles))
}

// stay says that everything still runs.
func (s *Screen) stay(d *demo) {
	s.print("\n  %s\n\n", s.dim("Everything still runs; in another terminal, paste (Ctrl-C ends it):"))
	s.paste(d)
}
