package pages_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/pages"
	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// topic stands for the topic of the portfolio.
type topic [][]byte

func (t topic) ListOffsets(context.Context, string, []int32) (map[int32]kafka.Offsets, error) {
	return map[int32]kafka.Offsets{0: {LastStable: int64(len(t))}}, nil
}

func (t topic) ReadCommitted(_ context.Context, _ string, _ int32, from, to int64, each func(kafka.Record) error) (int64, error) {
	for at := from; at < to; at++ {
		if err := each(kafka.Record{Offset: at, Value: t[at]}); err != nil {
			return at, err
		}
	}
	return to, nil
}

func closed(day int) []byte {
	p := output.PortfolioUpdated{
		About: output.About{AsOf: time.Date(2026, 5, day, 0, 0, 0, 0, time.UTC).UnixMilli(), Trigger: output.TriggerClose, Currency: money.Unit{Code: "EUR", Decimals: 2}},
		State: output.PortfolioFinal, Customers: 3, Low: 1, High: 2, CustomerEquity: 123456789, FutureInterval: output.Interval[int64]{Low: output.Some[int64](123400), High: output.Some[int64](567800)}, PredictedOrders: output.Some(4321.5), PredictedOrdersInterval: output.Interval[int64]{Low: output.Some[int64](4000), High: output.Some[int64](5000)}, Detractors: 1,
		EquityChange: output.Some(output.EquityChange{Parts: []int64{100000, 0, -5050, 0, 0, 0, 0, 0}}),
		Drivers:      []output.EquityDriver{{Name: "value", Responses: 12, MeanScore: output.Some(7.25), StandardError: output.Some(.5)}},
	}
	return p.Append(nil)
}

// raised is an alert that was raised on a day of May.
func raised(customer string, day int) []byte {
	at := time.Date(2026, 5, day, 0, 0, 0, 0, time.UTC).UnixMilli()
	a := output.Alert{
		About:   output.About{AsOf: at, Trigger: output.TriggerTimer, Currency: money.Unit{Code: "EUR", Decimals: 2}, Customer: customer},
		AlertID: customer + strconv.Itoa(day), Rule: "churn_risk_high", Severity: "warning", Metric: "churn_probability", RaisedAt: at, ValueAtStake: output.Some[int64](1737),
	}
	a.Reasons.Add("<b> of the base, 120 days silent")
	return a.Append(nil)
}

const (
	hostile = `"><script>alert(1)</script>`
	bidi    = "\u202egnp.exe\x01"
	persian = "علی"
)

const shop = `2026-01-01 purchase ` + hostile + ` order=1 total=4000
2026-01-01 purchase ` + bidi + ` order=b1 total=30
2026-01-02 purchase ` + persian + ` order=p1 total=50
2026-01-09 purchase ` + hostile + ` order=2 total=5000
2026-01-10 referral ` + persian + ` by=` + hostile + ` id=r1 status=approved
2026-01-12 purchase ` + persian + ` order=p2 total=50
2026-01-20 survey ` + hostile + ` id=s1 score=2
2026-05-03 engagement ` + hostile + ` type=support_contact
2026-05-04 tick
`

type world struct {
	*population.Population
	handler http.Handler
}

func newWorld(t *testing.T, scenario string, portfolio topic, published ...topic) *world {
	t.Helper()
	return newWorldOf(t, func(*pages.Config) {}, scenario, portfolio, published...)
}

