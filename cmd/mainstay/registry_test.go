package main

import (
	"encoding/binary"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
)

const avroOrder = `{"type":"record","name":"Order","fields":[{"name":"customer_id","type":"string"},{"name":"order_id","type":"string"},
	{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}},{"name":"currency","type":"string"}]}`

// inAvro is an order of 49.90 USD with the framing of Confluent's serializers, by hand from the specification.
func inAvro(schema uint32, customer, order string) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0}, schema)
	for _, text := range []string{customer, order, "\x13\x7e", "USD"} {
		b = append(binary.AppendVarint(b, int64(len(text))), text...)
	}
	return b
}

// produce appends records to partition 0 of a topic.
func (w *world) produce(topic string, values ...[]byte) {
	w.t.Helper()
	k, err := kafka.New(kafka.Config{Brokers: []string{w.servers.KafkaAddress()}})
	require.NoError(w.t, err)
	defer k.Close()
	producer, err := k.NewProducer(w.t.Context())
	require.NoError(w.t, err)
	batches := kafka.NewBatches()
	for _, value := range values {
		batches.BatchFor(topic, 0, len(value)).Append(1_772_366_400_000, nil, value, nil)
	}
	_, err = producer.Produce(w.t.Context(), batches.All())
	require.NoError(w.t, err)
}

func (w *world) get(url string) string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, nil)
	require.NoError(w.t, err)
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	require.NoError(w.t, answer.Body.Close())
	return string(body)
}

// While the registry is away the input partition waits whose record needs it, and no other one; what is wrong is said. Nothing becomes a
// dead letter but what names a schema that the registry does not know.
func TestRecordsWaitForTheSchemaRegistry(t *testing.T) {
	schemas := schemaregistry.Start(schemaregistry.Schema{ID: 7, Text: avroOrder})
	defer schemas.Close()
	schemas.Answer(http.StatusServiceUnavailable)
	w, b := newRunningWorld(t, "MAINSTAY_REGISTRY_URLS="+schemas.URL, "MAINSTAY_LOG_LEVEL=info")
	at := "http://" + b.address(w)
	w.produce("purchases",
		[]byte(`{"customer_id":"bob","order_id":"1","total":5,"currency":"USD"}`),
		inAvro(7, "ada", "2"), inAvro(99, "zed", "3"), inAvro(7, "ada", "4"))
	w.mustRun("send", "survey", "--customer", "zoe", "--score", "9")
	w.produce("cancellations", // one record of two events
		[]byte(`[{"customer_id":"bob","kind":"refund","order_id":"1","refund_id":"r1","total":1,"currency":"USD"},{"customer_id":"bob","kind":"refund","order_id":"1","refund_id":"r2","total":1.5,"currency":"USD"}]`))
	w.customer("bob", func(c map[string]any) bool { return numberAt(c, "clv", "historic_clv") == "2.50" })
	w.customer("zoe", func(c map[string]any) bool { return c["promoter_status"] != nil })
	w.eventually(func() bool {
		_, why, waits := strings.Cut(w.get(at+"/readyz?verbose"), "1 of 8 input partitions have made no progress")
		return waits && strings.Contains(why, "registry_unreachable") && strings.Contains(why, "schema 7: the schema registry does not answer: "+schemas.URL+" answers 503")
	}, "readiness names the registry")
	require.Contains(t, b.errs.String(), "input partition waits for the schema registry")
	require.Contains(t, b.errs.String(), `"setting":"registry.urls"`)
	metrics := w.get(at + "/metrics")
	require.Regexp(t, `(?m)^mainstay_registry_up\{.*\} 0$`, metrics)
	require.Regexp(t, `(?m)^mainstay_registry_errors_total\{cause="registry_unreachable".*\} [1-9]`, metrics)
	require.Contains(t, w.mustRun("dlq", "list"), "no dead letters")
	_, out, _ := w.run("status", "--http", strings.TrimPrefix(at, "http://"), "--output", "json")
	require.Contains(t, out, "schema 7: the schema registry does not answer")
	code, out, _ := w.run("check")
	require.Equal(t, exitOK, code, "a process runs without the registry")
	require.Regexp(t, `warn +registry.urls `, out)
	require.Contains(t, out, "answers 503")

	schemas.Fail(nil)
	w.customer("ada", orders("2"))
	w.eventually(func() bool { return strings.Contains(w.mustRun("dlq", "list"), "schema") }, "a dead letter")
	require.Regexp(t, `purchases +schema +1`, w.mustRun("dlq", "list"))
	require.Contains(t, w.mustRun("tail", "purchases.dlq", "--from", "start", "--max", "1"), "schema 99: not found at "+schemas.URL)
	require.Contains(t, b.errs.String(), "input partition is read again")
	require.Regexp(t, `(?m)^mainstay_registry_up\{.*\} 1$`, w.get(at+"/metrics"))
	require.Regexp(t, `ok +registry.urls \S+ +answers`, w.mustRun("check"))
	w.eventually(func() bool { return strings.HasPrefix(w.get(at+"/readyz"), "ready") }, "ready")
	w.mustRun("audit")

	require.Equal(t, exitOK, b.stop(), b.errs.String())
	asked := schemas.Requests("/schemas/ids/7")
	w.start("run")
	w.produce("purchases", inAvro(7, "ada", "5"), inAvro(7, "ada", "6"))
	require.Equal(t, "199.60", numberAt(w.customer("ada", orders("4")), "clv", "historic_clv"))
	require.Equal(t, asked+1, schemas.Requests("/schemas/ids/7"), "a process asks once")
}

