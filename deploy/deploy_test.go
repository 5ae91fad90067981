package deploy

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/telemetry"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/output"
)

const (
	pages = "../docs/runbooks"
	urls  = "https://github.com/mainstay/mainstay/blob/main/docs/runbooks/"
)

// alert is one of Prometheus's alerting rules.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) map[string]alert {
	t.Helper()
	all := map[string]alert{}
	for _, path := range files(t, "prometheus/rules/*.yml") {
		var file struct{ Groups []struct{ Rules []alert } }
		decode(t, path, &file)
		for _, g := range file.Groups {
			for _, a := range g.Rules {
				require.NotContains(t, all, a.Alert, "two alerts have the same name")
				all[a.Alert] = a
			}
		}
	}
	require.NotEmpty(t, all)
	return all
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, found, pattern)
	return found
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

func TestEveryAlertHasSeverityTextsAndRunbook(t *testing.T) {
	for name, a := range alerts(t) {
		require.True(t, strings.HasPrefix(name, "Mainstay"), name)
		require.Contains(t, []string{"none", "info", "warning", "critical"}, a.Labels["severity"], name)
		require.NotEmpty(t, a.Annotations["summary"], name)
		require.NotEmpty(t, a.Annotations["description"], name)
		require.Equal(t, urls+name+".md", a.Annotations["runbook_url"])
		page, err := os.ReadFile(filepath.Join(pages, name+".md"))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(page), "# "+name+"\n\nSeverity: "+a.Labels["severity"]+"."), name)
		for _, part := range []string{"\n## Impact\n\n", "\n## Diagnosis\n\n", "\n## Remedy\n\n"} {
			require.Contains(t, string(page), part, name)
		}
	}
}

func TestEveryRunbookHasAnAlert(t *testing.T) {
	all := alerts(t)
	for _, path := range files(t, pages+"/*.md") {
		require.Contains(t, all, strings.TrimSuffix(filepath.Base(path), ".md"))
	}
}

func TestRunbookLinksResolve(t *testing.T) {
	linked := 0
	for _, path := range files(t, pages+"/*.md") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for rest := string(text); ; linked++ {
			_, after, found := strings.Cut(rest, "](")
			if !found {
				break
			}
			target, tail, _ := strings.Cut(after, ")")
			page, section, anchored := strings.Cut(target, "#")
			other, err := os.ReadFile(filepath.Join(pages, page))
			require.NoError(t, err, path)
			if anchored {
				require.Contains(t, string(other), "\n### "+section+"\n", path)
			}
			rest = tail
		}
	}
	require.NotZero(t, linked)
}

