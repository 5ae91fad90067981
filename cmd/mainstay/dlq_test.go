package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDeadLetters(t *testing.T) {
	w, b := newRunningWorld(t)
	require.Contains(t, w.mustRun("dlq", "list"), "no dead letters")
	for _, order := range []string{"1", "2", "3"} { // without a currency
		w.mustRun("send", "purchase", "--customer", "zoe", "--order", order, "--total", "5", "--force")
	}
	w.mustRun("send", "survey", "--customer", "zoe", "--score", "11", "--force")
	count := func() string { return numberAt(object(t, w.mustRun("dlq", "list", "--output", "json")), "total") }
	w.eventually(func() bool { return count() == "4" }, "four dead letters")

	out := w.mustRun("dlq", "list")
	require.Regexp(t, `purchases +missing +3`, out)
	require.Regexp(t, `surveys +out_of_range +1`, out)
	require.Contains(t, w.mustRun("tail", "purchases.dlq", "--from", "start", "--max", "1"), "currency: missing")

	counts := object(t, w.mustRun("dlq", "list", "--reason", "missing", "--output", "json"))
	where := valueAt(counts, "counts").([]any)[0].(map[string]any)["where"].(string)
	hidden := w.mustRun("dlq", "show", where)
	require.Contains(t, hidden, "currency: missing")
	require.NotContains(t, hidden, "zoe")
	require.Contains(t, w.mustRun("dlq", "show", where, "--payload"), `"customer_id":"zoe"`)
	code, _, errs := w.run("dlq", "show", "mainstay.purchases.dlq/0/4711")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "there is no dead letter")
	code, _, errs = w.run("dlq", "show", "somewhere")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "topic/partition/offset")

	// Another process accepts them, since the default currency is set.
	require.Equal(t, exitOK, b.stop())
	w.environ = append(w.environ, "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD")
	w.start("run")
	require.Contains(t, w.mustRun("dlq", "replay", "--reason", "missing", "--max", "2"), "2 of 3 would be sent; use --apply to send them; 1 omitted: beyond --max")
	require.Equal(t, "4", count())
	require.Contains(t, w.mustRun("dlq", "replay", "--reason", "missing", "--apply"), "3 of 3 sent")
	w.customer("zoe", orders("3"))
	require.Contains(t, w.mustRun("dlq", "replay", "--reason", "missing", "--apply"), "3 of 3 sent") // harmless
	w.mustRun("send", "purchase", "--customer", "zoe", "--order", "4", "--total", "5")
	w.customer("zoe", orders("4"))
	require.Equal(t, "4", count())
	require.NotContains(t, strings.ToLower(w.mustRun("tail", "rejections", "--from", "start", "--follow=false")), "conflict")
}