// newWorldOf is a world whose pages are configured otherwise.
func newWorldOf(t *testing.T, change func(*pages.Config), scenario string, portfolio topic, published ...topic) *world {
	t.Helper()
	alerts := slices.Concat(published...)
	p, err := population.New(scenario)
	require.NoError(t, err)
	v := views.New(views.Config{
		Source: p, Now: time.Now, Portfolio: views.NewPortfolio(portfolio, "mainstay", time.Now), Alerts: views.NewFeed(alerts, "mainstay", 1, time.Now),
		DoneFor: 14 * 24 * time.Hour, Status: func() views.Status {
			return views.Status{Namespace: "<b>space</b>", Partitions: []views.Partition{{Halted: "ledger_gap", Cause: "a < b"}}}
		},
	})
	mux := http.NewServeMux()
	c := pages.Config{
		Views: v, Mark: v.Marking(p.Mark), Zone: time.UTC, Now: time.Now, Log: zap.NewNop(),
		Checks: func(context.Context) []server.CheckResult {
			return []server.CheckResult{{Name: "redis", Problem: "a < b"}}
		},
	}
	change(&c)
	for _, r := range pages.Routes(c) {
		mux.Handle(r.Pattern, r.Handler)
	}
	return &world{p, mux}
}

func (w *world) get(t *testing.T, path string) (int, string, http.Header) {
	t.Helper()
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return answer.Code, answer.Body.String(), answer.Header()
}

var (
	loads    = regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)
	searched = regexp.MustCompile(` value="[^"]*"`)
	ownFile  = regexp.MustCompile(`<script src="/assets/[a-z]+\.js\?v=[0-9a-f]+" defer></script>`)
	inline   = regexp.MustCompile(`(?i)<script|<style|<iframe|<object| style="| on[a-z]+="|javascript:`)
)

// sound fails unless a page keeps the rules of all pages: nothing from elsewhere, nothing inline, one heading, and everything escaped.
func sound(t *testing.T, path, body string, header http.Header) {
	t.Helper()
	require.Equal(t, "text/html; charset=utf-8", header.Get("Content-Type"))
	policy := header.Get("Content-Security-Policy")
	require.Contains(t, policy, "default-src 'none'")
	require.NotContains(t, policy, "unsafe")
	require.Equal(t, "no-store", header.Get("Cache-Control"))
	require.Equal(t, "same-origin", header.Get("Referrer-Policy"))
	for _, m := range loads.FindAllStringSubmatch(body, -1) {
		require.Regexp(t, `^(/([^/]|$)|#)`, m[1], path)
	}
	require.Equal(t, strings.Contains(policy, "script-src 'self'"), ownFile.MatchString(body), "a script needs the policy, and no other page has it")
	require.NotRegexp(t, inline, ownFile.ReplaceAllString(body, ""), path)
	require.NotContains(t, body, "<b>space", path)
	body = searched.ReplaceAllString(body, "") // the field repeats what was typed
	require.NotContains(t, body, "\u202e", path)
	require.NotContains(t, body, "\x01", path)
	require.Equal(t, 1, strings.Count(body, "<h1"), path)
	require.Contains(t, body, `lang="en"`)
	require.Contains(t, body, `name="viewport"`)
}

