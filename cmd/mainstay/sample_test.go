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

// The report of check --sample on payloads and files. A sample is named NAME.TOPIC.json, or .csv or .ndjson.
func TestSamples(t *testing.T) {
	samples, err := filepath.Glob("testdata/samples/*")
	require.NoError(t, err)
	require.NotEmpty(t, samples)
	for _, sample := range samples {
		if filepath.Ext(sample) == ".golden" {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(sample), filepath.Ext(sample))
		t.Run(filepath.Base(sample), func(t *testing.T) {
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

// --format reads the sample in a vendor's format, and shows the paths of the vendor's record.
func TestSampleInAFormat(t *testing.T) {
	const sample = "testdata/samples/shopify-unnamed.purchases.json"
	code, out, errs := run(t, nil, "check", "--sample", sample, "--topic", "purchases", "--format", "shopify")
	require.Equal(t, exitOK, code, errs)
	require.Contains(t, out, "purchase, format shopify: accepted")
	require.Regexp(t, `(?m)^customer_id +customer\.id +115310627314723954`, out)
	code, out, _ = run(t, []string{"MAINSTAY_KAFKA_TOPICS_PURCHASES=purchases=shopify"}, "check", "--sample", sample, "--topic", "purchases")
	require.Equal(t, exitOK, code, "the format of the topic")
	require.Contains(t, out, "format shopify")

	_, table, _ := run(t, nil, "formats", "show", "shopify")
	mine := filepath.Join(t.TempDir(), "mine.yaml")
	require.NoError(t, os.WriteFile(mine, []byte(strings.Replace(table, "format: shopify", "format: mine", 1)), 0o600))
	code, out, _ = run(t, nil, "check", "--sample", sample, "--topic", "purchases", "--format", mine)
	require.Equal(t, exitOK, code)
	require.Contains(t, out, "format mine: accepted")

	code, _, errs = run(t, nil, "check", "--sample", sample, "--topic", "purchases", "--format", "shopfy")
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "shopify")
	_, out, _ = run(t, nil, "formats", "list")
	require.Contains(t, out, "woocommerce")
}

// Records of a topic with a format are translated on their way into the ledger, and commands write to topics without one.
func TestRunningWithAFormat(t *testing.T) {
	table := filepath.Join(t.TempDir(), "double.yaml")
	require.NoError(t, os.WriteFile(table, []byte(`
format: double
events:
  - kind: purchase
    when: [order_id]
    fields: {customer_id: customer_id, order_id: order_id, total: {sum: [total, total]}, currency: currency, occurred_at: occurred_at}
`), 0o600))
	w, _ := newRunningWorld(t, "MAINSTAY_MONEY_CURRENCY=EUR", "MAINSTAY_KAFKA_TOPICS_PURCHASES=doubled="+table+",purchases")
	w.mustRun("send", "purchase", "--customer", "ada", "--order", "1", "--total", "5", "--currency", "EUR", "--topic", "doubled")
	require.Contains(t, w.mustRun("send", "purchase", "--customer", "ada", "--order", "2", "--total", "5", "--currency", "EUR"), "sent to purchases,")
	require.Equal(t, "15.00", numberAt(w.customer("ada", orders("2")), "clv", "historic_clv"))
	require.Contains(t, w.mustRun("dlq", "list"), "no dead letters")
}
