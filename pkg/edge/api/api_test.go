package api_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/api"
	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// topic stands for the topic of the portfolio.
type topic struct{ values [][]byte }

func (t topic) ListOffsets(context.Context, string, []int32) (map[int32]kafka.Offsets, error) {
	return map[int32]kafka.Offsets{0: {LastStable: int64(len(t.values)), HighWatermark: int64(len(t.values))}}, nil
}

func (t topic) ReadCommitted(_ context.Context, _ string, _ int32, from, to int64, each func(kafka.Record) error) (int64, error) {
	for at := from; at < to; at++ {
		if err := each(kafka.Record{Offset: at, Value: t.values[at]}); err != nil {
			return at, err
		}
	}
	return to, nil
}

func portfolio(at, state string) []byte {
	ms, err := time.Parse(time.DateOnly, at)
	if err != nil {
		panic(err)
	}
	unit := money.Unit{Code: "EUR", Decimals: 2}
	p := output.PortfolioUpdated{About: output.About{AsOf: ms.UnixMilli(), Trigger: output.TriggerClose, Currency: unit}, State: state, Customers: 3, CustomerEquity: 12345}
	return p.Append(nil)
}

const hostile = `<script>alert(1)</script>`

// base is a scenario of many customers, some with ids that need care.
func base() string {
	var lines strings.Builder
	ids := []string{hostile, "a/b?c#d", "علی", "50%"}
	for i := range 40 {
		ids = append(ids, fmt.Sprintf("c%02d", i))
	}
	order := 0
	for day := range 120 {
		at := time.Date(2026, 1, 1+day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		for i, id := range ids {
			if day%(4+i%9) == i%4 && day < 40+2*i {
				order++
				fmt.Fprintf(&lines, "%s purchase %s order=%d total=%d\n", at, id, order, 20+7*i%50)
			}
		}
	}
	fmt.Fprintf(&lines, "2026-05-02 survey c01 id=s1 score=2\n2026-05-03 engagement c01 type=support_contact\n2026-05-04 tick\n")
	return lines.String()
}

var folded = sync.OnceValues(func() (*population.Population, error) { return population.New(base()) })

type world struct {
	*population.Population
	handler http.Handler
	now     time.Time
}

func newWorld(t *testing.T, scenario string) *world {
	t.Helper()
	p, err := folded()
	if scenario == base() {
		p = p.Again()
	} else if err == nil {
		p, err = population.New(scenario)
	}
	require.NoError(t, err)
	w := &world{Population: p, now: time.Date(2026, 6, 10, 0, 0, 0, 0, time.UTC)}
	w.serve(p, 1)
	return w
}

// serve makes the world answer from a source.
func (w *world) serve(source views.Source, partitions int32) {
	now := func() time.Time { return w.now }
	v := views.New(views.Config{
		Source: source, Now: now, Attributes: []string{"region"}, DoneFor: 14 * 24 * time.Hour, Genesis: &ledger.Genesis{LedgerId: "0123456789abcdef", Partitions: partitions, Currency: "EUR"},
		Portfolio: views.NewPortfolio(topic{[][]byte{portfolio("2026-06-08", "final"), portfolio("2026-06-09", "final"), portfolio("2026-06-10", "provisional")}}, "mainstay", now),
		Status: func() views.Status {
			return views.Status{Build: telemetry.ReadBuild(), Roles: []string{"http"}, Problems: []string{}, Inputs: []views.Input{{Topic: "purchases"}}, Partitions: []views.Partition{{}}}
		},
	})
	mux := http.NewServeMux()
	for _, r := range api.Routes(v, v.Marking(w.Mark), zap.NewNop()) {
		mux.Handle(r.Pattern, r.Handler)
	}
	w.handler = mux
}

func (w *world) get(t *testing.T, path string, header ...string) (int, []byte, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	w.handler.ServeHTTP(answer, r)
	return answer.Code, answer.Body.Bytes(), answer.Header()
}

func (w *world) object(t *testing.T, path string) map[string]any {
	t.Helper()
	status, body, _ := w.get(t, path)
	require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
	return object(t, body)
}

func object(t *testing.T, text []byte) (o map[string]any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	require.NoError(t, d.Decode(&o), "%s", text)
	return o
}

// document is the description that is served, compiled: the schema of each answer by path and status.
func document(t *testing.T, w *world) (paths map[string]any, compiled func(path, status, kind string) *jsonschema.Schema) {
	t.Helper()
	status, body, _ := w.get(t, "/v1/openapi.json")
	require.Equal(t, http.StatusOK, status)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	require.NoError(t, c.AddResource("openapi.json", parsed))
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	return object(t, body)["paths"].(map[string]any), func(path, status, kind string) *jsonschema.Schema {
		method := "get"
		if path == markPath {
			method = "post"
		}
		s, err := c.Compile("openapi.json#/paths/" + escape.Replace(path) + "/" + method + "/responses/" + status + "/content/" + escape.Replace(kind) + "/schema")
		require.NoError(t, err, "%s %s", path, status)
		return s
	}
}

func fits(t *testing.T, s *jsonschema.Schema, body []byte, about string) {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err, "%s: %s", about, body)
	require.NoError(t, s.Validate(value), "%s: %s", about, body)
}

