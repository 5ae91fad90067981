//go:build real

package deploy

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const image = "prom/prometheus:v2.53.3"

// promtool runs the one on the path, or that of the image, with the arguments relative to deploy/prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	dir, err := filepath.Abs("prometheus")
	require.NoError(t, err)
	name := "promtool"
	if _, err := exec.LookPath(name); err != nil {
		name = "docker"
		args = append([]string{
			"run", "--rm", "--network", "none", "--volume", dir + ":/work:ro", "--workdir", "/work", "--entrypoint", "promtool", image,
		}, args...)
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// within are the files of a folder below deploy/prometheus, seen from there.
func within(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	for _, path := range files(t, "prometheus/"+folder+"/*.yml") {
		names = append(names, folder+"/"+filepath.Base(path))
	}
	return names
}

func TestPromtool(t *testing.T) {
	promtool(t, "check", "config", "--syntax-only", "prometheus.yml")
	promtool(t, append([]string{"check", "rules", "--lint-fatal"}, within(t, "rules")...)...)
	promtool(t, append([]string{"test", "rules"}, within(t, "tests")...)...)
}
