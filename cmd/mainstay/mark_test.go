package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// today leaves out who is done or snoozed, until the time is over; what cannot be is refused and changes nothing.
func TestCustomerMark(t *testing.T) {
	w, b := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=USD", "MAINSTAY_CLOCK=event", "MAINSTAY_LOG_LEVEL=info")
	for _, id := range []string{"ada", "bob"} {
		for i, day := range []string{"2025-01-01", "2025-01-09", "2025-01-20"} {
			w.mustRun("send", "purchase", "--customer", id, "--order", id+string(rune('0'+i)), "--total", "70", "--currency", "USD", "--at", day)
		}
	}
	today := func(args ...string) (ids []string) {
		var rows []map[string]any
		require.NoError(t, json.Unmarshal([]byte(w.mustRun(append([]string{"today", "--output", "json"}, args...)...)), &rows))
		for _, r := range rows {
			ids = append(ids, r["customer_id"].(string))
		}
		return ids
	}
	advance := func(to string) {
		w.mustRun("advance", "--to", to+"T00:00:00Z")
		for _, id := range []string{"ada", "bob"} {
			w.customer(id, func(c map[string]any) bool { return c["as_of"] == to+"T00:00:00Z" })
		}
	}
	advance("2025-06-01")
	require.ElementsMatch(t, []string{"ada", "bob"}, today())
	require.Contains(t, w.mustRun("customer", "mark", "ada", "done", "--by", "Ann"), "ada: done, entry ")
	require.Equal(t, []string{"bob"}, today())
	require.Contains(t, w.mustRun("today"), "1 more are marked as done or snoozed: --all lists them")
	require.Contains(t, w.mustRun("today", "--all"), "Ann")
	require.ElementsMatch(t, []string{"ada", "bob"}, today("--all"))
	w.mustRun("customer", "mark", "bob", "snooze", "--until", "7d")
	require.Empty(t, today())
	for want, args := range map[string][]string{
		"no such customer": {"nobody", "done"},
		"the mark":         {"ada", "finished"},
		"--until":          {"ada", "snooze"},
	} {
		code, _, errs := w.run(append([]string{"customer", "mark"}, args...)...)
		require.NotEqual(t, exitOK, code)
		require.Contains(t, errs, want)
	}
	advance("2025-06-09")
	require.Equal(t, []string{"bob"}, today(), "the snooze is over")
	w.mustRun("customer", "mark", "ada", "clear")
	require.ElementsMatch(t, []string{"ada", "bob"}, today())

	send := func(path, kind, body string) (status int, text string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+b.address(w)+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", kind)
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // it follows the redirect of the form
		answer, err := client.Do(r)
		require.NoError(t, err)
		defer func() { _ = answer.Body.Close() }()
		read, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(read)
	}
	status, text := send("/v1/customers/ada/mark", "application/json", `{"mark":"done","by":"CRM"}`)
	require.Equal(t, http.StatusOK, status, text)
	require.Equal(t, true, object(t, text)["folded"])
	require.Equal(t, []string{"bob"}, today())
	status, text = send("/mark", "application/x-www-form-urlencoded", "id=bob&mark=snooze")
	require.Equal(t, http.StatusOK, status, text)
	require.Contains(t, text, "Snoozed on 2025-06-09, left out of Today until")
	require.Contains(t, text, "2 more are marked as done or snoozed")
	require.Empty(t, today())
	require.Equal(t, exitOK, b.stop())
	_, out, _ := w.run("audit")
	require.Contains(t, out, "nothing lost, doubled, differing or missing")
}
