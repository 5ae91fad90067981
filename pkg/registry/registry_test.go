package registry_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/testbed/schemaregistry"
	"github.com/mainstay/mainstay/schemas/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const order = `{"type":"record","name":"Order","fields":[{"name":"order_id","type":"string"},{"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}}]}`

// orderBody is {order_id: "o1", total: 49.90}, by hand from the specification: a length and text, a length and 4990 in two's complement.
var orderBody = []byte{4, 'o', '1', 4, 0x13, 0x7e}

var orderPlain = `{"order_id":"o1","total":49.90}` // no constant: it is compared as text, to the last digit

func framed(id uint32, body ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), body...)
}

func open(t *testing.T, c registry.Config) *registry.Registry {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second
	}
	r, err := registry.New(c)
	require.NoError(t, err)
	t.Cleanup(r.Close)
	return r
}

func start(t *testing.T, schemas ...schemaregistry.Schema) *schemaregistry.Server {
	t.Helper()
	s := schemaregistry.Start(schemas...)
	t.Cleanup(s.Close)
	return s
}

// read opens a record as the intake does: as often as the registry does not answer.
func read(t *testing.T, r *registry.Registry, m event.Message) (string, string, error) {
	t.Helper()
	for {
		framing, err := r.Open(t.Context(), &m)
		if errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied) {
			require.NoError(t, t.Context().Err())
			time.Sleep(time.Millisecond)
			continue
		}
		return string(m.Value), framing.String(), err
	}
}

func TestARecordNamesItsSchema(t *testing.T) {
	const guid = "12345678-9abc-def0-1122-334455667788"
	guidHeader := []byte{1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}
	s := start(t, schemaregistry.Schema{ID: 7, GUID: guid, Text: order}, schemaregistry.Schema{ID: 8, Text: `{"type":"object"}`, Type: "JSON"})
	header := func(name string, value []byte) func(string) ([]byte, bool) {
		return func(n string) ([]byte, bool) { return value, n == name }
	}
	for name, c := range map[string]struct {
		long bool
		m    event.Message
		want string
		as   string
	}{
		"an id of 4 bytes":          {m: event.Message{Value: framed(7, orderBody...)}, want: orderPlain, as: "a schema registry's framing (AVRO, schema 7)"},
		"an id of 8 bytes":          {long: true, m: event.Message{Value: append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 7}, orderBody...)}, want: orderPlain, as: "a schema registry's framing (AVRO, schema 7)"},
		"Confluent's header":        {m: event.Message{Value: orderBody, Header: header("__value_schema_id", guidHeader)}, want: orderPlain, as: "a schema registry's framing (AVRO, schema " + guid + ")"},
		"Apicurio's content id":     {m: event.Message{Value: orderBody, Header: header("apicurio.value.contentId", []byte{0, 0, 0, 0, 0, 0, 0, 7})}, want: orderPlain, as: "a schema registry's framing (AVRO, schema 7)"},
		"Apicurio's global id":      {m: event.Message{Value: orderBody, Header: header("apicurio.value.globalId", []byte{0, 0, 0, 0, 0, 0, 0, 7})}, want: orderPlain, as: "a schema registry's framing (AVRO, schema 7)"},
		"JSON Schema: as it is":     {m: event.Message{Value: framed(8, []byte(`{"total":1.10}`)...)}, want: `{"total":1.10}`, as: "a schema registry's framing (JSON, schema 8)"},
		"no framing: as it is":      {m: event.Message{Value: []byte(` {"a":1}`)}, want: ` {"a":1}`},
		"a header of another form":  {m: event.Message{Value: []byte(`{}`), Header: header("__value_schema_id", []byte{1, 2})}, want: `{}`},
		"nothing is in a tombstone": {m: event.Message{Null: true}, want: ``},
	} {
		t.Run(name, func(t *testing.T) {
			value, as, err := read(t, open(t, registry.Config{URLs: []string{s.URL}, LongIDs: c.long}), c.m)
			require.NoError(t, err)
			require.Equal(t, c.want, value)
			require.Equal(t, c.as, as)
		})
	}
	m := event.Message{Value: framed(7, orderBody...)}
	framing, err := (*registry.Registry)(nil).Open(t.Context(), &m)
	require.NoError(t, err)
	require.Empty(t, framing.String())
	require.Equal(t, framed(7, orderBody...), m.Value, "without a registry nothing is read")
}

func TestWhatCannotBeReadIsRefused(t *testing.T) {
	s := start(t,
		schemaregistry.Schema{ID: 7, Text: order},
		schemaregistry.Schema{ID: 1, Text: `{"type":"recrd"}`},
		schemaregistry.Schema{ID: 2, Text: `syntax = "proto3"; message A { B b = 1; }`, Type: "PROTOBUF"},
		schemaregistry.Schema{ID: 3, Text: `<xsd/>`, Type: "XSD"},
		schemaregistry.Schema{ID: 4, Text: order, References: []schemaregistry.Reference{{Name: "Customer", Subject: "customer", Version: 3}}},
		schemaregistry.Schema{ID: 6, Text: `syntax = "proto3"; message A { string a = 1; }`, Type: "PROTOBUF"},
	)
	r := open(t, registry.Config{URLs: []string{s.URL}})
	for name, c := range map[string]struct {
		value  []byte
		reason event.Reason
		says   []string
	}{
		"an id that the registry does not know": {framed(99), event.Schema, []string{"schema 99: not found at " + s.URL}},
		"a reference that is missing":           {framed(4), event.Schema, []string{"schema 4", "its reference Customer (subject customer, version 3): not found"}},
		"Avro that does not compile":            {framed(1), event.Schema, []string{"schema 1 of the registry cannot be used", "recrd"}},
		"Protobuf that does not compile":        {framed(2), event.Schema, []string{"schema 2 of the registry cannot be used", "B"}},
		"an unknown type":                       {framed(3), event.Schema, []string{"schema 3"}},
		"a body that ends too soon":             {framed(7, 4, 'o'), event.Schema, []string{"cannot be read by schema 7 (AVRO)"}},
		"bytes after the body":                  {framed(7, append([]byte{4, 'o', '1', 4, 0x13, 0x7e}, 1)...), event.Schema, []string{"another schema"}},
		"a text that is not UTF-8":              {framed(7, 2, 0xff, 4, 0x13, 0x7e), event.Schema, []string{"UTF-8"}},
		"a message that the file does not have": {framed(6, 2, 6), event.Schema, []string{"no message [3]"}},
		"no list of messages":                   {framed(6), event.Schema, []string{"which message"}},
		"an id that is cut":                     {[]byte{0, 1, 2}, event.Malformed, []string{"id of 4 bytes", "registry.long_ids"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(t, r, event.Message{Value: c.value})
			var refused *event.Refused
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.reason, refused.Reason)
			for _, text := range c.says {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestASchemaIsFetchedOnce(t *testing.T) {
	s := start(t, schemaregistry.Schema{ID: 7, Text: order})
	r := open(t, registry.Config{URLs: []string{s.URL}})
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			for range 1000 {
				if value, _, err := read(t, r, event.Message{Value: framed(7, orderBody...)}); err != nil || value != orderPlain {
					t.Errorf("%s %v", value, err)
				}
			}
		})
	}
	all.Wait()
	require.Equal(t, 1, s.Requests("/schemas/ids/7"))
}

// A registry that does not answer, whatever it says instead, is no reason to refuse a record, and a record is read as soon as it answers.
func TestARegistryThatFailsIsAwaited(t *testing.T) {
	drop := func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	hang := func(_ http.ResponseWriter, req *http.Request) bool { <-req.Context().Done(); return true }
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	huge := func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(append([]byte(`{"schema":"`), make([]byte, 8<<20)...))
		return true
	}
	for name, c := range map[string]struct {
		fail func(http.ResponseWriter, *http.Request) bool
		want error
	}{
		"closed connections":      {drop, registry.ErrUnreachable},
		"no answer":               {hang, registry.ErrUnreachable},
		"500":                     {answer(500, `{"error_code":50001}`), registry.ErrUnreachable},
		"429":                     {answer(429, ``), registry.ErrUnreachable},
		"401":                     {answer(401, `{"error_code":40101}`), registry.ErrDenied},
		"403":                     {answer(403, ``), registry.ErrDenied},
		"the 404 of a proxy":      {answer(404, `<html>`), registry.ErrUnreachable},
		"a wrong path, Confluent": {answer(404, `{"error_code":404,"message":"HTTP 404 Not Found"}`), registry.ErrUnreachable},
		"a wrong path, Apicurio":  {answer(404, `{"message":"RESTEASY003210: Could not find resource"}`), registry.ErrUnreachable},
		"a redirect":              {answer(302, ``), registry.ErrUnreachable},
		"no JSON":                 {answer(200, `<html>`), registry.ErrUnreachable},
		"an answer without bound": {huge, registry.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, schemaregistry.Schema{ID: 7, Text: order})
			s.Fail(c.fail)
			timeout := time.Minute
			if name == "no answer" {
				timeout = time.Second
			}
			r := open(t, registry.Config{URLs: []string{s.URL}, Timeout: timeout})
			seen := make(chan error, 100)
			r.Observe(func(err error) { seen <- err })
			m := event.Message{Value: framed(7, orderBody...)}
			for range 3 {
				_, err := r.Open(t.Context(), &m)
				require.True(t, errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied), "%v", err)
			}
			require.ErrorIs(t, <-seen, c.want)
			require.ErrorIs(t, r.Check(t.Context()), c.want)
			s.Fail(nil)
			value, _, err := read(t, r, m)
			require.NoError(t, err)
			require.Equal(t, orderPlain, value)
			for err := range seen { // until one was answered
				if err == nil {
					break
				}
			}
			require.NoError(t, r.Check(t.Context()))
		})
	}
}

