package pages_test

import (
	"flag"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/pages"
	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/ops/outcomes"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/stream/report"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/schemas/digits"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timeform"
)

var update = flag.Bool("update", false, "write the golden files")

// persianPages are the addresses of all pages in all forms, with names of other scripts and of no kind.
func persianPages() []string {
	return []string{
		"/", "/customer", "/customer?id=" + url.QueryEscape(hostile), "/customer?id=" + url.QueryEscape(persian), "/customer?id=nobody", "/alerts", "/alerts?rule=churn_risk_high", "/overview",
		"/segments", "/segments?by=churn_risk", "/segments?by=rfm", "/segments?by=nps_category", "/segments?by=cohort", "/segments?show=onboarding", "/segments?show=referrals&by=source", "/segments?show=nps",
		"/cohorts", "/cohorts?measure=value_per_customer", "/retention", "/retention?by=quarter", "/costs", "/costs?by=source", "/costs?by=year", "/model", "/system",
	}
}

// inPersian adds the choice of the locale to an address.
func inPersian(path string) string {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return path + separator + "locale=fa"
}

var (
	// What is not for reading: what a page loads, what a shop has named or an output states in English, and commands.
	apart  = regexp.MustCompile(`(?s)<(script|style)\b.*?</(script|style)>|<span lang="en".*?</span>|<a [^>]*lang="en"[^>]*>.*?</a>|<(a|span)( [^>]*)? class="id".*?</(a|span)>|<code>.*?</code>|<p class="links">.*?</p>|<dd>.*?</dd>`)
	tag    = regexp.MustCompile(`<[^>]*>`)
	spoken = regexp.MustCompile(`(?:aria-label|title|placeholder|data-label|data-connected|data-lost|alt)="([^"]*)"`)
	// Names that have no other form in Persian, and addresses, settings and commands.
	names   = regexp.MustCompile(`\b(Mainstay|CLV|CAC|NPS|RFM|JSON|UTC|Redis|Kafka|Pareto|MBG|NBD)\b|mainstay [a-z ]+|alerts\.rules|portfolio\.contribution_interval|tiers\.min_customers|ledger_gap`)
	english = regexp.MustCompile(`[A-Za-z]{2,}`)
)

// readable is what a person reads on a page, or hears: its texts, and the attributes that browsers show or speak. On the page of the process
// the facts are names.
func readable(path, body string) string {
	if !strings.HasPrefix(path, "/system") {
		body = strings.NewReplacer("<dd>", "<DD>", "</dd>", "</DD>").Replace(body)
	}
	body = apart.ReplaceAllString(body, " ")
	var b strings.Builder
	for _, m := range spoken.FindAllStringSubmatch(body, -1) {
		b.WriteString(m[1] + "\n")
	}
	b.WriteString(tag.ReplaceAllString(body, "\n"))
	return names.ReplaceAllString(html.UnescapeString(b.String()), "")
}

// In Persian a page has no word of English and no digit of English besides what a shop has named: nothing has been left untranslated.
func TestPagesInPersian(t *testing.T) {
	w := newWorld(t, shop, topic{closed(1), closed(2), closed(3)}, topic{raised(hostile, 1), raised(persian, 2)})
	empty := newWorld(t, "", nil)
	for _, path := range persianPages() {
		for name, w := range map[string]*world{"full": w, "empty": empty} {
			_, body, header := w.get(t, inPersian(path))
			require.Contains(t, body, `<html lang="fa" dir="rtl">`)
			require.Equal(t, "fa", header.Get("Content-Language"))
			require.NotContains(t, body, "%!", path)
			for line := range strings.SplitSeq(readable(path, body), "\n") {
				if strings.Contains(line, "script") || strings.Contains(line, `\u`) || strings.Contains(line, "nobody") {
					continue // a customer's id
				}
				require.NotRegexp(t, english, line, "%s, %s", name, path)
				require.NotRegexp(t, `[0-9]`, line, "%s, %s", name, path)
			}
		}
	}
}

// Failures speak the reader's language as well.
func TestFailuresInPersian(t *testing.T) {
	w := newWorld(t, shop, nil)
	w.Err = http.ErrServerClosed
	_, body, _ := w.get(t, "/?locale=fa")
	require.NotRegexp(t, english, readable("/", body))
}

