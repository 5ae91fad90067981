package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/pkg/models/parameters"
)

// base returns n customers who buy for 1,000 minor units on each of the given days, each customer a day after the previous one.
func base(n int, days ...int32) []lifetimes.History {
	all := make([]lifetimes.History, n)
	for i := range all {
		for _, d := range days {
			all[i] = all[i].Add(20000+d+int32(i), 1000)
		}
	}
	return all
}

func on(day int32) time.Time { return time.Unix(int64(20000+day)*86400, 0).UTC() }

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		all  []lifetimes.History
		o    Options
		want error
		says string
	}{
		"nothing":          {nil, Options{}, ErrTooFew, "contains no purchase"},
		"empty histories":  {make([]lifetimes.History, 20), Options{}, ErrTooFew, "contains no purchase"},
		"one customer":     {base(1, 0, 5, 9), Options{}, ErrTooFew, "1 customer had bought by"},
		"one purchase":     {base(1, 0), Options{}, ErrSplit, "give a --split in between"},
		"split before":     {base(50, 0, 80), Options{Split: on(-1)}, ErrSplit, "2024-10-03"},
		"split at the end": {base(50, 0, 80), Options{Split: on(129)}, ErrSplit, "2025-02-10"},
		"split after":      {base(50, 0, 80), Options{Split: on(500)}, ErrSplit, "give a --split"},
		"until before":     {base(50, 0, 80), Options{Split: on(60), Until: on(60)}, ErrSplit, "give a later --until"},
		"until far off":    {base(50, 0, 80), Options{Split: on(60), Until: on(4000)}, ErrSplit, "give an earlier --until"},
		"few by the split": {base(50, 0, 80), Options{Split: on(8)}, ErrTooFew, "9 customers had bought by"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Run(context.Background(), c.all, c.o)
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestStops(t *testing.T) {
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	var steps []string
	_, err := Run(ctx, base(50, 0, 80), Options{Progress: func(step string, done, total int) {
		require.Less(t, done, total)
		steps = append(steps, step)
		if len(steps) == 3 {
			cancel(stop)
		}
	}})
	require.ErrorIs(t, err, stop)
	require.Len(t, steps, 3)
}

// Histories with too few data give a statement that says so, and a valid page.
func TestLittle(t *testing.T) {
	news := base(40, 0)
	for i := range 30 { // their first purchase is after the split
		news = append(news, lifetimes.History{}.Add(20100+int32(i), 500))
	}
	giant := base(40, 0, 90)
	for d := range int32(400) {
		giant[3] = giant[3].Add(20003+d, 100_000_000)
	}
	free := base(60, 0, 30, 100)
	for i := range free {
		for k := range free[i] {
			free[i][k].Net = 0
		}
	}
	for name, c := range map[string]struct {
		all   []lifetimes.History
		o     Options
		trust string
	}{
		"once each":          {base(200, 0), Options{}, "cannot be assessed"},
		"quiet second part":  {news, Options{Split: on(60)}, "cannot be assessed"},
		"no repeat buyers":   {base(40, 0, 90), Options{Split: on(60)}, "its parameters are those of the prior"},
		"few buyers":         {append(base(12, 0, 80), base(30, 0)...), Options{Split: on(60)}, "only 12 customers bought"},
		"one giant":          {giant, Options{Split: on(60)}, "one split of 40 customers"},
		"free of charge":     {free, Options{Split: on(95)}, "one split of 60 customers"},
		"refunded away":      {refunded(), Options{Split: on(95)}, "one split of 60 customers"},
		"like clockwork":     {base(60, 0, 30, 60, 90, 120, 150, 180, 210), Options{}, "one split of 60 customers"},
		"until far in quiet": {base(40, 0, 90), Options{Split: on(60), Until: on(3000)}, "its parameters are those of the prior"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Run(context.Background(), c.all, c.o)
			require.NoError(t, err)
			require.Contains(t, r.Trust, c.trust)
			require.NotNil(t, r.model(r.Recommended))
			t.Log(r.Recommended, r.Trust, r.Notes)
			if r.HoldoutBuyers < parameters.LeastBuyers {
				require.Equal(t, Live, r.Recommended)
			}
			_, err = json.Marshal(r)
			require.NoError(t, err, "no NaN, no Inf")
			var page bytes.Buffer
			require.NoError(t, r.Report(&page, name))
			readable(t, page.String())
		})
	}
}

func refunded() []lifetimes.History {
	all := base(60, 0, 30, 100)
	for i := range all {
		all[i] = all[i].Adjust(all[i][1].Day, -5000)
	}
	return all
}

func TestReport(t *testing.T) {
	var page bytes.Buffer
	require.NoError(t, resultOfCDNOW(t).Report(&page, `<script>alert("&")</script>`))
	text := page.String()
	readable(t, text)
	require.NotContains(t, text, "<script")
	require.Equal(t, 5, strings.Count(text, "<svg "))
	for _, sentence := range []string{
		"Cumulative repeat purchases", "Weekly repeat purchases", "Calibration by frequency", "Reliability", "Lift by decile",
		"Recommended: " + Scorer, "one split of 2,357 customers", "0.7855", "prefers-color-scheme: dark",
	} {
		require.Contains(t, text, sentence)
	}
}

// readable verifies that the page loads no external resource, and that charts are well-formed and have no NaN.
func readable(t *testing.T, page string) {
	t.Helper()
	require.NotRegexp(t, `(?i)https?:|//[a-z]|src\s*=|href\s*=|url\(|@import|<link|<script|<img|<iframe|<object`, page)
	require.NotRegexp(t, `NaN|Inf\b|%!`, page)
	for _, drawing := range regexp.MustCompile(`(?s)<svg .*?</svg>`).FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(drawing))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			if e, ok := token.(xml.StartElement); ok {
				for _, a := range e.Attr {
					require.NotEmpty(t, a.Value, "%s of %s", a.Name.Local, e.Name.Local)
				}
			}
		}
	}
}

