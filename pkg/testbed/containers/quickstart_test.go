//go:build real

package containers

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestQuickstart pastes the blocks of the README's Quickstart into a shell, with the addresses of the containers instead of the default
// ones, and verifies what a newcomer is promised: every command succeeds and ends, and the order that was sent is counted.
func TestQuickstart(t *testing.T) {
	page, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "\n## Quickstart\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n### ")
	blocks := regexp.MustCompile("(?ms)^```\n(.*?)^```$").FindAllStringSubmatch(section, -1)
	require.Len(t, blocks, 2, "one to start Mainstay, one to use it")

	dir := t.TempDir()
	paste := func(block string) string {
		for standard, address := range map[string]string{"127.0.0.1:9092": broker.Address, "127.0.0.1:6379": store.Address} {
			require.Contains(t, block, standard)
			block = strings.ReplaceAll(block, standard, address)
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", block)
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, Program{}.environment(), time.Second
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}

	// The program is built already, and its process must not end with the block.
	const build, run = "go build -o mainstay ./cmd/mainstay", "./mainstay run "
	start := blocks[0][1]
	require.Contains(t, start, build)
	start, rest, found := strings.Cut(strings.Replace(start, build, "ln -s "+program.Path+" mainstay", 1), run)
	require.True(t, found)
	require.NotContains(t, rest, "./mainstay", "run is the last command")
	paste(start)
	settings := map[string]string{"KAFKA_BROKERS": broker.Address, "REDIS_ADDRESSES": store.Address}
	for _, export := range regexp.MustCompile(`(?m)^export MAINSTAY_(\w+)=(\S+)$`).FindAllStringSubmatch(start, -1) {
		if _, ok := settings[export[1]]; !ok {
			settings[export[1]] = export[2]
		}
	}
	running, err := Program{Path: program.Path, Settings: settings}.Run(t.Context())
	require.NoError(t, err)
	t.Cleanup(running.Kill)

	out := paste(blocks[1][1])
	for _, want := range []string{
		"49.90 historic",                      // customer get
		"standing orders 49.90",               // customer explain
		"Healthy: everything is processed.",   // status --wait
		"VALUE AT STAKE",                      // today, with customers of the simulated shop
		"customer_id,value_at_stake,",         // customer list --csv
		"nothing lost, doubled, differing or", // audit
	} {
		require.Contains(t, out, want)
	}
	require.NoError(t, running.Stop(t.Context()))
}
