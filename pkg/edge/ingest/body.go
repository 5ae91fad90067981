package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// budget is the memory that requests may take until they are answered.
type budget struct {
	mu    sync.Mutex
	free  int64
	taken prometheus.Gauge
}

// requestBytes is what a request takes besides its body, however small that is: goroutines, buffers, headers.
const requestBytes = 16 << 10

// reservation is the part of the budget that one request uses.
type reservation struct {
	from  *budget
	bytes int64
}

// reserve reports whether there was room for n bytes more.
func (h *reservation) reserve(n int64) bool {
	h.from.mu.Lock()
	defer h.from.mu.Unlock()
	if h.from.free < n {
		return false
	}
	h.from.free -= n
	h.bytes += n
	h.from.taken.Add(float64(n))
	return true
}

func (h *reservation) release() {
	h.from.mu.Lock()
	defer h.from.mu.Unlock()
	h.from.free += h.bytes
	h.from.taken.Sub(float64(h.bytes))
	h.bytes = 0
}

// readBody returns the body as it was sent, and decompressed. Memory is taken as bytes arrive and not for the length that a request
// states: slow clients would otherwise hold all of it with nothing but headers.
func readBody(w http.ResponseWriter, r *http.Request, limit int64, memory *reservation) (sent, plain []byte, err error) {
	tooLarge := refuse(bodyTooLarge, fmt.Sprintf("a body has at most %d bytes (ingest.body_max_bytes), also after decompression: send fewer events in a request", limit))
	if r.ContentLength > limit {
		return nil, nil, tooLarge
	}
	coding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding")))
	if !slices.Contains([]string{"", "identity", "gzip", "x-gzip"}, coding) {
		return nil, nil, refuse(unsupportedCoding, "Content-Encoding may be gzip or identity")
	}
	sent, err = readAll(http.MaxBytesReader(w, r.Body, limit), limit, memory)
	if errors.Is(err, errTooLarge) {
		return nil, nil, tooLarge
	}
	if err != nil || coding == "" || coding == "identity" {
		return sent, sent, err
	}
	z, err := gzip.NewReader(bytes.NewReader(sent))
	if err != nil {
		return nil, nil, refuse(bodyUnreadable, "the body is not gzip, as Content-Encoding says")
	}
	plain, err = readAll(z, limit, memory)
	if errors.Is(err, errTooLarge) {
		return nil, nil, tooLarge
	}
	return sent, plain, err
}

var errTooLarge = errors.New("the body is too large")

// readAll reads at most limit bytes, in memory that it takes as it grows.
func readAll(from io.Reader, limit int64, memory *reservation) ([]byte, error) {
	const first = 4 << 10
	var all []byte
	for {
		if len(all) == cap(all) {
			size := min(max(first, 2*int64(cap(all))), limit+1)
			if size <= int64(len(all)) {
				return nil, errTooLarge
			}
			if !memory.reserve(size) { // the former buffer is still there while it is copied
				return nil, refuse(busy, "the memory for requests is taken (ingest.in_flight_bytes): send it again")
			}
			grown := make([]byte, len(all), size)
			copy(grown, all)
			all = grown
		}
		n, err := from.Read(all[len(all):cap(all)])
		all = all[:len(all)+n]
		tooLarge := (*http.MaxBytesError)(nil)
		switch {
		case int64(len(all)) > limit || errors.As(err, &tooLarge):
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, refuse(bodyUnreadable, "the body ends early, or is not gzip, as Content-Encoding says")
		}
	}
}

const byteOrderMark = "\xef\xbb\xbf"

// split returns the items of a body: one JSON value, the elements of one array, or one value after the other (NDJSON). The bytes
// of an item are as they were sent. The kind of body is recognised by its first byte and not by Content-Type, which many senders state wrongly.
func split(body []byte) ([][]byte, error) {
	body = bytes.TrimPrefix(body, []byte(byteOrderMark))
	d := json.NewDecoder(bytes.NewReader(body))
	array := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("["))
	if array {
		if _, err := d.Token(); err != nil {
			return nil, refuse(bodyUnreadable, "the body is not JSON")
		}
	}
	var items [][]byte
	for !array || d.More() {
		var item json.RawMessage
		err := d.Decode(&item)
		if errors.Is(err, io.EOF) && !array {
			break
		}
		if err != nil {
			return nil, refuse(bodyUnreadable, fmt.Sprintf("item %d is not JSON, after byte %d of the body: an object, an array of objects, or one object on each line is wanted", len(items), d.InputOffset()))
		}
		items = append(items, item)
	}
	if array {
		if _, err := d.Token(); err != nil {
			return nil, refuse(bodyUnreadable, fmt.Sprintf("the array does not end after item %d", len(items)-1))
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, refuse(bodyUnreadable, "more follows after the array")
		}
	}
	if len(items) == 0 {
		return nil, refuse(noEvent, "an object, an array of objects, or one object on each line is wanted")
	}
	return items, nil
}