// Every route of the description answers what it says, and refuses every bad parameter with a problem that it names.
func TestEveryRouteKeepsItsDescription(t *testing.T) {
	w := newWorld(t, base())
	paths, schemaOf := document(t, w)
	require.Len(t, paths, 23)
	for path, item := range paths {
		if item.(map[string]any)["get"] == nil {
			require.Equal(t, markPath, path) // TestMarks
			continue
		}
		at := strings.ReplaceAll(path, "{id}", "c01")
		status, body, header := w.get(t, at)
		require.Equal(t, http.StatusOK, status, "%s: %s", at, body)
		if path == "/v1/export" {
			require.Equal(t, "text/csv; charset=utf-8; header=present", header.Get("Content-Type"))
		} else {
			require.Equal(t, "application/json", header.Get("Content-Type"))
			fits(t, schemaOf(path, "200", "application/json"), body, at)
		}
		require.Equal(t, "nosniff", header.Get("X-Content-Type-Options"))
		require.NotContains(t, header, "Access-Control-Allow-Origin")

		refused := func(query, name string) {
			status, body, header := w.get(t, at+"?"+query)
			require.Equal(t, http.StatusBadRequest, status, "%s?%s: %s", at, query, body)
			require.Equal(t, "application/problem+json", header.Get("Content-Type"))
			require.Equal(t, "urn:mainstay:problem:"+name, object(t, body)["type"], "%s?%s", at, query)
			fits(t, schemaOf(path, "400", "application/problem+json"), body, at+"?"+query)
		}
		refused("nothing=1", "unknown_parameter")
		parameters, _ := item.(map[string]any)["get"].(map[string]any)["parameters"].([]any)
		for _, p := range parameters {
			parameter := p.(map[string]any)
			if parameter["in"] == "path" {
				continue
			}
			name, schema := parameter["name"].(string), parameter["schema"].(map[string]any)
			refused(name+"=1&"+name+"=1", "repeated_parameter")
			switch {
			case schema["type"] == "integer":
				for _, bad := range []string{"0", "-1", "501", "1.5", "x", "", "99999999999999999999"} {
					refused(name+"="+bad, "bad_parameter")
				}
			case schema["type"] == "boolean":
				refused(name+"=yes", "bad_parameter")
			case name == "sort":
				refused(name+"=why", "unknown_column")
			case schema["enum"] != nil, schema["anyOf"] != nil:
				refused(name+"=zzz", "bad_parameter")
			case schema["pattern"] != nil:
				for _, bad := range []string{"2026", "2026-13", "2026-1", "soon", "0", "2026-01-01"} {
					refused(name+"="+bad, "bad_parameter")
				}
			case name == "where":
				for _, bad := range []string{"nothing=1", "total_clv", "total_clv>=abc", "value_tier>=1"} {
					refused(name+"="+url.QueryEscape(bad), "bad_condition")
				}
			case name == "columns":
				refused(name+"=total_clv,nothing", "unknown_column")
			case name == "since":
				for _, bad := range []string{"x", "1,2", "-1", "2000", "1.5"} {
					refused(name+"="+bad, "bad_parameter")
				}
			case name == "cursor":
				for _, bad := range []string{"!", "e30x", "bm8"} {
					refused(name+"="+bad, "bad_cursor")
				}
			default:
				require.Equal(t, "rule", name, "a parameter of which no bad value is known")
			}
		}
	}
	status, body, _ := w.get(t, "/v1/nothing")
	require.Equal(t, http.StatusNotFound, status)
	require.Contains(t, string(body), "urn:mainstay:problem:unknown_path")
}

func TestTheDescriptionInDocsIsTheOneThatIsServed(t *testing.T) {
	kept, err := os.ReadFile("../../../docs/openapi.json")
	require.NoError(t, err)
	_, body, _ := newWorld(t, "2026-01-01 tick").get(t, "/v1/openapi.json")
	require.True(t, bytes.Equal(kept, body), "docs/openapi.json is out of date: run make generate") // a difference would fill screens
}

