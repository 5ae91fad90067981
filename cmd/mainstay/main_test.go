package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/sandbox/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world holds an embedded Kafka and Redis, and the environment in which command lines are run.
type world struct {
	t       *testing.T
	servers *embedded.Embedded
	environ []string

	openBrowser func(address string) error // of commands that start
}

func newWorld(t *testing.T, environ ...string) *world {
	t.Helper()
	servers, err := embedded.Start(t.Context(), embedded.Options{Kafka: true, Redis: true})
	require.NoError(t, err)
	t.Cleanup(servers.Close)
	return &world{t: t, servers: servers, environ: append([]string{
		"MAINSTAY_KAFKA_BROKERS=" + servers.KafkaAddress(), "MAINSTAY_REDIS_ADDRESSES=" + servers.RedisAddress(),
		"MAINSTAY_LEDGER_PARTITIONS=2", "MAINSTAY_INTAKE_TICK_INTERVAL=20ms", "MAINSTAY_INTAKE_COMMIT_INTERVAL=20ms",
		"MAINSTAY_FOLD_PUBLISH_INTERVAL=10ms", "MAINSTAY_FOLD_COMMIT_INTERVAL=20ms", "MAINSTAY_LOG_LEVEL=warn",
	}, environ...)}
}

// syncBuffer is written by a command while a test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *syncBuffer) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *syncBuffer) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func newProgram(out, errs *syncBuffer, in string, environ []string, stopping <-chan struct{}) *program {
	return &program{
		in: strings.NewReader(in), out: out, err: errs, environ: environ, name: "mainstay", stopping: stopping, now: time.Now,
		hooks: app.Hooks{Embedded: true},
	}
}

// run runs a command line to its end.
func run(t *testing.T, environ []string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e syncBuffer
	code = newProgram(&o, &e, "", environ, nil).main(t.Context(), args)
	return code, o.String(), e.String()
}

func (w *world) run(args ...string) (code int, out, errs string) {
	w.t.Helper()
	return run(w.t, w.environ, args...)
}

// mustRun runs a command line that must succeed, and returns its output.
func (w *world) mustRun(args ...string) string {
	w.t.Helper()
	code, out, errs := w.run(args...)
	require.Equal(w.t, exitOK, code, "%v\n%s%s", args, out, errs)
	return out
}

// status returns the status as JSON, healthy or not: right after its start a process has no partitions.
func (w *world) status() string {
	w.t.Helper()
	_, out, errs := w.run("status", "--output", "json")
	require.NotEmpty(w.t, out, errs)
	return out
}

// background is a command that runs until it is stopped.
type background struct {
	t         *testing.T
	stopping  chan struct{}
	cancel    context.CancelFunc
	ended     chan struct{} // closed once exit is set
	exit      int
	out, errs syncBuffer
	once      sync.Once
}

func (w *world) start(args ...string) *background {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	b := &background{t: w.t, stopping: make(chan struct{}), cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		p := newProgram(&b.out, &b.errs, "", w.environ, b.stopping)
		p.open = w.openBrowser
		b.exit = p.main(ctx, args)
	}()
	w.t.Cleanup(func() { b.stop() })
	return b
}

// stop sends the first signal and returns the exit code.
func (b *background) stop() int {
	b.once.Do(func() { close(b.stopping) })
	return b.wait()
}

// wait waits until the command ends by itself, and returns the exit code.
func (b *background) wait() int {
	<-b.ended
	b.cancel()
	return b.exit
}

// eventually waits until a condition holds.
func (w *world) eventually(holds func() bool, what string) {
	w.t.Helper()
	require.Eventually(w.t, holds, 30*time.Second, 20*time.Millisecond, what)
}

// newRunningWorld returns a world with topics, a ledger under the event clock, and a running process.
func newRunningWorld(t *testing.T, environ ...string) (*world, *background) {
	t.Helper()
	w := newWorld(t, append([]string{"MAINSTAY_CLOCK=event", "MAINSTAY_HTTP_LISTEN=127.0.0.1:0"}, environ...)...)
	w.mustRun("topics", "apply")
	return w, w.start("run")
}

// customer waits until a condition holds for a customer, and returns that customer.
func (w *world) customer(id string, holds func(c map[string]any) bool) map[string]any {
	w.t.Helper()
	var c map[string]any
	w.eventually(func() bool {
		code, out, _ := w.run("customer", "get", id, "--output", "json")
		if code != exitOK {
			return false
		}
		c = object(w.t, out)
		return holds(c)
	}, "customer "+id)
	return c
}