// The id of a schema that is registered after its first record came is not refused for ever.
func TestAnUnknownSchemaMayBeRegisteredLater(t *testing.T) {
	s := start(t)
	r := open(t, registry.Config{URLs: []string{s.URL}})
	_, _, err := read(t, r, event.Message{Value: framed(7, orderBody...)})
	require.ErrorContains(t, err, "schema 7: not found")
	s.Add(schemaregistry.Schema{ID: 7, Text: order})
	require.Eventually(t, func() bool {
		value, _, err := read(t, r, event.Message{Value: framed(7, orderBody...)})
		return err == nil && value == orderPlain
	}, time.Minute, 100*time.Millisecond)
}

func TestAnotherServerIsAskedWhereOneFails(t *testing.T) {
	down, up := start(t), start(t, schemaregistry.Schema{ID: 7, Text: order})
	down.Answer(http.StatusServiceUnavailable)
	value, _, err := read(t, open(t, registry.Config{URLs: []string{down.URL, up.URL}}), event.Message{Value: framed(7, orderBody...)})
	require.NoError(t, err)
	require.Equal(t, orderPlain, value)
	require.Equal(t, 1, up.Requests("/schemas/ids/7"))
}

// Credentials are read for each request, so that they can be rotated, and are sent to no other server.
func TestCredentials(t *testing.T) {
	other := start(t, schemaregistry.Schema{ID: 7, Text: order})
	s := start(t, schemaregistry.Schema{ID: 7, Text: order})
	password := "old"
	var mu sync.Mutex
	var basic [][2]string
	s.Fail(func(_ http.ResponseWriter, req *http.Request) bool {
		user, given, _ := req.BasicAuth()
		mu.Lock()
		defer mu.Unlock()
		basic = append(basic, [2]string{user, given})
		return false
	})
	r := open(t, registry.Config{URLs: []string{s.URL}, Username: "reader", Password: func() (string, error) { return password, nil }})
	require.NoError(t, r.Check(t.Context()))
	password = "new"
	require.NoError(t, r.Check(t.Context()))
	require.Equal(t, [][2]string{{"reader", "old"}, {"reader", "new"}}, basic)

	tenant, sent := "a", ""
	s.Fail(func(_ http.ResponseWriter, req *http.Request) bool {
		sent += req.Header.Get("X-Tenant")
		return false
	})
	r = open(t, registry.Config{URLs: []string{s.URL}, Headers: map[string]func() (string, error){"X-Tenant": func() (string, error) { return tenant, nil }}})
	require.NoError(t, r.Check(t.Context()))
	tenant = "b"
	require.NoError(t, r.Check(t.Context()))
	require.Equal(t, "ab", sent)

	bearer := ""
	s.Fail(func(w http.ResponseWriter, req *http.Request) bool {
		bearer = req.Header.Get("Authorization")
		http.Redirect(w, req, other.URL+req.URL.Path, http.StatusTemporaryRedirect)
		return true
	})
	r = open(t, registry.Config{URLs: []string{s.URL}, Token: func() (string, error) { return "secret-token", nil }})
	err := r.Check(t.Context())
	require.ErrorIs(t, err, registry.ErrUnreachable)
	require.NotContains(t, err.Error(), "secret-token")
	require.Equal(t, "Bearer secret-token", bearer)
	require.Zero(t, other.Requests("/schemas/types"))
}

