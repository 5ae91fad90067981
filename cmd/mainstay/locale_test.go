package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/locale"
)

const persianID = "سارا"

// requireForMachines fails for a text that has a Persian letter, digit or separator besides those of the customer's id.
func requireForMachines(t *testing.T, text string, where any) {
	t.Helper()
	require.NotEmpty(t, text, where)
	escaped := strings.Trim(fmt.Sprintf("%+q", persianID), `"`)
	for line := range strings.Lines(strings.NewReplacer(persianID, "", escaped, "", url.PathEscape(persianID), "").Replace(text)) {
		require.False(t, strings.ContainsFunc(line, func(r rune) bool { return unicode.Is(unicode.Arabic, r) || unicode.IsDigit(r) && r > unicode.MaxASCII }), "%v: %s", where, line)
	}
}

// Tables for people are in the locale of the setting. Whatever programs read is the same in every locale, byte for byte, and nothing in it is
// Persian: CSV and JSON of the commands, exports, outputs, the API, metrics and logs.
func TestTablesAreInTheLocaleAndFilesAreNot(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=IRT", "MAINSTAY_MONEY_DEFAULT_CURRENCY=IRT", "MAINSTAY_TIMEZONE=Asia/Tehran", "MAINSTAY_LOCALE=fa", "MAINSTAY_LOG_LEVEL=info")
	for _, order := range [][4]string{
		{persianID, "1", "1200000", "2026-01-01T21:00:00Z"}, {persianID, "2", "450000", "2026-01-15T10:00:00Z"}, {"12", "3", "900000", "2026-02-10T10:00:00Z"},
	} {
		w.mustRun("send", "purchase", "--customer", order[0], "--order", order[1], "--total", order[2], "--at", order[3])
	}
	const now = "2026-05-20T00:00:00Z"
	w.customer(persianID, orders("2"))
	w.mustRun("advance", "--to", now)
	w.customer("12", func(c map[string]any) bool { return c["as_of"] == now })
	w.customer(persianID, func(c map[string]any) bool { return c["as_of"] == now })
	w.mustRun("costs", "set", "--month", "2026-01", "--kind", "acquisition", "--source", "14", "--amount", "500000")
	w.eventually(func() bool { return strings.Contains(w.mustRun("costs", "list", "--csv"), "500000") }, "the cost")
	requireAPIForMachines(t, w, b)
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	requireForMachines(t, b.errs.String(), "logs")

	commands := [][]string{
		{"today"},
		{"customer", "list", "--columns", "customer_id,total_clv,last_order_at,churn_probability,in_control,why"},
		{"alerts", "list"},
		{"report", "retention"},
		{"report", "revenue", "--by", "quarter"},
		{"report", "cohorts"},
		{"report", "segments"},
		{"report", "segments", "--by", "source"},
		{"report", "nps"},
		{"report", "returns"},
		{"report", "returns", "--by", "source"},
		{"report", "lift", "--rule", "churn_risk_high"},
		{"report", "before-after", "--date", "2026-02-01", "--days", "10"},
		{"costs", "list"},
	}
	var printed strings.Builder
	for _, command := range commands {
		for _, form := range [][]string{{"--csv"}, {"--output", "json"}} {
			if command[0] == "alerts" && form[0] == "--csv" {
				continue // it has none
			}
			out := w.mustRun(append(slices.Clone(command), form...)...)
			require.Equal(t, w.mustRun(append(append(slices.Clone(command), form...), "--locale", "en")...), out, "%v", command)
			requireForMachines(t, out, command)
		}
		requireForMachines(t, w.mustRun(append(slices.Clone(command), "--locale", "en")...), command)
		out := w.mustRun(command...)
		require.NotRegexp(t, `[٬٫]?[0-9]{3}`, out, "%v", command)
		require.NotContains(t, out, `\u`, "%v", command)
		printed.WriteString("$ mainstay " + strings.Join(command, " ") + "\n" + out + "\n")
	}
	for _, command := range [][]string{
		{"customer", "get", "12"},
		{"customer", "explain", "12"},
		{"status"},
		{"status", "--output", "json"},
		{"config", "show"},
		{"tail", "clv", "--from", "start", "--max", "2"},
		{"tail", "churn-risk", "--from", "start", "--max", "2"},
		{"tail", "portfolio", "--from", "start", "--max", "2"},
	} {
		_, out, _ := w.run(command...) // status: nothing runs
		requireForMachines(t, out, command)
	}
	for _, format := range []string{"csv", "ndjson"} {
		path := filepath.Join(t.TempDir(), "customers")
		w.mustRun("export", "customers", "--format", format, "--output", path)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		requireForMachines(t, string(content), format)
	}

	path := filepath.Join("testdata", "tables.fa.txt")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(printed.String()), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), printed.String())
}

