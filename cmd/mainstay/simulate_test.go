package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSimulate(t *testing.T) {
	w := newWorld(t, "MAINSTAY_CLOCK=event", "MAINSTAY_HTTP_LISTEN=127.0.0.1:0", "MAINSTAY_MONEY_CURRENCY=EUR")
	code, _, errs := w.run("simulate")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "mainstay topics apply", "the command that creates the topics")
	w.mustRun("topics", "apply")
	r := w.start("run")
	caughtUp := func() bool { return numberAt(object(t, w.status()), "lag") == "0" }

	shop := []string{"simulate", "--customers", "60", "--days", "200", "--rate", "0"}
	report := object(t, w.mustRun(append(shop, "--output", "json")...))
	require.Equal(t, true, report["caught_up"])
	w.customer("c-1", func(c map[string]any) bool { return numberAt(c, "clv", "historic_number_of_orders") != "" })
	w.eventually(caughtUp, "all events are read and folded")
	before := w.lastTotals()
	require.Greater(t, len(before), 20)

	// A second run sends the same events, and then continues in real time: no answer changes until then.
	s := w.start(append(shop, "--stay")...)
	w.eventually(func() bool { return strings.Contains(s.errs.String(), "continues in real time") }, "the present")
	require.Equal(t, exitOK, s.stop(), s.errs.String())
	require.Contains(t, s.out.String(), "events sent, from")
	w.eventually(caughtUp, "all events are read and folded")
	require.Equal(t, before, w.lastTotals())
	require.Equal(t, exitOK, r.stop(), r.errs.String())
}

// lastTotals returns of each customer the totals last published, which do not depend on the model.
func (w *world) lastTotals() map[string][3]string {
	all := map[string][3]string{}
	for line := range strings.Lines(w.mustRun("tail", "clv", "--from", "start", "--follow=false", "--output", "json")) {
		c := object(w.t, line)
		id, _ := c["customer_id"].(string)
		all[id] = [3]string{numberAt(c, "historic_clv"), numberAt(c, "historic_number_of_orders"), numberAt(c, "referral_value")}
	}
	return all
}
