package api_test

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/pkg/testbed/population"
	"github.com/mainstay/mainstay/processors/customer"
)

// fetched is an answer without its body.
type fetched struct {
	StatusCode      int
	Header, Trailer http.Header
}

// fetch requests a path from a real server, as trailers need one.
func fetch(t *testing.T, w *world, method, path string, header ...string) (*fetched, []byte, error) {
	t.Helper()
	s := httptest.NewServer(w.handler)
	defer s.Close()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	answer, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }() // it is read
	body, err := io.ReadAll(answer.Body)
	return &fetched{answer.StatusCode, answer.Header, answer.Trailer}, body, err
}

// An export has each customer once, with the figures of the list, and its manifest's hash is that of its bytes.
func TestExportHasEverybodyOnce(t *testing.T) {
	w := newWorld(t, base())
	answer, body, err := fetch(t, w, http.MethodGet, "/v1/export")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	manifest := object(t, []byte(answer.Trailer.Get("Mainstay-Manifest")))
	sum := sha256.Sum256(body)
	require.Equal(t, hex.EncodeToString(sum[:]), manifest["sha256"])
	lines, err := csv.NewReader(strings.NewReader(string(body))).ReadAll()
	require.NoError(t, err)
	var ids []string
	for _, line := range lines[1:] {
		ids = append(ids, line[0])
	}
	require.Equal(t, w.IDs(), ids)

	listed := map[string]any{}
	for _, c := range w.object(t, "/v1/customers?limit=500&sort=historic_clv")["customers"].([]any) {
		delete(c.(map[string]any), "done_by") // who of the staff it was is exported only if it is asked for
		listed[c.(map[string]any)["customer_id"].(string)] = c
	}
	_, rows, err := fetch(t, w, http.MethodGet, "/v1/export?format=ndjson")
	require.NoError(t, err)
	for line := range strings.Lines(string(rows)) {
		row := object(t, []byte(line))
		require.Equal(t, listed[row["customer_id"].(string)], any(row))
	}

	zipped, compressed, err := fetch(t, w, http.MethodGet, "/v1/export", "Accept-Encoding", "gzip")
	require.NoError(t, err)
	require.Equal(t, "gzip", zipped.Header.Get("Content-Encoding"))
	require.Equal(t, answer.Trailer, zipped.Trailer)
	z, err := gzip.NewReader(strings.NewReader(string(compressed)))
	require.NoError(t, err)
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	require.Equal(t, body, plain)

	some, _, err := fetch(t, w, http.MethodGet, "/v1/export?columns=total_clv&where=churn_risk=high&format=parquet")
	require.NoError(t, err)
	manifest = object(t, []byte(some.Trailer.Get("Mainstay-Manifest")))
	require.Equal(t, []any{"customer_id", "total_clv"}, manifest["columns"])
	require.Equal(t, "churn_risk=high", manifest["where"])
	require.Equal(t, "application/vnd.apache.parquet", some.Header.Get("Content-Type"))
	head, body, err := fetch(t, w, http.MethodHead, "/v1/export")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.Empty(t, body)
}

// breaking has two partitions, of which the second cannot be read.
type breaking struct {
	*population.Population
	times int // so many times as many customers in the first
}

func (b breaking) Snapshot(ctx context.Context, partition int32) (*lookup.Snapshot, error) {
	if partition == 1 {
		return nil, errors.New("a server that is away")
	}
	s, err := b.Population.Snapshot(ctx, partition)
	if err != nil {
		return nil, err
	}
	n, at := s.Len, s.At
	s.Len, s.At = n*b.times, func(i int) (string, *customer.State, error) { return at(i % n) }
	return s, nil
}

// An export that breaks off is a problem or, once rows were sent, a connection that is cut: never a part that looks whole.
func TestExportThatBreaksOff(t *testing.T) {
	w := newWorld(t, base())
	w.serve(breaking{w.Population, 1}, 2)
	answer, body, err := fetch(t, w, http.MethodGet, "/v1/export")
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode, "%s", body)
	for _, header := range [][]string{nil, {"Accept-Encoding", "gzip"}} {
		w.serve(breaking{w.Population, 1000}, 2)
		answer, _, err = fetch(t, w, http.MethodGet, "/v1/export", header...)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Empty(t, answer.Trailer.Get("Mainstay-Manifest"))
	}
	w = newWorld(t, "")
	_, body, err = fetch(t, w, http.MethodGet, "/v1/export")
	require.NoError(t, err)
	require.Equal(t, "urn:mainstay:problem:no_state_yet", object(t, body)["type"])
}

// expired is a source whose output topics no longer hold what has changed.
type expired struct{ *population.Population }

func (expired) Changed(context.Context, int32, int64, int64) (map[string]struct{}, error) {
	return nil, export.ErrRetention
}

func TestExportSinceOffsets(t *testing.T) {
	w := newWorld(t, base())
	_, body, err := fetch(t, w, http.MethodGet, "/v1/export?since=1000&columns=total_clv")
	require.NoError(t, err)
	require.Equal(t, "customer_id,total_clv\r\n", string(body), "nobody has changed")
	w.serve(expired{w.Population}, 1)
	answer, body, err := fetch(t, w, http.MethodGet, "/v1/export?since=1000")
	require.NoError(t, err)
	require.Equal(t, http.StatusGone, answer.StatusCode)
	require.Equal(t, "urn:mainstay:problem:outputs_deleted", object(t, body)["type"])
}
