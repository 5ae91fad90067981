package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// The report of check --sample on payloads. A file is named NAME.TOPIC.json.
func TestSamples(t *testing.T) {
	samples, err := filepath.Glob("testdata/samples/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, sample := range samples {
		name := strings.TrimSuffix(filepath.Base(sample), ".json")
		t.Run(name, func(t *testing.T) {
			_, topic, _ := strings.Cut(name, ".")
			code, out, errs := run(t, nil, "check", "--sample", sample, "--topic", topic)
			require.Empty(t, errs)
			golden := strings.TrimSuffix(sample, ".json") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(out), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out)

			verdict := object(t, second(run(t, nil, "check", "--sample", sample, "--topic", topic, "--output", "json")))
			require.Equal(t, verdict["accepted"] == true, code == exitOK)
			require.Equal(t, verdict["accepted"] == false, code == exitFindings)
			require.Contains(t, out, verdict["verdict"])
		})
	}
}

func second(_ int, out, _ string) string { return out }

func TestSampleFromStandardInputWithHeaders(t *testing.T) {
	var out, errs syncBuffer
	p := newProgram(&out, &errs, `{"customer_id":"ada","order_id":"9","total":1,"currency":"EUR"}`, nil, nil)
	code := p.main(t.Context(), []string{
		"check", "--sample", "-", "--topic", "purchases", "--header", "ce_specversion=1.0", "--header", "ce_id=e-1",
		"--header", "ce_type=purchase", "--header", "ce_time=2026-03-01T12:00:00Z",
	})
	require.Equal(t, exitOK, code, out.String()+errs.String())
	require.Contains(t, out.String(), "header ce_id")
}