// TestPromtool runs the rule tests; this test makes sure that each alert has one in which it fires and one in which it does not.
func TestEveryAlertIsTestedFiringAndNotFiring(t *testing.T) {
	fires, quiet := map[string]bool{}, map[string]bool{}
	have := newCatalogue(t)
	for _, path := range files(t, "prometheus/tests/*.yml") {
		var file struct {
			Tests []struct {
				InputSeries []struct{ Series string } `yaml:"input_series"`
				Cases       []struct {
					Alert  string      `yaml:"alertname"`
					Expect []yaml.Node `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		decode(t, path, &file)
		for _, one := range file.Tests {
			for _, s := range one.InputSeries {
				have.holds(t, path, s.Series)
			}
			for _, c := range one.Cases {
				fires[c.Alert] = fires[c.Alert] || len(c.Expect) > 0
				quiet[c.Alert] = quiet[c.Alert] || len(c.Expect) == 0
			}
		}
	}
	for name := range alerts(t) {
		require.True(t, fires[name], "no test in which %s fires", name)
		require.Equal(t, name != "MainstayWatchdog", quiet[name], "a test in which %s does not fire", name) // it has none
	}
}

func TestRulesUseExistingMetrics(t *testing.T) {
	have := newCatalogue(t)
	named := 0
	for name, a := range alerts(t) {
		named += have.holds(t, name, a.Expr)
	}
	require.NotZero(t, named)
}

func TestDashboardsUseExistingMetrics(t *testing.T) {
	have := newCatalogue(t)
	for _, path := range files(t, "grafana/dashboards/*.json") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var dashboard struct {
			Panels []struct {
				Title   string `json:"title"`
				Targets []struct {
					Expr string `json:"expr"`
				} `json:"targets"`
			} `json:"panels"`
		}
		require.NoError(t, json.Unmarshal(text, &dashboard))
		named := 0
		for _, p := range dashboard.Panels {
			for _, q := range p.Targets {
				named += have.holds(t, p.Title, q.Expr)
			}
		}
		require.NotZero(t, named, path)
	}
}

func TestEveryReasonIsDocumented(t *testing.T) {
	for _, explained := range []struct{ source, of, page, form string }{
		{"../pkg/stream/halt/halt.go", "Reason", "MainstayPartitionHalted.md", "\n### %\n\n"},
		{"../schemas/event/event.go", "Reason", "MainstayDeadLetterRatio.md", "\n| `%` | "},
		{"../schemas/output/base.go", "", "MainstayRejectionRatio.md", "\n| `%` | "},
	} {
		page, err := os.ReadFile(filepath.Join(pages, explained.page))
		require.NoError(t, err)
		for _, reason := range reasons(t, explained.source, explained.of) {
			require.Contains(t, string(page), strings.Replace(explained.form, "%", reason, 1))
		}
	}
}

// A series that is born with its first value has no increase that Prometheus could see, so every reason has one from the start.
func TestEveryReasonHasASeriesFromTheStart(t *testing.T) {
	var letters []string
	for _, r := range event.Reasons() {
		letters = append(letters, string(r))
	}
	require.ElementsMatch(t, reasons(t, "../schemas/event/event.go", "Reason"), letters)
	require.ElementsMatch(t, reasons(t, "../schemas/output/base.go", ""), output.RejectionReasons())
	require.ElementsMatch(t, reasons(t, "../pkg/stream/failure/failure.go", "Cause"), failure.Names(failure.All()))

	reg := prometheus.NewRegistry()
	intake.New(intake.Config{Topics: map[string]event.Kind{"a": 0, "b": 1}}, nil, telemetry.NewIntake(reg), zap.NewNop())
	fold.New(fold.Config{}, nil, nil, telemetry.NewFold(reg), zap.NewNop())
	for name, series := range map[string]int{
		"mainstay_dlq_records_total": 2 * len(letters), "mainstay_records_consumed_total": 2 * 3, "mainstay_records_skipped_total": len(event.Skips()),
		"mainstay_rejections_total": len(output.RejectionReasons()), "mainstay_intake_runs_failed_total": len(failure.All()),
	} {
		n, err := testutil.GatherAndCount(reg, name)
		require.NoError(t, err)
		require.Equal(t, series, n, name)
	}
}

// A cause is a label of alerts, so the operator who is paged for it finds it on the page.
func TestEveryCauseIsDocumented(t *testing.T) {
	for page, causes := range map[string][]failure.Cause{
		"MainstayKafkaDown.md": failure.Kafka(), "MainstayRedisErrors.md": failure.Redis(), "MainstayRegistryDown.md": failure.Registry(),
		"MainstayClaimsFailing.md": slices.DeleteFunc(failure.All(), func(c failure.Cause) bool { return slices.Contains(failure.Registry(), c) }), // a claim asks no registry
	} {
		text, err := os.ReadFile(filepath.Join(pages, page))
		require.NoError(t, err)
		for _, cause := range causes {
			if cause != failure.Halted { // its alert is MainstayPartitionHalted
				require.Contains(t, string(text), "`"+string(cause)+"`", page)
			}
		}
	}
}

// reasons are the constants of a type in a file; without a type, those below the comment that begins with "Reasons".
func reasons(t *testing.T, path, of string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	require.NoError(t, err)
	var all []string
	for _, d := range file.Decls {
		block, ok := d.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST || of == "" && !strings.HasPrefix(block.Doc.Text(), "Reasons") {
			continue
		}
		for _, s := range block.Specs {
			value := s.(*ast.ValueSpec)
			if kind, _ := value.Type.(*ast.Ident); of != "" && (kind == nil || kind.Name != of) || len(value.Values) == 0 {
				continue
			}
			text, err := strconv.Unquote(value.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			all = append(all, text)
		}
	}
	require.NotEmpty(t, all, path)
	return all
}

// A metric on no dashboard and in no alert is either not needed, or missing where an operator would need it.
func TestEveryMetricIsUsed(t *testing.T) {
	var used strings.Builder
	for _, a := range alerts(t) {
		used.WriteString(a.Expr + "\n")
	}
	for _, path := range files(t, "grafana/dashboards/*.json") {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		used.Write(text)
	}
	var unused []string
	for name := range newCatalogue(t) {
		if base, ok := strings.CutPrefix(name, "mainstay_"); ok {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, part)
			}
			if !strings.Contains(used.String(), "mainstay_"+base) {
				unused = append(unused, name)
			}
		}
	}
	require.Empty(t, unused, "on no dashboard and in no alert rule")
}