func TestCustomersOfAnyID(t *testing.T) {
	w := newWorld(t, base())
	for _, id := range w.IDs() {
		for _, more := range []string{"", "/explanation", "/path"} {
			require.Equal(t, id, w.object(t, "/v1/customers/"+url.PathEscape(id)+more)["customer_id"])
		}
	}
	for _, id := range []string{"nobody", "a%00b", "%3Cb%3E"} {
		status, body, _ := w.get(t, "/v1/customers/"+id)
		require.Equal(t, http.StatusNotFound, status, "%s", body)
		require.Equal(t, "urn:mainstay:problem:unknown_customer", object(t, body)["type"])
	}
}

// The ETag is that of the last output: it stays while nothing is published, and changes with the next event.
func TestETagIsTheSequence(t *testing.T) {
	const before = "2026-01-01 purchase ada order=1 total=40\n2026-01-20 purchase ada order=2 total=40\n"
	status, body, header := newWorld(t, before).get(t, "/v1/customers/ada")
	require.Equal(t, http.StatusOK, status)
	tag := header.Get("ETag")
	require.Equal(t, fmt.Sprintf(`W/"0123456789ab-%s"`, object(t, body)["clv"].(map[string]any)["sequence"]), tag)
	same := newWorld(t, before+"2026-01-21 tick\n")
	for _, asked := range []string{tag, `"x", ` + tag, "*", strings.TrimPrefix(tag, "W/")} {
		status, body, header = same.get(t, "/v1/customers/ada", "If-None-Match", asked)
		require.Equal(t, http.StatusNotModified, status, asked)
		require.Empty(t, body)
		require.Equal(t, tag, header.Get("ETag"))
	}
	status, _, _ = same.get(t, "/v1/customers/ada", "If-None-Match", `W/"other-1"`)
	require.Equal(t, http.StatusOK, status)
	for _, event := range []string{"purchase ada order=3 total=1", "engagement ada type=review"} {
		status, _, _ = newWorld(t, before+"2026-01-21 "+event+"\n").get(t, "/v1/customers/ada", "If-None-Match", tag)
		require.Equal(t, http.StatusOK, status, event)
	}
}

// The pages of a list, in any order and of any size, are together a naive sort of what each customer's own answer says.
func TestPagesOfAListAreANaiveSort(t *testing.T) {
	w := newWorld(t, base())
	value := map[string]float64{}
	for _, id := range w.IDs() {
		v, err := w.object(t, "/v1/customers/"+url.PathEscape(id))["clv"].(map[string]any)["historic_clv"].(json.Number).Float64()
		require.NoError(t, err)
		value[id] = v
	}
	for _, ascending := range []bool{false, true} {
		want := w.IDs()
		sort.SliceStable(want, func(i, j int) bool {
			if x, y := value[want[i]], value[want[j]]; x != y {
				return (x < y) == ascending
			}
			return want[i] < want[j]
		})
		for _, limit := range []int{1, 7, 44, 500} {
			query := fmt.Sprintf("/v1/customers?sort=historic_clv&ascending=%t&limit=%d", ascending, limit)
			var got []string
			for page := query; ; {
				answer := w.object(t, page)
				for _, c := range answer["customers"].([]any) {
					got = append(got, c.(map[string]any)["customer_id"].(string))
				}
				next, more := answer["next_cursor"].(string)
				if !more {
					break
				}
				require.Len(t, answer["customers"], limit)
				page = query + "&cursor=" + next
			}
			require.Equal(t, want, got, query)
		}
		require.LessOrEqual(t, w.Walks.Load(), int64(2), "pages that follow one another share a read")
	}
	next := w.object(t, "/v1/customers?limit=1")["next_cursor"].(string)
	for _, other := range []string{"sort=total_clv", "ascending=true", "where=" + url.QueryEscape("total_clv>=1")} {
		status, body, _ := w.get(t, "/v1/customers?"+other+"&cursor="+next)
		require.Equal(t, http.StatusBadRequest, status)
		require.Equal(t, "urn:mainstay:problem:cursor_of_another_query", object(t, body)["type"])
	}
}

