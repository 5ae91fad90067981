package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// naive sums what the customers' own answers say of each month of each cohort, and of each class of churn risk.
func naive(t *testing.T, w *world) (cohorts map[string][3]float64, risks map[string][2]float64) {
	t.Helper()
	cohorts, risks = map[string][3]float64{}, map[string][2]float64{}
	for _, id := range w.IDs() {
		days := w.object(t, "/v1/customers/"+url.PathEscape(id)+"/explanation")["purchase_days"].([]any)
		if len(days) == 0 {
			continue
		}
		cohort, bought := days[0].(map[string]any)["day"].(string)[:7], map[string]bool{}
		for _, d := range days {
			day := d.(map[string]any)
			month := cohort + " " + day["day"].(string)[:7]
			sum := cohorts[month]
			if !bought[month] {
				bought[month], sum[0] = true, sum[0]+1
			}
			sum[1], sum[2] = sum[1]+number(t, day["orders"]), sum[2]+number(t, day["net"])
			cohorts[month] = sum
		}
		c := w.object(t, "/v1/customers/"+url.PathEscape(id))
		for _, name := range []string{c["churn_risk"].(map[string]any)["churn_risk"].(string), "all"} {
			risks[name] = [2]float64{risks[name][0] + 1, risks[name][1] + number(t, c["clv"].(map[string]any)["historic_clv"])}
		}
	}
	return cohorts, risks
}

func number(t *testing.T, v any) float64 {
	t.Helper()
	f, err := v.(json.Number).Float64()
	require.NoError(t, err)
	return f
}

func TestReportsAreNaiveSumsOfTheCustomers(t *testing.T) {
	w := newWorld(t, base())
	cohorts, risks := naive(t, w)
	var newCustomers, orders, revenue float64
	for _, r := range w.object(t, "/v1/cohorts?current=true")["rows"].([]any) {
		row := r.(map[string]any)
		key := row["cohort"].(string) + " " + row["month"].(string)
		stated := [3]float64{number(t, row["buying_customers"]), number(t, row["orders"]), number(t, row["revenue"])}
		require.Equal(t, cohorts[key], stated, key)
		delete(cohorts, key)
		orders, revenue = orders+number(t, row["orders"]), revenue+number(t, row["revenue"])
	}
	require.Empty(t, cohorts)
	var sales [2]float64
	for _, r := range w.object(t, "/v1/revenue?current=true")["rows"].([]any) {
		row := r.(map[string]any)
		sales = [2]float64{sales[0] + number(t, row["orders"]), sales[1] + number(t, row["revenue"])}
	}
	require.Equal(t, [2]float64{orders, revenue}, sales)
	for _, r := range w.object(t, "/v1/retention?current=true")["rows"].([]any) {
		newCustomers += number(t, r.(map[string]any)["new_customers"])
	}
	require.Equal(t, risks["all"][0], newCustomers)

	segments := w.object(t, "/v1/segments?by=churn_risk")["rows"].([]any)
	require.Len(t, segments, len(risks))
	for _, r := range segments {
		row := r.(map[string]any)
		stated := [2]float64{number(t, row["customers"]), number(t, row["historic_revenue"])}
		require.Equal(t, risks[row["churn_risk"].(string)], stated, row)
	}
	require.Equal(t, "all", segments[len(segments)-1].(map[string]any)["churn_risk"])
}

// One read of all customers serves the segments of every dimension but that of ranks, and reports by month take none.
func TestReportsReadAllCustomersOnce(t *testing.T) {
	w := newWorld(t, base())
	for _, path := range []string{"/v1/retention?by=quarter", "/v1/revenue", "/v1/cohorts", "/v1/retention?from=2026-02&to=2026-03"} {
		w.object(t, path)
	}
	require.Zero(t, w.Walks.Load())
	_, schemaOf := document(t, w)
	for _, d := range lookup.Dimensions([]string{"region"}) {
		for _, r := range lookup.SegmentReports() {
			_, body, _ := w.get(t, "/v1/"+r.Name+"?by="+d.Name)
			fits(t, schemaOf("/v1/"+r.Name, "200", "application/json"), body, d.Name)
		}
	}
	require.Equal(t, int64(1+2), w.Walks.Load(), "two of them for the ranks")
	for _, path := range []string{"/v1/returns?by=year", "/v1/returns", "/v1/acquisition?from=2026-02"} {
		w.object(t, path)
	}
	require.Equal(t, int64(1+2+1), w.Walks.Load(), "one serves all returns")
	for query, why := range map[string]string{"from=2026-03&to=2026-02": "from: 2026-03 is after", "to=2026-05": "to: 2026-05 is not over", "to=2026-02&current=true": "leave out one"} {
		status, body, _ := w.get(t, "/v1/cohorts?"+query)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "urn:mainstay:problem:bad_parameter", object(t, body)["type"])
		require.Contains(t, object(t, body)["detail"], why)
	}
}

func TestReportsOfNothing(t *testing.T) {
	w := newWorld(t, "")
	paths, schemaOf := document(t, w)
	for path := range paths {
		ofSegments := slices.ContainsFunc(lookup.SegmentReports(), func(r lookup.SegmentReport) bool { return path == "/v1/"+r.Name })
		if !ofSegments && !slices.Contains([]string{"/v1/retention", "/v1/revenue", "/v1/cohorts", "/v1/returns", "/v1/acquisition"}, path) {
			continue
		}
		status, body, _ := w.get(t, path)
		if ofSegments {
			require.Equal(t, http.StatusOK, status, "%s", body)
			fits(t, schemaOf(path, "200", "application/json"), body, path)
			require.JSONEq(t, `{"as_of":null,"currency":null,"rows":[]}`, string(body))
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, status, "%s", body)
		require.Equal(t, "urn:mainstay:problem:no_state_yet", object(t, body)["type"], path)
	}
}