func TestEveryPage(t *testing.T) {
	w := newWorld(t, shop, topic{closed(1), closed(2), closed(3)}, topic{raised(hostile, 1), nil, raised(persian, 2)})
	for path, want := range map[string][]string{
		"/":             {"Today", "at stake with", "&lt;script&gt;alert(1)", persian, `dir="auto"`, "days ago"},
		"/?capacity=10": {`aria-current="true">10<`},
		"/?capacity=-1": {`aria-current="true">20<`},
		"/customer":     {"Customers", "&lt;script&gt;alert(1)", `\u202egnp.exe\u0001`, "Lifetime value, EUR"},
		"/customer?id=" + url.QueryEscape(hostile): {"&lt;script&gt;alert(1)", "<svg", "Would recommend", "1 order, 5,000.00 EUR net", "answered a survey with 2 of 10", "Has referred 1 customers", "of the last 30 days and on <strong>1</strong>", "these 1 within 90 days", "contacted support", "last engaged"},
		"/customer?id=" + url.QueryEscape(persian): {persian, "Referred by", "&lt;script&gt;"},
		"/customer?id=" + url.QueryEscape(bidi):    {`\u202egnp.exe\u0001`},
		"/alerts":                                  {"As they happen", "Churn risk high", "raised for", "&lt;script&gt;", "of the base, 120 days silent; 17.37 EUR at stake", `data-from="/alerts/live?after=2"`, "Churn probability is at or above 0.66 for 1 day<", "Value tier rises to top_20<", "High value lost<", "at or above 120, as a promoter<"},
		"/overview":                                {"Customer equity", "1,234,567.89", "expected from them, 80%: 1,234.00 to 5,678.00", "Predicted orders", "4,322", "80%: 4,000 to 5,000", "<svg", "Detractors", "−100", "New customers: +1,000.00", "Silence: −50.50", "7.250 ± 0.500"},
		"/segments":                                {"All customers", "too few to tell", "by value", "Average CLV, EUR"},
		"/segments?by=churn_risk":                  {`aria-current="true">Churn risk<`, "Average churn probability"},
		"/segments?show=onboarding":                {`aria-current="true">Onboarding<`, `aria-current="true">Cohort<`, "Median days to second order"},
		"/segments?show=referrals&by=source":       {"Viral factor", `aria-current="true">Source<`},
		"/segments?show=nps":                       {`aria-current="true">NPS category<`, "standard error"},
		"/segments?by=<b>":                         {`aria-current="true">Value tier<`},
		"/cohorts":                                 {"2026-01", "100.0%", "so-far", "the month is not over", `scope="row"`},
		"/cohorts?measure=value_per_customer":      {`aria-current="true">Value per customer<`, "heat-8", "in EUR"},
		"/retention":                               {"Retention rate", "New revenue, EUR", "<rect class=\"new\"", "2026-05", "so-far"},
		"/retention?by=quarter":                    {`aria-current="true">Quarter<`, "2026-Q1"},
		"/costs":                                   {"Costs and return", "Equity per new customer, EUR", "2026-04", "mainstay costs set"},
		"/costs?by=source":                         {`aria-current="true">Source<`, "CLV to CAC"},
		"/model":                                   {"too early to tell", "MBG/NBD", "shipped ones", "r, α", "Forecasts come due"},
		"/system":                                  {"Not ready", "a &lt; b", "halted: ledger_gap", "&lt;b&gt;space&lt;/b&gt;", "/v1/openapi.json"},
	} {
		status, body, header := w.get(t, path)
		require.Equal(t, http.StatusOK, status, path)
		sound(t, path, body, header)
		for _, text := range want {
			require.Contains(t, body, text, path)
		}
	}
	for _, asset := range loads.FindAllStringSubmatch(func() string { _, body, _ := w.get(t, "/"); return body }(), -1) {
		if strings.HasPrefix(asset[1], "/assets/") {
			status, body, header := w.get(t, asset[1])
			require.Equal(t, http.StatusOK, status)
			require.NotEmpty(t, body)
			require.NotContains(t, strings.ReplaceAll(body, "http://www.w3.org/2000/svg", ""), "http", "nothing from elsewhere")
			require.Contains(t, header.Get("Cache-Control"), "immutable")
		}
	}
}

// twoHalves are n customers who keep buying and n who bought once, long ago.
func twoHalves(n int) string {
	var lines strings.Builder
	for day := range 120 {
		at := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		for c := range 2 * n {
			if day == c%7 || c < n && day%14 == c%7 {
				fmt.Fprintf(&lines, "%s purchase c%d order=%d-%d total=%d\n", at, c, c, day, 20+c)
			}
		}
	}
	return lines.String() + "2026-05-04 tick\n"
}

var (
	tableRow  = regexp.MustCompile(`<tr>.*?</tr>`)
	tableCell = regexp.MustCompile(`<t[hd][^>]*class="([^"]*)"[^>]*>([−0-9.,]+%?|–)(.*?)</t[hd]>`)
	headCell  = regexp.MustCompile(`<th scope="col"[^>]*>(.*?)</th>`)
)