func TestDefaultSplit(t *testing.T) {
	r, err := Run(context.Background(), base(20, 0, 81), Options{}) // days 0 to 100
	require.NoError(t, err)
	require.Equal(t, date(20050), r.Split)
	require.Equal(t, date(20100), r.Until)
	r, err = Run(context.Background(), base(20, 0, 81), Options{Until: on(90)})
	require.NoError(t, err)
	require.Equal(t, date(20045), r.Split)
}

// TestRule verifies that the limits of RMSE and bias exclude a model with a better log score, and so do a failed fit, a model that
// the stream cannot run, and one by which one-time buyers never stop.
func TestRule(t *testing.T) {
	some := func(v float64) *float64 { return &v }
	made := func(name string, rmse, bias, score float64) Model {
		return Model{Name: name, Measures: Measures{RMSE: some(rmse), Bias: some(bias), LogScore: some(score), AUC: some(.7)}}
	}
	models := func(better Model) Result {
		return Result{Models: []Model{made(Scorer, 1, .05, -.5), better, made("MBG/NBD", 1.01, -.1, -.4)}}
	}
	failed := made("Pareto/NBD", 1, 0, -.1)
	failed.Problem = "the gradient did not vanish"
	for what, better := range map[string]Model{
		"RMSE": made("Pareto/NBD", 1.03, 0, -.3), "bias": made("Pareto/NBD", 1, -.2, -.3), "failed": failed, "too slow": made("MBG/CNBD-2", 1, 0, -.1),
		"one-time buyers never stop": made("BG/NBD", 1, 0, -.1),
	} {
		r := models(better)
		require.Equal(t, "MBG/NBD", r.best().Name, what)
	}
	r := models(made("Pareto/NBD", 1.01, .1, -.3))
	require.Equal(t, "Pareto/NBD", r.best().Name)
	require.Nil(t, (&Result{Models: []Model{{Name: "BG/NBD"}}}).best())
}
