//go:build browser

package browser_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/pages"
	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/testbed/browser"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// topic stands for the topics of the portfolio and of alerts: a partition to which records can be added.
type topic struct {
	mu      sync.Mutex
	records [][]byte
}

func (t *topic) add(value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.records = append(t.records, value)
}

func (t *topic) ListOffsets(context.Context, string, []int32) (map[int32]kafka.Offsets, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return map[int32]kafka.Offsets{0: {LastStable: int64(len(t.records))}}, nil
}

func (t *topic) ReadCommitted(_ context.Context, _ string, _ int32, from, to int64, each func(kafka.Record) error) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for at := from; at < to; at++ {
		if err := each(kafka.Record{Offset: at, Value: t.records[at]}); err != nil {
			return at, err
		}
	}
	return to, nil
}

const persian = "علی_رضایی"

func unit() money.Unit { return money.Unit{Code: "EUR", Decimals: 2} }

func closed(day int) []byte {
	p := output.PortfolioUpdated{
		About: output.About{AsOf: time.Date(2026, 5, day, 0, 0, 0, 0, time.UTC).UnixMilli(), Trigger: output.TriggerClose, Currency: unit()},
		State: output.PortfolioFinal, Customers: 80, Low: 40, High: 40, CustomerEquity: int64(1_000_000 * day), Promoters: 3, Detractors: 1,
	}
	return p.Append(nil)
}

func raised(customer string, at time.Time) []byte {
	a := output.Alert{
		About:   output.About{AsOf: at.UnixMilli(), Trigger: output.TriggerTimer, Currency: unit(), Customer: customer},
		AlertID: customer + at.String(), Rule: "churn_risk_high", Severity: "warning", Metric: "churn_probability", RaisedAt: at.UnixMilli(), ValueAtStake: output.Some[int64](1737),
	}
	a.Reasons.Add("120 days since the last order, usually 14 between orders: 67%")
	return a.Append(nil)
}

// shop is a shop of half a year: regulars, customers who stopped, referrals, and names of other scripts and of no kind.
func shop() string {
	var lines strings.Builder
	for day := range 120 {
		at := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		for c := range 80 {
			if day == c%7 || c < 40 && day%14 == c%7 {
				fmt.Fprintf(&lines, "%s purchase c%d order=%d-%d total=%d\n", at, c, c, day, 20+c)
			}
		}
		if day%10 == 0 {
			fmt.Fprintf(&lines, "%s purchase %s order=p%d total=50\n", at, persian, day)
			fmt.Fprintf(&lines, "%s purchase <script>alert(1)</script>%s order=h%d total=70\n", at, strings.Repeat("long", 20), day)
			fmt.Fprintf(&lines, "%s survey c%d id=s%d score=%d\n", at, day%40, day, day%11)
		}
	}
	fmt.Fprintf(&lines, "2026-04-29 referral c1 by=c2 id=r1 status=approved\n")
	return lines.String() + "2026-05-20 tick\n"
}

// serve serves the pages of the shop. What is added to alerts is published.
func serve(t *testing.T) (address string, alerts *topic) {
	t.Helper()
	p, err := population.New(shop())
	require.NoError(t, err)
	portfolio, alerts := &topic{}, &topic{}
	for day := range 20 {
		portfolio.add(closed(1 + day))
	}
	alerts.add(raised("c50", time.Date(2026, 5, 19, 0, 0, 0, 0, time.UTC)))
	v := views.New(views.Config{
		Source: p, Now: time.Now, Portfolio: views.NewPortfolio(portfolio, "mainstay", time.Now), Alerts: views.NewFeed(alerts, "mainstay", 1, time.Now),
		DoneFor: 14 * 24 * time.Hour,
		Status: func() views.Status {
			return views.Status{Namespace: "mainstay", Partitions: []views.Partition{{Partition: 0, Folded: 1200}}}
		},
	})
	mux := http.NewServeMux()
	for _, r := range pages.Routes(pages.Config{
		Views: v, Mark: v.Marking(p.Mark), Zone: time.UTC, Now: time.Now, Log: zap.NewNop(),
		Checks: func(context.Context) []server.CheckResult { return []server.CheckResult{{Name: "redis"}} },
	}) {
		mux.Handle(r.Pattern, r.Handler)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL, alerts
}

func start(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := browser.Start(t.Context())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	return b
}

// limit bounds what waits for a page.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, b *browser.Browser, look browser.Look, address string) *browser.Tab {
	t.Helper()
	tab, err := b.Open(limit(t), look, address)
	require.NoError(t, err)
	t.Cleanup(tab.Close)
	require.NoError(t, tab.Run(limit(t), chromedp.WaitVisible("h1")), address)
	return tab
}

