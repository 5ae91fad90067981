package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// An empty Redis is a finding, unless the audit omits Redis.
func TestAuditOfAnEmptyRedis(t *testing.T) {
	w, b := newRunningWorld(t)
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "1", "--currency", "USD")
	w.customer("ada", orders("1"))
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	require.Contains(t, w.mustRun("audit"), "nothing lost, doubled, differing or missing")

	require.NoError(t, w.servers.Empty())
	code, out, errs := w.run("audit", "--output", "json")
	require.Equal(t, exitFindings, code, errs)
	found := object(t, out)
	require.Equal(t, "3", numberAt(found, "state_missing"), "ada, and two partitions: %s", out)
	require.Equal(t, "0", numberAt(found, "differing"))
	w.mustRun("audit", "--redis=false")
	require.Empty(t, w.servers.Miniredis().Keys(), "an audit without Redis does not store its time there")
}