// object reads JSON with its numbers as they are written.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	require.NoError(t, d.Decode(&m), "%s", text)
	return m
}

// valueAt returns the value at a path of nested JSON objects.
func valueAt(m map[string]any, path ...string) any {
	for _, name := range path[:len(path)-1] {
		m, _ = m[name].(map[string]any)
	}
	return m[path[len(path)-1]]
}

func numberAt(m map[string]any, path ...string) string {
	n, _ := valueAt(m, path...).(json.Number)
	return n.String()
}

func orders(n string) func(map[string]any) bool {
	return func(c map[string]any) bool { return numberAt(c, "clv", "historic_number_of_orders") == n }
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Output and exit code of commands that need no server.
func TestExitCodes(t *testing.T) {
	const unreachable = "MAINSTAY_KAFKA_BROKERS=127.0.0.1:1"
	good := write(t, "good.json", `{"order_id":"7","customer_id":"ada","total":"49.90","currency":"EUR","occurred_at":"2026-03-01T12:00:00Z"}`)
	bad := write(t, "bad.json", `{"order_id":"7","customer_id":"ada","total":-1,"currency":"EUR"}`)
	header := write(t, "header.csv", "customer_id,occurred_at,total\n")
	noNumber := write(t, "no_number.csv", "customer_id,occurred_at,total\nada,2026-03-01,?\n")
	guests := write(t, "guests.csv", "customer_id,occurred_at,total,currency,test\nguest,2026-03-01,1,EUR,\nada,2026-03-01,1,EUR,\nada,2026-03-01,1,EUR,true\n")
	for name, c := range map[string]struct {
		args    []string
		environ []string
		code    int
		out     string // is in one of the outputs
	}{
		"help":                         {[]string{"--help"}, nil, exitOK, "demo"},
		"nothing":                      {nil, nil, exitOK, "Operations:"},
		"version":                      {[]string{"version"}, nil, exitOK, "mainstay "},
		"version as JSON":              {[]string{"version", "-o", "json"}, nil, exitOK, `"version"`},
		"unknown command":              {[]string{"rum"}, nil, exitUsage, `unknown command "rum"`},
		"unknown below":                {[]string{"topics", "make"}, nil, exitUsage, `unknown command "make"`},
		"family alone":                 {[]string{"topics"}, nil, exitOK, "recreated"},
		"unknown flag":                 {[]string{"version", "--loud"}, nil, exitUsage, "unknown flag: --loud"},
		"too many arguments":           {[]string{"audit", "x"}, nil, exitUsage, "unknown command"},
		"wrong output":                 {[]string{"version", "-o", "xml"}, nil, exitUsage, `--output" flag: must be table or json`},
		"missing flag":                 {[]string{"send", "purchase", "--customer", "me"}, nil, exitUsage, `"order", "total"`},
		"no number":                    {[]string{"send", "purchase", "--customer", "me", "--order", "1", "--total", "x"}, nil, exitUsage, "--total: must be a number"},
		"no time":                      {[]string{"advance", "--to", "soon"}, nil, exitUsage, "--to: must be a time like"},
		"invalid event":                {[]string{"send", "purchase", "--customer", "me", "--order", "1", "--total", "1", "--currency", "XXQ"}, nil, exitFailed, "currency: unknown_value"},
		"no broker":                    {[]string{"send", "purchase", "--customer", "me", "--order", "1", "--total", "1", "--currency", "EUR"}, []string{unreachable}, exitFailed, "kafka.brokers: none of 127.0.0.1:1 answers"},
		"setting out of bounds":        {[]string{"config", "show", "--ledger-partitions", "0"}, nil, exitUsage, "ledger.partitions (--ledger-partitions): must be from 1 to 4096"},
		"unknown variable":             {[]string{"config", "show"}, []string{"MAINSTAY_KAFKA_BROKER=x"}, exitUsage, "MAINSTAY_KAFKA_BROKERS"},
		"invalid settings":             {[]string{"config", "validate", "--clock", "sun"}, nil, exitFindings, "clock (--clock): must be one of live, event"},
		"valid as JSON":                {[]string{"config", "validate", "-o", "json"}, nil, exitOK, `"valid": true`},
		"invalid as JSON":              {[]string{"config", "validate", "--clock", "sun", "--ledger-partitions", "0", "-o", "json"}, nil, exitFindings, `"ledger.partitions (--ledger-partitions): must be`},
		"valid settings":               {[]string{"config", "validate"}, nil, exitOK, "valid"},
		"dots for dashes":              {[]string{"config", "show", "--kafka.client_id", "till", "-o", "json"}, nil, exitOK, `"client_id": "till"`},
		"flag over variable":           {[]string{"config", "show", "--namespace", "flag"}, []string{"MAINSTAY_NAMESPACE=variable"}, exitOK, "namespace: flag"},
		"defaults":                     {[]string{"config", "print-default", "--namespace", "x"}, nil, exitOK, "namespace: mainstay"},
		"settings topic":               {[]string{"help", "settings"}, nil, exitOK, "MAINSTAY_FOLD_CACHE_BYTES"},
		"sample accepted":              {[]string{"check", "--sample", good, "--topic", "purchases"}, nil, exitOK, "purchase, format mainstay: accepted"},
		"sample refused":               {[]string{"check", "--sample", bad, "--topic", "purchases"}, nil, exitFindings, "REFUSED: "},
		"sample without topic":         {[]string{"check", "--sample", good}, nil, exitUsage, "--sample needs --topic"},
		"sample of no input":           {[]string{"check", "--sample", good, "--topic", "sales"}, nil, exitUsage, "the input topics are cancellations, purchases, referrals, surveys"},
		"sample is not there":          {[]string{"check", "--sample", good + "x", "--topic", "purchases"}, nil, exitFailed, "no such file"},
		"check without servers":        {[]string{"check"}, []string{unreachable, "MAINSTAY_REDIS_ADDRESSES=127.0.0.1:1"}, exitFindings, "no broker answers"},
		"import without type":          {[]string{"import", good}, nil, exitUsage, "--type:"},
		"import with a bad map":        {[]string{"import", good, "--type", "purchase", "--map", "customer=x"}, nil, exitUsage, `unknown field "customer"`},
		"import dry run":               {[]string{"import", good, "--type", "purchase", "--dry-run"}, nil, exitOK, "1 rows: 1 would be sent, 0 refused"},
		"import of a header":           {[]string{"import", header, "--type", "purchase", "--dry-run"}, nil, exitFailed, "the file has no rows"},
		"import of refused rows":       {[]string{"import", noNumber, "--type", "purchase", "--dry-run"}, nil, exitFailed, "every row was refused"},
		"import of refused rows, JSON": {[]string{"import", noNumber, "--type", "purchase", "--dry-run", "-o", "json"}, nil, exitFailed, `"sendable": 0`},
		"import without a rate":        {[]string{"import", guests, "--type", "purchase", "--dry-run"}, []string{"MAINSTAY_MONEY_CURRENCY=USD"}, exitOK, "warning: import: line 2: there is no exchange rate for EUR into the base currency: set money.rates.EUR"},
		"import with a rate":           {[]string{"import", guests, "--type", "purchase", "--dry-run"}, []string{"MAINSTAY_MONEY_CURRENCY=USD", "MAINSTAY_MONEY_RATES=EUR=1.1"}, exitOK, "1 would be sent"},
		"import of skipped rows":       {[]string{"import", guests, "--type", "purchase", "--dry-run"}, nil, exitOK, "1 would be sent, 0 refused, 2 skipped (anonymous 1, test 1)"},
		"demo without customers":       {[]string{"demo", "--customers", "0"}, nil, exitUsage, "at least 1"},
		"simulation without customers": {[]string{"simulate", "--customers", "0"}, nil, exitUsage, "at least 1"},
		"simulation without broker":    {[]string{"simulate"}, []string{unreachable}, exitFailed, "kafka.brokers: none of 127.0.0.1:1 answers"},
		"probe without process":        {[]string{"probe", "127.0.0.1:1"}, nil, exitFailed, "connection refused"},
		"replay without a bound":       {[]string{"dlq", "replay", "--max", "0"}, nil, exitUsage, "--max must be at least 1"},
		"tail from nowhere":            {[]string{"tail", "clv", "--from", "middle"}, nil, exitUsage, `--from" flag: must be start or end`},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := run(t, c.environ, c.args...)
			require.Equal(t, c.code, code, "%s%s", out, errs)
			require.Contains(t, out+errs, c.out)
			if code == exitOK || code == exitFindings {
				require.NotContains(t, errs, "error:")
			} else {
				require.Contains(t, errs, "error: ")
			}
		})
	}
}