var timed = regexp.MustCompile(`<time datetime="([^"]*)">([^<]*)</time>`)

// Each date that a page shows in Persian is, read back, the Gregorian one of the ledger's zone, in which English shows it.
func TestDatesInPersianAreThoseOfTheLedgersZone(t *testing.T) {
	zone, err := time.LoadLocation("America/New_York") // most moments of the scenario are of the day before
	require.NoError(t, err)
	w := newWorldOf(t, func(c *pages.Config) { c.Zone = zone }, shop, topic{closed(1), closed(2), closed(3)}, topic{raised(hostile, 1), raised(persian, 2)})
	months := []string{"فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"}
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, text)
		return n
	}
	gregorian := func(text string) string {
		text = strings.ReplaceAll(text, "،", " ")
		var y, m, d int
		if parts := strings.Split(digits.Plain(text), "/"); len(parts) == 3 {
			y, m, d = number(parts[0]), number(parts[1]), number(parts[2])
		} else {
			parts := strings.Fields(digits.Plain(text))
			y, m, d = number(parts[2]), 1+slices.Index(months, parts[1]), number(parts[0])
		}
		day, ok := timeform.SolarHijri(y, m, d)
		require.True(t, ok, text)
		return day.Format(time.DateOnly)
	}
	count := 0
	for _, path := range persianPages() {
		_, body, _ := w.get(t, inPersian(path))
		_, same, _ := w.get(t, path)
		there := timed.FindAllStringSubmatch(same, -1)
		for i, m := range timed.FindAllStringSubmatch(body, -1) {
			count++
			want := m[1]
			if at, err := time.Parse(time.RFC3339, m[1]); err == nil {
				want = at.In(zone).Format(time.DateOnly)
			}
			if path != "/system" { // it is as of now
				require.Equal(t, want, gregorian(m[2]), path)
				require.Equal(t, want, there[i][2][:len(time.DateOnly)], path)
			}
		}
	}
	require.Greater(t, count, 20)
	_, today, _ := w.get(t, "/?locale=fa")
	shown := regexp.MustCompile(`[۰-۹]{4}/[۰-۹]{2}/[۰-۹]{2}`).FindAllString(today, -1)
	_, plain, _ := w.get(t, "/")
	wanted := regexp.MustCompile(`>(\d{4}-\d{2}-\d{2})<`).FindAllStringSubmatch(plain, -1)
	require.Len(t, shown, len(wanted))
	for i := range shown {
		require.Equal(t, wanted[i][1], gregorian(shown[i]))
	}
}

// An id is shown and linked as the shop writes it, whatever it looks like.
func TestIdsStayAsTheyAre(t *testing.T) {
	w := newWorld(t, "2026-01-01 purchase Today order=1 total=40\n2026-01-09 purchase 1405 order=2 total=50\n2026-01-10 purchase high order=3 total=50\n2026-05-04 tick\n", nil)
	_, body, _ := w.get(t, "/customer?locale=fa")
	for _, id := range []string{"Today", "1405", "high"} {
		require.Contains(t, body, `href="/customer?id=`+id+`">`+id+`</a>`)
		_, own, _ := w.get(t, "/customer?locale=fa&id="+id)
		require.Regexp(t, `<h1><span class="id" dir="auto">`+id+`</span></h1>`, own)
		require.Contains(t, own, "<title>"+id+" · Mainstay</title>")
	}
}