// The registry is asked with TLS and credentials from files, which are read at each request.
func TestRegistryWithTLSAndAPasswordFile(t *testing.T) {
	schemas := schemaregistry.StartTLS(schemaregistry.Schema{ID: 7, Text: avroOrder})
	defer schemas.Close()
	schemas.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	schemas.Fail(func(w http.ResponseWriter, req *http.Request) bool {
		user, password, _ := req.BasicAuth()
		if user == "mainstay" && password == "from-a-file" {
			return false
		}
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	password := write(t, "password", "from-a-file\n")
	authority := write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: schemas.Certificate().Raw})))
	sample := write(t, "order.avro", string(inAvro(7, "ada", "2")))
	check := func(environ ...string) (int, string, string) {
		environ = append(environ, "MAINSTAY_REGISTRY_TIMEOUT=1m", "MAINSTAY_REGISTRY_URLS="+schemas.URL, "MAINSTAY_REGISTRY_USERNAME=mainstay", "MAINSTAY_REGISTRY_PASSWORD_FILE="+password)
		return run(t, environ, "check", "--sample", sample, "--topic", "purchases")
	}
	code, out, errs := check("MAINSTAY_REGISTRY_CA_FILE=" + authority)
	require.Equal(t, exitOK, code, out+errs)
	require.Contains(t, out, "49.90 USD")

	code, _, errs = check()
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "certificate")
	require.NoError(t, os.WriteFile(password, []byte("another"), 0o600))
	code, _, errs = check("MAINSTAY_REGISTRY_CA_FILE=" + authority)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "answers 401")
	require.NotContains(t, errs, "another")
	code, _, errs = check("MAINSTAY_REGISTRY_CA_FILE=" + password)
	require.NotEqual(t, exitOK, code)
	require.Contains(t, errs, "registry.ca_file")
}

func TestSampleWithASchema(t *testing.T) {
	schemas := schemaregistry.Start(schemaregistry.Schema{ID: 7, Text: avroOrder})
	defer schemas.Close()
	sample := func(value []byte, environ ...string) (int, string, string) {
		return run(t, environ, "check", "--sample", write(t, "order.avro", string(value)), "--topic", "purchases")
	}
	code, out, _ := sample(inAvro(7, "ada", "2"))
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "begins with a schema registry's header (schema 7)")
	require.Contains(t, out, "set registry.urls")

	configured := "MAINSTAY_REGISTRY_URLS=" + schemas.URL
	code, out, errs := sample(inAvro(7, "ada", "2"), configured)
	require.Equal(t, exitOK, code, out+errs)
	require.Contains(t, out, "taken off: a schema registry's framing (AVRO, schema 7)")
	require.Contains(t, out, "49.90 USD")
	code, out, _ = sample(inAvro(8, "ada", "2"), configured)
	require.Equal(t, exitFindings, code)
	require.Contains(t, out, "schema 8: not found at "+schemas.URL)

	schemas.Answer(http.StatusUnauthorized)
	code, _, errs = sample(inAvro(7, "ada", "2"), configured)
	require.Equal(t, exitFailed, code)
	require.Contains(t, errs, "no access to the schema registry")
	require.Contains(t, errs, "registry.password")
}