// requireAPIForMachines asks for every path of the API, and for what monitoring reads, as a browser does whose reader has chosen Persian.
func requireAPIForMachines(t *testing.T, w *world, b *background) {
	t.Helper()
	get := func(path string) string {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+b.address(w)+path, http.NoBody)
		require.NoError(t, err)
		request.Header.Set("Accept-Language", "fa")
		request.AddCookie(&http.Cookie{Name: "locale", Value: "fa"})
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return string(body)
	}
	require.Contains(t, get("/"), `<html lang="fa" dir="rtl">`, "pages are in the locale of the setting")
	paths, found := object(t, get("/v1/openapi.json"))["paths"].(map[string]any)
	require.True(t, found)
	require.Greater(t, len(paths), 10)
	for path := range paths {
		path = strings.NewReplacer("{id}", url.PathEscape(persianID)).Replace(path)
		requireForMachines(t, get(path+"?locale=fa"), path)
	}
	for _, path := range []string{"/v1/openapi.json", "/metrics", "/status", "/readyz?verbose"} {
		requireForMachines(t, get(path), path)
	}
}

func TestLocaleOfTheTerminal(t *testing.T) {
	for _, c := range []struct {
		environ []string
		is      string
	}{
		{nil, "en"},
		{[]string{"LANG=fa_IR.UTF-8"}, "en"},
		{[]string{"MAINSTAY_LOCALE=fa"}, "fa"},
		{[]string{"MAINSTAY_LOCALE=auto"}, "en"},
		{[]string{"MAINSTAY_LOCALE=auto", "LANG=fa_IR.UTF-8"}, "fa"},
		{[]string{"MAINSTAY_LOCALE=auto", "LANG=fa_IR.UTF-8", "LC_ALL=C"}, "en"},
		{[]string{"MAINSTAY_LOCALE=auto", "LANG=de_DE", "LC_MESSAGES=fa"}, "fa"},
	} {
		p := newProgram(&syncBuffer{}, &syncBuffer{}, "", c.environ, nil)
		in, err := p.locale(p.root())
		require.NoError(t, err)
		require.Equal(t, c.is, in.Tag, c.environ)
	}
	code, _, errs := run(t, []string{"MAINSTAY_LOCALE=xx"}, "config", "show")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "one of en, fa, auto")
}

// Columns begin at the same width in each line, whatever is in the cells; on a terminal the cells are isolated, and an id cannot end its isolate.
func TestColumnsOfATableAreAligned(t *testing.T) {
	header, rows := []string{"مشتری", "ارزش", "NOTE"}, [][]string{{"علی\u200cرضا", "۱۲۳", "x"}, {"é\u0301a", "۱", "y"}, {"漢字", "۱۲", "z"}, {"a\u2069b", "۵", ""}}
	for _, terminal := range []bool{false, true} {
		var out syncBuffer
		p := newProgram(&out, &syncBuffer{}, "", nil, nil)
		p.outTerminal = terminal
		require.NoError(t, p.tableIn(locale.Named("fa"), header, rows))
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, 1+len(rows))
		for i, row := range append([][]string{header}, rows...) {
			bare := strings.NewReplacer("\u2068", "", "\u2069", "").Replace(lines[i])
			second := row[1]
			before, _, found := strings.Cut(bare, second)
			require.True(t, found)
			require.Equal(t, 10, uniseg.StringWidth(before), lines[i])
			require.Equal(t, map[bool]int{true: len(strings.Fields(bare)), false: 0}[terminal], strings.Count(lines[i], "\u2068"))
			require.Equal(t, strings.Count(lines[i], "\u2068"), strings.Count(lines[i], "\u2069"))
		}
		require.Contains(t, lines[4], `a\u2069b`)
	}
}