// paths are all pages, and those of a customer.
func paths() []string {
	return append(pages.Paths(), "/customer?id=c1", "/customer?id="+url.QueryEscape(persian), "/customer?id=nobody")
}

// inPersian are the same pages in Persian.
func inPersian() (all []string) {
	for _, path := range paths() {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		all = append(all, path+separator+"locale=fa")
	}
	return all
}

// audit is what axe-core finds: rules broken whose impact is serious or critical, with the elements.
const audit = `axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
  .map(v => v.id + " (" + v.impact + "): " + v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ")))`

// overflow is what reaches beyond the right edge of the window.
const overflow = `(() => { const w = document.documentElement; return w.scrollWidth > w.clientWidth 
  ? "the page is " + w.scrollWidth + " wide in a window of " + w.clientWidth + ": " + [...document.querySelectorAll("body *")]
    .filter(e => { const r = e.getBoundingClientRect(); return r.width > 0 && (r.right > w.clientWidth + 1 || r.left < -1) && !e.closest(".scroll table"); }).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ") : ""; })()`

func await(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func TestPagesAreAccessible(t *testing.T) {
	path := os.Getenv("AXE")
	require.NotEmpty(t, path, "AXE must be the path of axe-core's axe.min.js; make test-browser fetches it")
	axe, err := os.ReadFile(path)
	require.NoError(t, err)
	address, _ := serve(t)
	b := start(t)
	for _, path := range append(paths(), inPersian()...) {
		for name, look := range map[string]browser.Look{"desk": browser.Desk(), "dark": browser.Dark(), "phone": browser.Phone()} {
			t.Run(name+path, func(t *testing.T) {
				tab := open(t, b, look, address+path)
				var found []string
				require.NoError(t, tab.Run(limit(t), chromedp.Evaluate(string(axe)+";0", nil), chromedp.Evaluate(audit, &found, await)))
				require.Empty(t, found)
			})
		}
	}
}

func TestPagesFitTheWindow(t *testing.T) {
	address, _ := serve(t)
	b := start(t)
	for _, path := range append(paths(), inPersian()...) {
		for _, look := range []browser.Look{browser.Desk(), browser.Phone()} {
			for _, direction := range []string{"ltr", "rtl"} {
				t.Run(fmt.Sprint(look.Width, direction, path), func(t *testing.T) {
					tab := open(t, b, look, address+path)
					var found string
					require.NoError(t, tab.Run(limit(t), chromedp.Evaluate(`document.documentElement.dir = "`+direction+`"`, nil), chromedp.Evaluate(overflow, &found)))
					require.Empty(t, found)
				})
			}
		}
	}
}

// In Persian the units of numbers in a column are below units, charts keep their direction, and the choice lasts.
func TestPagesInPersian(t *testing.T) {
	address, _ := serve(t)
	tab := open(t, start(t), browser.Desk(), address+"/?locale=fa")
	var found struct {
		Direction, Chart string
		Edges            int // different right edges of the numbers of the column of values at stake
	}
	const look = `({Direction: getComputedStyle(document.querySelector("h1")).direction, Chart: "",
	  Edges: new Set([...document.querySelectorAll("td.number:nth-child(2) > div")].map(e => { const r = document.createRange(); r.selectNodeContents(e.firstChild); return Math.round(r.getBoundingClientRect().right); })).size})`
	require.NoError(t, tab.Run(limit(t), chromedp.Evaluate(look, &found)))
	require.Equal(t, "rtl", found.Direction)
	require.Equal(t, 1, found.Edges)
	require.NoError(t, tab.Run(limit(t), chromedp.Navigate(address+"/customer?id=c1"), chromedp.WaitVisible("svg.chart"),
		chromedp.Evaluate(`({Direction: document.documentElement.dir, Chart: getComputedStyle(document.querySelector("svg.chart")).direction})`, &found)))
	require.Equal(t, "rtl", found.Direction, "the choice of the page before")
	require.Equal(t, "ltr", found.Chart)
}

func TestSearchFinds(t *testing.T) {
	address, _ := serve(t)
	tab := open(t, start(t), browser.Desk(), address)
	var title, heading string
	require.NoError(t, tab.Run(limit(t), chromedp.SendKeys(`input[type=search]`, "c1"+kb.Enter), chromedp.WaitVisible(".timeline"), chromedp.Title(&title), chromedp.Text("h1", &heading)))
	require.Equal(t, "c1", heading)
	require.Contains(t, title, "c1")
}

func TestAlertsMove(t *testing.T) {
	address, alerts := serve(t)
	tab := open(t, start(t), browser.Desk(), address+"/alerts")
	newest := func() (text string) {
		require.NoError(t, tab.Run(limit(t), chromedp.Text("#live > li:first-child", &text)))
		return text
	}
	require.NoError(t, tab.Run(limit(t), chromedp.WaitVisible("#live-state.good")))
	require.Contains(t, newest(), "c50")
	alerts.add(raised("<img src=x onerror=alert(1)>", time.Date(2026, 5, 20, 0, 0, 0, 0, time.UTC)))
	require.NoError(t, tab.Run(limit(t), chromedp.WaitVisible("#live > li:nth-child(2)")))
	require.Contains(t, newest(), "<img src=x onerror=alert(1)>", "it is text")
}

func TestKeyboardReachesTheContent(t *testing.T) {
	address, _ := serve(t)
	tab := open(t, start(t), browser.Desk(), address)
	var focused string
	require.NoError(t, tab.Run(limit(t), chromedp.KeyEvent(kb.Tab), chromedp.Evaluate(`document.activeElement.textContent`, &focused)))
	require.Equal(t, "Skip to the content", focused)
	var at string
	require.NoError(t, tab.Run(limit(t), chromedp.KeyEvent(kb.Enter), chromedp.Location(&at)))
	require.Equal(t, address+"/#content", at)
}

// The checks of this package must be able to fail.
func TestFaultsAreNoticed(t *testing.T) {
	pages := map[string]string{
		"/exception": `<h1>x</h1><script>missing()</script>`,
		"/elsewhere": `<h1>x</h1><img src="http://example.com/x.png" alt="">`,
		"/wide":      `<h1>x</h1><div style="width:3000px">x</div>`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html>" + pages[r.URL.Path]))
	}))
	defer s.Close()
	b := start(t)
	for path, complaint := range map[string]string{"/exception": "missing is not defined", "/elsewhere": "ERR_NAME_NOT_RESOLVED"} {
		tab, err := b.Open(limit(t), browser.Desk(), s.URL+path)
		require.NoError(t, err)
		defer tab.Close()
		require.ErrorContains(t, tab.Run(limit(t), chromedp.WaitVisible("h1"), chromedp.Sleep(time.Second)), complaint)
	}
	tab := open(t, b, browser.Desk(), s.URL+"/wide")
	var found string
	require.NoError(t, tab.Run(limit(t), chromedp.Evaluate(overflow, &found)))
	require.Contains(t, found, "wide in a window of 1280")
}