func TestTodayAndAlertsAgreeWithTheCustomers(t *testing.T) {
	w := newWorld(t, base())
	calls := w.object(t, "/v1/today?capacity=500")["customers"].([]any)
	alerts := 0
	called := map[string]bool{}
	for _, c := range calls {
		called[c.(map[string]any)["customer_id"].(string)] = true
	}
	for _, id := range w.IDs() {
		c := w.object(t, "/v1/customers/"+url.PathEscape(id))
		risk := c["churn_risk"].(map[string]any)["churn_risk"]
		require.Equal(t, risk == "medium" || risk == "high", called[id], id)
		alerts += len(c["open_alerts"].([]any))
	}
	require.NotEmpty(t, calls)
	require.Less(t, len(calls), len(w.IDs()))
	require.Len(t, w.object(t, "/v1/today?capacity=2")["customers"], 2)

	all := w.object(t, "/v1/alerts?limit=500")
	require.NotZero(t, alerts)
	require.Len(t, all["alerts"], alerts)
	require.Equal(t, json.Number(strconv.Itoa(alerts)), all["open"])
	byRule := 0
	for _, r := range all["rules"].([]any) {
		rule := r.(map[string]any)
		some := w.object(t, "/v1/alerts?limit=1&rule="+rule["rule"].(string))
		require.Equal(t, rule["open"], some["open"])
		n, err := rule["open"].(json.Number).Int64()
		require.NoError(t, err)
		byRule += int(n)
	}
	require.Equal(t, alerts, byRule)
}

func TestPortfolioHasTheLatestAndTheCloses(t *testing.T) {
	p := newWorld(t, base()).object(t, "/v1/portfolio")
	require.Equal(t, "2026-06-10T00:00:00Z", p["latest"].(map[string]any)["as_of"])
	var closes []string
	for _, c := range p["closes"].([]any) {
		closes = append(closes, c.(map[string]any)["as_of"].(string))
	}
	require.Equal(t, []string{"2026-06-08T00:00:00Z", "2026-06-09T00:00:00Z"}, closes)
}

// A read of all customers serves everybody who asks within some seconds, whatever the size of their page.
func TestListsAreReadOnceForSomeSeconds(t *testing.T) {
	w := newWorld(t, base())
	for _, path := range []string{"/v1/today", "/v1/today?capacity=3", "/v1/today"} {
		w.object(t, path)
	}
	require.Equal(t, int64(1), w.Walks.Load())
	w.now = w.now.Add(time.Minute)
	w.object(t, "/v1/today")
	require.Equal(t, int64(2), w.Walks.Load())
	for i := range 30 { // what is kept is bounded
		w.object(t, fmt.Sprintf("/v1/customers?where=%s%d", url.QueryEscape("total_clv>="), i))
	}
	require.Equal(t, int64(32), w.Walks.Load())
}

func TestServersThatDoNotAnswer(t *testing.T) {
	w := newWorld(t, base())
	for err, name := range map[error]string{errors.New("dial tcp: connection refused"): "unavailable", fmt.Errorf("partition 1: %w", lookup.ErrNoState): "no_state_yet"} {
		w.Err = err
		for _, path := range []string{"/v1/customers/c01", "/v1/today", "/v1/alerts", "/v1/segments", "/v1/cohorts", "/v1/retention", "/v1/revenue", "/v1/model"} {
			status, body, _ := w.get(t, path)
			require.Equal(t, http.StatusServiceUnavailable, status, path)
			require.Equal(t, server.ProblemType(name), object(t, body)["type"], path)
			require.NotContains(t, string(body), "refused", "the text of a server belongs in the log")
		}
	}
	w.Err = nil
	w.object(t, "/v1/today") // an error is not kept
}

func TestAnswersAreCompressed(t *testing.T) {
	w := newWorld(t, base())
	_, want, _ := w.get(t, "/v1/today")
	for accepted, compressed := range map[string]bool{"gzip": true, "br, gzip;q=0.5": true, "*": true, "gzip;q=0": false, "gzip;q=0, *": false, "identity": false, "": false} {
		status, body, header := w.get(t, "/v1/today", "Accept-Encoding", accepted)
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, header.Values("Vary"), "Accept-Encoding")
		require.Equal(t, compressed, header.Get("Content-Encoding") == "gzip", accepted)
		if compressed {
			require.Less(t, len(body), len(want)/2)
			z, err := gzip.NewReader(bytes.NewReader(body))
			require.NoError(t, err)
			body, err = io.ReadAll(z)
			require.NoError(t, err)
		}
		require.Equal(t, string(want), string(body), accepted)
	}
}

func TestNamesAreUnique(t *testing.T) {
	w := newWorld(t, "2026-01-01 tick")
	paths, _ := document(t, w)
	var names []string
	for _, item := range paths {
		for _, operation := range item.(map[string]any) {
			names = append(names, operation.(map[string]any)["operationId"].(string))
		}
	}
	slices.Sort(names)
	require.Equal(t, slices.Compact(slices.Clone(names)), names)
}