// Each figure of a segment bears the sign and the colour that a comparison with the figure of all customers gives; few customers bear no colour.
func TestSegmentsAreComparedWithAllCustomers(t *testing.T) {
	less := []string{"Days between orders", "Average churn probability", "Lost share"}
	neither := []string{"Customers", "Historic revenue, EUR", "Customer equity, EUR", "Referred customers"}
	for scenario, colours := range map[string]int{twoHalves(40): 14, twoHalves(5): 0} {
		_, body, _ := newWorld(t, scenario, nil).get(t, "/segments?by=churn_risk")
		var heads []string
		for _, m := range headCell.FindAllStringSubmatch(body, -1) {
			heads = append(heads, m[1])
		}
		rows := tableRow.FindAllString(body, -1)[1:]
		number := func(row, column int) (float64, []string) {
			cells := tableCell.FindAllStringSubmatch(rows[row], -1)
			require.Len(t, cells, len(heads)-1)
			text := strings.NewReplacer(",", "", "%", "", "−", "-", "–", "0").Replace(cells[column][2])
			v, err := strconv.ParseFloat(text, 64)
			require.NoError(t, err)
			return v, cells[column]
		}
		require.GreaterOrEqual(t, len(rows), 3)
		coloured := 0
		for row := range rows {
			for column, name := range heads[1:] {
				v, cell := number(row, column)
				all, _ := number(len(rows)-1, column)
				if cell[2] == "–" {
					v = all // what is not known bears no sign
				}
				above, below, better, worse := strings.Contains(cell[3], "▲"), strings.Contains(cell[3], "▼"), strings.Contains(cell[1], "better"), strings.Contains(cell[1], "worse")
				if slices.Contains(neither, name) {
					require.False(t, above || below || better || worse, name)
					continue
				}
				require.Equal(t, v > all, above, "%s of row %d", name, row)
				require.Equal(t, v < all, below, "%s of row %d", name, row)
				if strings.Contains(rows[row], "too few to tell") {
					require.False(t, better || worse)
					continue
				}
				require.Equal(t, v != all, better || worse)
				if better || worse {
					coloured++
					require.Equal(t, above != slices.Contains(less, name), better, "%s of row %d", name, row)
				}
			}
		}
		require.GreaterOrEqual(t, coloured, colours)
	}
}

func TestNothingYet(t *testing.T) {
	w := newWorld(t, "", nil)
	for _, path := range []string{"/", "/customer", "/overview", "/segments"} {
		status, body, header := w.get(t, path)
		require.Equal(t, http.StatusOK, status, path)
		require.Contains(t, body, `http-equiv="refresh"`, "%s: it fills by itself", path)
		sound(t, path, body, header)
	}
	for _, id := range []string{"nobody", hostile, bidi} {
		path := "/customer?id=" + url.QueryEscape(id)
		status, body, header := w.get(t, path)
		require.Equal(t, http.StatusNotFound, status)
		require.Contains(t, body, "No such customer")
		sound(t, path, body, header)
	}
}

func TestServersThatDoNotAnswer(t *testing.T) {
	w := newWorld(t, shop, nil)
	for err, want := range map[error]string{errors.New("dial tcp 10.0.0.7: refused"): "cannot be shown now", lookup.ErrNoState: "Nothing has been computed yet"} {
		w.Err = err
		for _, path := range []string{"/", "/customer", "/customer?id=a", "/segments", "/cohorts", "/retention", "/costs", "/model"} {
			status, body, header := w.get(t, path)
			require.Equal(t, http.StatusServiceUnavailable, status, path)
			require.Contains(t, body, want, path)
			require.NotContains(t, body, "10.0.0.7", "the text of a server belongs in the log")
			sound(t, path, body, header)
		}
	}
	status, _, _ := w.get(t, "/system")
	require.Equal(t, http.StatusOK, status, "it says what is wrong")
}
