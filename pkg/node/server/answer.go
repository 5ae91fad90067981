package server

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Problem is an error that a program reads, as RFC 9457 says. Its type is ProblemType(Name).
type Problem struct {
	Name   string // unique, as in docs/api.md
	Title  string // the same for all problems of a name; empty: the text of the status
	Status int
	Detail string // what is wrong in this request, and what would be right; it names no customer
	Errors []ItemError
}

// ItemError is what is wrong with one of the items of a request's body.
type ItemError struct {
	Item   int    `json:"item"`             // from 0
	Field  string `json:"field,omitempty"`  // plain name; empty: the item as a whole
	Reason string `json:"reason"`           // unique, to rely on
	Detail string `json:"detail,omitempty"` // for people; it holds nothing of the body
}

// ProblemType is the URI of a problem.
func ProblemType(name string) string { return "urn:mainstay:problem:" + name }

// WriteProblem answers a request with a problem.
func WriteProblem(w http.ResponseWriter, p Problem) {
	if p.Title == "" {
		p.Title = http.StatusText(p.Status)
	}
	body, err := json.Marshal(struct {
		Type   string      `json:"type"`
		Title  string      `json:"title"`
		Status int         `json:"status"`
		Detail string      `json:"detail"`
		Errors []ItemError `json:"errors,omitempty"`
	}{ProblemType(p.Name), p.Title, p.Status, p.Detail, p.Errors})
	if err != nil { // texts and a number can be encoded
		panic(err)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client may have disconnected
}

// WriteBody answers with a body, compressed if the client accepts it. The caller sets what else the header has, Content-Type included.
func WriteBody(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	const worth = 1 << 10
	w.Header().Add("Vary", "Accept-Encoding")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if len(body) >= worth && AcceptsGzip(r) {
		var compressed bytes.Buffer
		z, _ := gzip.NewWriterLevel(&compressed, gzip.BestSpeed) // the level is valid
		_, _ = z.Write(body)                                     // to memory
		_ = z.Close()                                            // likewise
		w.Header().Set("Content-Encoding", "gzip")
		body = compressed.Bytes()
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have disconnected
	}
}

// AcceptsGzip reports whether a client accepts answers that are compressed.
func AcceptsGzip(r *http.Request) bool { return acceptsGzip(r.Header.Get("Accept-Encoding")) }

// acceptsGzip reads Accept-Encoding as RFC 9110 says: a quality of 0 means that a coding is not acceptable.
func acceptsGzip(header string) bool {
	accepted, others := -1.0, -1.0
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		quality := 1.0
		if q, found := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameters)), "q="); found {
			v, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			quality = v
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			accepted = quality
		case "*":
			others = quality
		}
	}
	if accepted < 0 {
		accepted = others
	}
	return accepted > 0
}
