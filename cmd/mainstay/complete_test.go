package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompletion(t *testing.T) {
	for name, c := range map[string]struct{ args, want []string }{
		"output":            {[]string{"status", "--output", ""}, []string{"table", "json"}},
		"topic of tail":     {[]string{"tail", "c"}, []string{"clv", "churn-risk", "cancellations"}},
		"topic of a sample": {[]string{"check", "--topic", ""}, []string{"purchases", "surveys", "referrals"}},
		"configured topic":  {[]string{"--kafka-topics-purchases", "sales", "topics", "recreated", "s"}, []string{"sales"}},
		"kind":              {[]string{"import", "--type", ""}, []string{"purchase", "cancellation", "referral", "survey"}},
		"setting":           {[]string{"run", "--clock", ""}, []string{"live", "event"}},
		"boolean setting":   {[]string{"run", "--kafka-tls-enabled="}, []string{"true", "false"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, nil, append([]string{"__complete"}, c.args...)...)
			require.Equal(t, exitOK, code, errs)
			for _, want := range c.want {
				require.Contains(t, out, want+"\n")
			}
		})
	}
}

func TestExecutable(t *testing.T) {
	checkout, elsewhere := t.TempDir(), t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(checkout, "cmd", "mainstay"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(checkout, "cmd", "mainstay", "main.go"), nil, 0o600))
	const cached = "/root/.cache/go-build/ab/cd-d/mainstay"
	for _, c := range []struct{ working, argument0, directory, name string }{
		{elsewhere, "mainstay", "", "mainstay"},
		{elsewhere, "./mainstay", elsewhere, "./mainstay"},
		{elsewhere, "/opt/bin/mainstay", "", "/opt/bin/mainstay"},
		{checkout, cached, checkout, "go run ./cmd/mainstay"},
		{elsewhere, cached, "", cached},
	} {
		t.Chdir(c.working)
		directory, name := executable(c.argument0)
		require.Equal(t, [2]string{c.directory, c.name}, [2]string{directory, name})
	}
}