// Credentials that cannot be read are no outage of the registry, which is not asked without them.
func TestCredentialsThatCannotBeRead(t *testing.T) {
	s := start(t, schemaregistry.Schema{ID: 7, Text: order})
	unreadable := func() (string, error) { return "", errors.New("the file is empty") }
	for setting, c := range map[string]registry.Config{
		"registry.password": {URLs: []string{s.URL}, Username: "reader", Password: unreadable},
		"registry.token":    {URLs: []string{s.URL}, Token: unreadable},
		"registry.headers":  {URLs: []string{s.URL}, Headers: map[string]func() (string, error){"X-Tenant": unreadable}},
	} {
		err := open(t, c).Check(t.Context())
		require.ErrorIs(t, err, registry.ErrDenied)
		require.ErrorContains(t, err, "no access to the schema registry: "+setting+": the file is empty")
	}
	require.Zero(t, s.Requests("/schemas/types"))
}

func TestClosingEndsTheRequests(t *testing.T) {
	s := start(t)
	s.Answer(http.StatusServiceUnavailable)
	r := open(t, registry.Config{URLs: []string{s.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Open(ctx, &event.Message{Value: framed(7)})
	require.ErrorIs(t, err, registry.ErrUnreachable)
	r.Close()
	(*registry.Registry)(nil).Close()
}