// The locale is what the reader chooses, else what they have chosen before, else the setting, else what the browser asks for.
func TestWhoseLocale(t *testing.T) {
	for _, c := range []struct{ setting, parameter, cookie, languages, is string }{
		{"en", "", "", "", "en"},
		{"en", "", "", "fa", "en"},
		{"fa", "", "", "en", "fa"},
		{"auto", "", "", "fa-IR", "fa"},
		{"auto", "", "", "de", "en"},
		{"en", "", "fa", "", "fa"},
		{"fa", "", "en", "", "en"},
		{"auto", "", "en", "fa", "en"},
		{"en", "fa", "", "", "fa"},
		{"fa", "en", "fa", "fa", "en"},
		{"fa", "xx", "", "", "fa"},
		{"fa", "", "xx", "", "fa"},
		{"en", "auto", "", "fa", "en"},
	} {
		w := newWorldOf(t, func(to *pages.Config) { to.Reader = c.setting }, shop, nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?capacity=50&locale="+c.parameter, nil)
		if c.cookie != "" {
			r.AddCookie(&http.Cookie{Name: "locale", Value: c.cookie})
		}
		r.Header.Set("Accept-Language", c.languages)
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, r)
		require.Contains(t, answer.Body.String(), `<html lang="`+c.is+`"`, c)
		require.Equal(t, c.is, answer.Header().Get("Content-Language"))
		vary := strings.Join(answer.Header().Values("Vary"), ", ")
		require.Contains(t, vary, "Cookie")
		require.Equal(t, c.setting == "auto", strings.Contains(vary, "Accept-Language"), c)
		cookie := answer.Header().Get("Set-Cookie")
		if c.parameter != "fa" && c.parameter != "en" {
			require.Empty(t, cookie, "nothing was chosen")
		} else {
			require.Equal(t, "locale="+c.parameter+"; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax", cookie)
		}
		other := map[string]string{"en": "fa", "fa": "en"}[c.is]
		require.Contains(t, answer.Body.String(), `href="/?capacity=50&amp;locale=`+other+`"`, "the other language, of the same page")
	}
}

// Alerts that happen are sent in the locale of the page that shows them.
func TestAlertsAsTheyHappenInPersian(t *testing.T) {
	w := newWorld(t, shop, nil, topic{raised(persian, 1)})
	server := httptest.NewServer(w.handler)
	defer server.Close()
	_, data := events(t, server.URL+"/alerts/live?after=0", http.Header{"Cookie": {"locale=fa"}}, 1)
	require.Contains(t, data[0], "خطر ریزش زیاد")
	require.Contains(t, data[0], `<span lang="en" dir="ltr">&lt;b&gt; of the base, 120 days silent</span>؛ ۱۷٫۳۷ یورو در خطر`, "a reason is what the output states")
}

// The page Today as a Persian shop sees it. Read the difference before it is committed.
func TestTodayInPersianIsGolden(t *testing.T) {
	_, body, _ := newWorld(t, shop, nil).get(t, "/?locale=fa")
	body = regexp.MustCompile(`\?v=[0-9a-f]+`).ReplaceAllString(strings.ReplaceAll(body, "><", ">\n<"), "") + "\n"
	path := filepath.Join("testdata", "today.fa.html")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o750))
		require.NoError(t, os.WriteFile(path, []byte(body), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), body)
}

// Each name of the tables that pages and reports walk has a word in Persian.
func TestEveryNameIsInTheCatalogue(t *testing.T) {
	var all []string
	columns := func(of []report.Column) {
		for _, c := range of {
			all = append(all, c.Name)
		}
	}
	columns(report.PeriodColumns(calendar.Retention(), report.Month))
	columns(report.PeriodColumns(calendar.Sales(), report.Quarter))
	columns(report.CohortColumns())
	for _, m := range report.EquityMeasures() {
		all = append(all, m.Name)
	}
	for _, c := range lookup.Columns(nil) {
		all = append(all, c.Name)
	}
	columns(outcomes.LiftColumns())
	columns(outcomes.BeforeAfterColumns())
	for _, by := range report.ReturnsBy() {
		columns(report.ReturnColumns(by))
	}
	for _, r := range lookup.SegmentReports() {
		all = append(all, r.Name)
		for _, d := range lookup.Dimensions(nil) {
			columns(report.SegmentColumns(&r, d.Name))
		}
	}
	all = append(append(append(all, output.EquityParts()...), output.EquityDrivers()...), cost.Kinds()...)
	all = append(all, alert.Metrics()...)
	for _, r := range alert.Shipped() {
		all = append(append(append(all, r.Name, r.Severity), r.Tiers...), r.NPS...)
	}
	in := locale.Named("fa")
	for _, name := range all {
		require.True(t, in.Knows(name), "%s has no word", name)
	}
	for _, d := range lookup.Dimensions(nil) {
		require.NotEqual(t, d.About, in.T(d.About))
	}
	for _, r := range lookup.SegmentReports() {
		require.NotEqual(t, r.About, in.T(r.About))
	}
}
