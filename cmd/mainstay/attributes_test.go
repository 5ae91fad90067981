package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The segments by attributes are those of a recount of the events in any order of arrival, and add up to all customers. Merged customers count once.
func TestSegmentsByAttributes(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_LOG_LEVEL=info", "MAINSTAY_ROLES=intake,fold,ingest", "MAINSTAY_INGEST_LISTEN=127.0.0.1:0", "MAINSTAY_KAFKA_TOPICS_ENGAGEMENT=engagement",
		"MAINSTAY_ATTRIBUTES=region=customer.region,plan=properties.plan")
	at := b.ingestAddress(w)
	rng := rand.New(rand.NewPCG(5, 6))
	type latest struct {
		day  int
		text string
	}
	const customers = 20
	region, plan, spent := map[string]latest{}, map[string]latest{}, map[string]int{}
	state := func(of map[string]latest, id string, day int, text string) {
		if text != "" && day >= of[id].day {
			of[id] = latest{day, text}
		}
	}
	for _, i := range rng.Perm(4 * customers) {
		id, day := fmt.Sprint("c", i%customers), 1+i/customers*7+rng.IntN(7) // no two events of a customer are of one day
		r := []string{"north", "south", ""}[rng.IntN(3)]
		p := []string{"pro", "7", ""}[rng.IntN(3)]
		when := time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
		kind, body := "purchase", fmt.Sprintf(`"order_id":"o%d","total":%d,"currency":"USD"`, i, 1+i)
		if i >= customers && i%3 == 0 {
			kind, body = "engagement", fmt.Sprintf(`"event_id":"v%d"`, i)
		} else {
			spent[id] += 1 + i
		}
		status, text := w.post(at, kind, fmt.Sprintf(`{"customer_id":%q,"occurred_at":%q,%s,"customer":{"region":%q,"name":"not kept"},"properties":{"plan":%q}}`, id, when, body, r, p))
		require.Equal(t, 200, status, text)
		state(region, id, day, r)
		state(plan, id, day, p)
	}
	w.mustRun("status", "--wait", "30s")
	for id := range spent {
		w.customer(id, func(c map[string]any) bool {
			return numberAt(c, "clv", "historic_clv") == fmt.Sprintf("%d.00", spent[id])
		})
	}
	segments := func(by string) map[string][2]string {
		var report struct {
			Rows []map[string]any `json:"rows"`
		}
		require.NoError(t, json.Unmarshal([]byte(w.mustRun("report", "segments", "--by", by, "--output", "json")), &report))
		got := map[string][2]string{}
		for _, row := range report.Rows {
			got[row[by].(string)] = [2]string{fmt.Sprint(row["customers"]), fmt.Sprint(row["historic_revenue"])}
		}
		return got
	}
	requireSegments := func() {
		for by, of := range map[string]map[string]latest{"region": region, "plan": plan} {
			count, sum := map[string]int{}, map[string]int{}
			for id := range spent {
				for _, name := range []string{"all", cmp.Or(of[id].text, "none")} {
					count[name]++
					sum[name] += spent[id]
				}
			}
			want := map[string][2]string{}
			for name := range count {
				want[name] = [2]string{fmt.Sprint(count[name]), fmt.Sprint(sum[name])}
			}
			require.Equal(t, want, segments(by), by)
		}
	}
	requireSegments()
	listed := map[string]bool{}
	for line := range strings.Lines(w.mustRun("customer", "list", "--where", "region=north", "--columns", "customer_id,region,plan", "--limit", "0", "--csv")) {
		f := strings.Split(strings.TrimSpace(line), ",")
		if f[0] == "customer_id" {
			continue
		}
		require.Equal(t, []string{"north", plan[f[0]].text}, f[1:], f[0])
		listed[f[0]] = true
	}
	file := filepath.Join(t.TempDir(), "north.csv")
	w.mustRun("export", "customers", "--where", "region=north", "--columns", "region", "--output", file)
	exported, err := os.ReadFile(file)
	require.NoError(t, err)
	for id := range spent {
		require.Equal(t, region[id].text == "north", listed[id], id)
		require.Equal(t, region[id].text == "north", strings.Contains(string(exported), "\n"+id+",north\r\n"), id)
	}
	require.Contains(t, w.mustRun("export", "verify", file), "the file is what the ledger gives")
	from, into := "c1", "c2"
	w.mustRun("customer", "merge", from, into, "--yes")
	for _, of := range []map[string]latest{region, plan} {
		state(of, into, of[from].day, of[from].text)
	}
	spent[into] += spent[from]
	delete(spent, from)
	w.customer(into, func(c map[string]any) bool {
		return numberAt(c, "clv", "historic_clv") == fmt.Sprintf("%d.00", spent[into])
	})
	requireSegments()
	code, _, errs := w.run("report", "segments", "--by", "shoe_size")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, `--by: no dimension "shoe_size"; there are value_tier`)
	require.Contains(t, errs, "plan, region")
	w.mustRun("audit")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}
