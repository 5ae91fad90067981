package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/output"
)

// values are the values of an output topic's records, but for tombstones.
func (w *world) values(topic output.Topic) (all []string) {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(w.t, err)
	defer k.Close()
	name := topic.Name("mainstay")
	found, err := k.Topics(w.t.Context(), []string{name})
	require.NoError(w.t, err)
	for p := range int32(len(found[0].Leaders)) {
		bounds, err := k.ListOffsets(w.t.Context(), name, []int32{p})
		require.NoError(w.t, err)
		_, err = k.ReadCommitted(w.t.Context(), name, p, bounds[p].Start, bounds[p].LastStable, func(r kafka.Record) error {
			if r.Value != nil {
				all = append(all, string(r.Value))
			}
			return nil
		})
		require.NoError(w.t, err)
	}
	return all
}

// Outputs are published in the encoding that is configured, once the registry answers, and whatever reads them reads all that a topic has.
func TestEncodingsOfOutputs(t *testing.T) {
	schemas := schemaregistry.Start()
	defer schemas.Close()
	schemas.Answer(http.StatusServiceUnavailable)
	w, b := newRunningWorld(t, "MAINSTAY_REGISTRY_URLS="+schemas.URL, "MAINSTAY_OUTPUTS_ENCODING=avro", "MAINSTAY_LOG_LEVEL=info", "MAINSTAY_HTTP_ALLOW_ANONYMOUS=true", "MAINSTAY_MONEY_DEFAULT_CURRENCY=USD")
	at := "http://" + b.address(w)
	buy := func(id string) { w.mustRun("send", "purchase", "--customer", "ada", "--order", id, "--total", "49.90") }
	buy("1")
	w.eventually(func() bool { return strings.Contains(w.get(at+"/readyz?verbose"), "registry_unreachable") }, "readiness names the registry")
	require.Contains(t, b.errs.String(), "find the schemas of the outputs: the schema registry does not answer: "+schemas.URL+" answers 503")
	require.Regexp(t, `(?m)^mainstay_registry_up\{.*\} 0$`, w.get(at+"/metrics"))
	require.Empty(t, w.values(output.CLV), "nothing is published in another form")
	code, out, _ := w.run("check")
	require.Equal(t, exitOK, code, out)
	require.Regexp(t, `warn +subject mainstay.clv.v1-value +.*answers 503`, out)

	schemas.Fail(nil)
	w.customer("ada", orders("1"))
	w.mustRun("advance", "--to", time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339))
	w.eventually(func() bool { return len(w.values(output.Portfolio)) > 0 }, "a closed day")
	require.Regexp(t, `ok +subject mainstay.clv.v1-value +has the schema`, w.mustRun("check"))
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	w.environ = append(w.environ, "MAINSTAY_OUTPUTS_ENCODING=connect-json")
	b = w.start("run")
	buy("2")
	w.customer("ada", orders("2"))
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	w.environ = append(w.environ, "MAINSTAY_OUTPUTS_ENCODING=json")
	b = w.start("run")
	at = "http://" + b.address(w)
	buy("3")
	w.customer("ada", orders("3"))

	values := w.values(output.CLV)
	last := values[len(values)-1]
	require.Zero(t, values[0][0])
	require.Contains(t, strings.Join(values, "\n"), "\n"+`{"schema":{"type":"struct"`)
	require.True(t, strings.HasPrefix(last, `{"event_id":`))
	tail := strings.Split(strings.TrimSpace(w.mustRun("tail", "clv", "--from", "start", "--follow=false", "--output", "json")), "\n")
	require.Len(t, tail, len(values))
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(last), &fields))
	seen := map[float64]bool{}
	for _, line := range tail {
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &got), line)
		n, _ := got["historic_number_of_orders"].(float64)
		seen[n] = true
		require.InDelta(t, 49.90*n, got["historic_clv"], 1e-9)
		require.ElementsMatch(t, slices.Collect(maps.Keys(fields)), slices.Collect(maps.Keys(got)))
		require.IsType(t, map[string]any{}, got["model"])
	}
	require.Equal(t, map[float64]bool{1: true, 2: true, 3: true}, seen)
	require.Equal(t, last, tail[len(tail)-1])
	require.Zero(t, w.values(output.Portfolio)[0][0])
	require.Contains(t, w.get(at+"/v1/portfolio"), "historic_revenue")
	require.Zero(t, w.values(output.Segments)[0][0])
	require.Regexp(t, `(?m)^\d{4}-\d\d-\d\d,all,1,`, w.mustRun("report", "trend", "--by", "all", "--csv"))
	w.mustRun("audit")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
}

// A process does not start if the registry does not take its schemas, and a check says so before. The message is the registry's.
func TestSchemasThatAreRefused(t *testing.T) {
	schemas := schemaregistry.Start(schemaregistry.Schema{ID: 7, Subject: "mainstay.clv.v1-value", Version: 1, Text: `{"type":"record","name":"Clv","namespace":"mainstay.v1","fields":[{"name":"event_id","type":"long"}]}`})
	defer schemas.Close()
	w := newWorld(t, "MAINSTAY_HTTP_LISTEN=127.0.0.1:0", "MAINSTAY_LOG_LEVEL=info")
	w.environ = append(w.environ, "MAINSTAY_REGISTRY_URLS="+schemas.URL, "MAINSTAY_OUTPUTS_ENCODING=avro")
	w.mustRun("topics", "apply")
	code, out, _ := w.run("check")
	require.Equal(t, exitFindings, code)
	require.Regexp(t, `fatal +subject mainstay.clv.v1-value +the schema registry refuses the schema: subject mainstay.clv.v1-value: .*; correct the subject`, out)
	require.Regexp(t, `note +subject mainstay.alerts.v1-value +has not`, out)
	code, _, errs := w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "subject mainstay.clv.v1-value: the schema registry refuses the schema")

	schemas = schemaregistry.Start()
	defer schemas.Close()
	w.environ = append(w.environ, "MAINSTAY_REGISTRY_URLS="+schemas.URL, "MAINSTAY_OUTPUTS_REGISTER_SCHEMAS=false")
	code, _, errs = w.run("run")
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "the schema registry does not have the schema: subject mainstay.clv.v1-value: set outputs.register_schemas, or register what `mainstay schemas export` writes")
	dir := filepath.Join(t.TempDir(), "schemas")
	w.mustRun("schemas", "export", dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.avsc"))
	require.NoError(t, err)
	require.Len(t, files, int(output.Topics))
	for i, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		schemas.Add(schemaregistry.Schema{ID: i + 1, Version: 1, Subject: strings.TrimSuffix(filepath.Base(file), ".avsc"), Text: strings.TrimSpace(string(text))})
	}
	b := w.start("run")
	at := "http://" + b.address(w)
	w.eventually(func() bool { return strings.HasPrefix(w.get(at+"/readyz"), "ready") }, "ready")
	require.Equal(t, exitOK, b.stop(), b.errs.String())
	require.Zero(t, schemas.Requests("/subjects/mainstay.clv.v1-value/versions"))
}
