package ingest_test

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
)

func TestDocumentIsGenerated(t *testing.T) {
	want, err := ingest.Document()
	require.NoError(t, err)
	written, err := os.ReadFile("../../../docs/openapi-ingest.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(written), "run go generate ./pkg/edge/ingest")
}

var compiler = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	document, err := ingest.Document()
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	return c, c.AddResource("openapi.json", parsed)
})

var compiling sync.Mutex

// described makes sure that the document describes an answer. All answers of all tests are compared.
func (w *world) described(status int, contentType string, body []byte) {
	w.t.Helper()
	compiling.Lock()
	defer compiling.Unlock()
	c, err := compiler()
	require.NoError(w.t, err)
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed { // also of other paths and methods
		return
	}
	pointer := "openapi.json#/paths/" + strings.ReplaceAll("/v1/events/{kind}", "/", "~1") + "/post/responses/" + strconv.Itoa(status) + "/content/" + strings.ReplaceAll(contentType, "/", "~1") + "/schema"
	s, err := c.Compile(strings.NewReplacer("{", "%7B", "}", "%7D").Replace(pointer))
	require.NoError(w.t, err)
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(w.t, err)
	require.NoError(w.t, s.Validate(parsed), "%s", body)
}

func TestDocumentIsServed(t *testing.T) {
	w := newWorld(t)
	want, err := ingest.Document()
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/v1/openapi.json", nil)
	require.NoError(t, err)
	answer, err := w.client.Do(request)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = b.ReadFrom(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, string(want), b.String())
}
