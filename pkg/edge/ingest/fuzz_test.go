package ingest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// Whatever a body is, it is refused as such, or its items are all that it holds, and the memory that it took is given back.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{`{"a":1}`, `[{"a":1},2]`, "{}\n{}", "\xef\xbb\xbf[]", "[", "{} x", "\x1f\x8b\x08\x00", `"` + "\xff" + `"`, "[[1],[2]]", "[1][2]"} {
		f.Add([]byte(body), false)
		f.Add([]byte(body), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, packed bool) {
		const limit = 1 << 12
		memory := budget{free: 1 << 20, taken: prometheus.NewGauge(prometheus.GaugeOpts{})}
		h := reservation{from: &memory}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		if packed {
			r.Header.Set("Content-Encoding", "gzip")
		}
		why := (*refusal)(nil)
		sent, plain, err := readBody(httptest.NewRecorder(), r, limit, &h)
		h.release()
		require.EqualValues(t, 1<<20, memory.free)
		if err != nil {
			require.ErrorAs(t, err, &why)
			return
		}
		require.True(t, bytes.Equal(sent, body))
		require.LessOrEqual(t, len(plain), limit)
		items, err := split(plain)
		if err != nil {
			require.ErrorAs(t, err, &why)
			return
		}
		var joined []byte
		for i, item := range items {
			require.True(t, json.Valid(item), "item %d", i)
			joined = append(append(joined, item...), '\n')
		}
		if items[0][0] == '[' { // an array within one would be taken for the whole
			return
		}
		again, err := split(joined)
		require.NoError(t, err)
		require.Len(t, again, len(items))
	})
}
