// Package schemaregistry owns a schema registry for tests: the part of Confluent's REST API that readers and writers of records use, by its
// documentation (https://docs.confluent.io/platform/current/schema-registry/develop/api.html), in process. The contract:
//
//	GET /schemas/types                            ["AVRO", "JSON", "PROTOBUF"]
//	GET /schemas/ids/{id}                         {"schema": TEXT, "schemaType": TYPE, "references": [...]}; schemaType is left out for Avro
//	GET /schemas/guids/{guid}                     likewise
//	GET /subjects/{subject}/versions/{version}    {"subject", "version", "id", "schema", "schemaType", "references"}
//	POST /subjects/{subject}                      the version that has this schema: as above
//	POST /subjects/{subject}/versions             {"id": ID}, the same for a schema that is registered already; 409 {"error_code": 409, "message": TEXT}
//	                                              if it is not compatible with the subject's newest one
//	POST /compatibility/subjects/{subject}/versions/latest?verbose=true    {"is_compatible": BOOL, "messages": [TEXT]}
//	what is not there                             404 {"error_code": 40403 or 40401, "message": TEXT}
//
// Compatible is BACKWARD, the default of registries: the new schema reads what the one before has written. It is judged of Avro, by
// rules of a library that Mainstay writes no schema with. The fake refuses to judge other types, and to change a subject's compatibility.
package schemaregistry

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/avro"
)

// Schema is a registered schema.
type Schema struct {
	Subject    string      `json:"subject,omitempty"`
	Version    int         `json:"version,omitempty"`
	ID         int         `json:"id,omitempty"`
	GUID       string      `json:"-"`
	Text       string      `json:"schema"`
	Type       string      `json:"schemaType,omitempty"` // "": AVRO
	References []Reference `json:"references,omitempty"`
}

// Reference is what a schema refers to.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Server is a registry. Fail is called before each request is answered: if it answers itself, by reporting true, the registry does not.
type Server struct {
	*httptest.Server

	mu       sync.Mutex
	schemas  []Schema
	requests map[string]int
	fail     func(http.ResponseWriter, *http.Request) bool
}

// New returns a registry with these schemas that no network reaches: ServeHTTP answers.
func New(schemas ...Schema) *Server { return &Server{schemas: schemas, requests: map[string]int{}} }

// Start starts a registry with these schemas. Close it.
func Start(schemas ...Schema) *Server {
	s := New(schemas...)
	s.Server = httptest.NewServer(s)
	return s
}

// StartTLS starts one that encrypts, by a certificate that Certificate returns and no system trusts. Close it.
func StartTLS(schemas ...Schema) *Server {
	s := New(schemas...)
	s.Server = httptest.NewTLSServer(s)
	return s
}

// Add registers a schema.
func (s *Server) Add(schema Schema) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.schemas = append(s.schemas, schema)
}

// Fail sets what answers instead of the registry; nil: nothing.
func (s *Server) Fail(fail func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = fail
}

// Answer makes the registry answer each request with a status.
func (s *Server) Answer(status int) {
	s.Fail(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		return true
	})
}

// Requests returns how often a path was requested.
func (s *Server) Requests(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path]
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	s.mu.Lock()
	s.requests[req.URL.Path]++
	fail, schemas := s.fail, slices.Clone(s.schemas)
	s.mu.Unlock()
	if fail != nil && fail(w, req) {
		return
	}
	w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	path := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	if len(path) == 2 && path[0] == "schemas" && path[1] == "types" {
		answer(w, http.StatusOK, []string{"AVRO", "JSON", "PROTOBUF"})
		return
	}
	if req.Method == http.MethodPost {
		s.post(w, req, path)
		return
	}
	for _, schema := range schemas {
		byKey := len(path) == 3 && path[0] == "schemas" && (path[1] == "ids" && path[2] == strconv.Itoa(schema.ID) || path[1] == "guids" && path[2] == schema.GUID)
		byVersion := len(path) == 4 && path[0] == "subjects" && path[1] == schema.Subject && path[2] == "versions" && path[3] == strconv.Itoa(schema.Version)
		switch {
		case byKey:
			answer(w, http.StatusOK, Schema{Text: schema.Text, Type: schema.Type, References: schema.References})
			return
		case byVersion:
			answer(w, http.StatusOK, schema)
			return
		}
	}
	code, message := 40403, "Schema not found"
	if path[0] == "subjects" {
		code, message = 40401, "Subject not found."
	}
	answer(w, http.StatusNotFound, map[string]any{"error_code": code, "message": message})
}

// post answers a request that states a schema.
func (s *Server) post(w http.ResponseWriter, req *http.Request, path []string) {
	var given Schema
	if err := json.NewDecoder(req.Body).Decode(&given); err != nil {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"error_code": 42201, "message": "Invalid schema: " + err.Error()})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	check := path[0] == "compatibility"
	if check {
		path = path[1:]
	}
	given.Subject = path[1]
	newest, lastID := (*Schema)(nil), 0
	for i := range s.schemas {
		have := &s.schemas[i]
		if lastID = max(lastID, have.ID); have.Subject != given.Subject {
			continue
		}
		newest = have
		if have.Text == given.Text && have.Type == given.Type && !check {
			answer(w, http.StatusOK, have)
			return
		}
	}
	why := incompatible(newest, &given)
	switch {
	case check && newest == nil, len(path) == 2 && newest == nil: //nolint:mnd // a look-up
		answer(w, http.StatusNotFound, map[string]any{"error_code": 40401, "message": "Subject '" + given.Subject + "' not found."})
	case check:
		answer(w, http.StatusOK, map[string]any{"is_compatible": len(why) == 0, "messages": why})
	case len(path) == 2: //nolint:mnd // likewise
		answer(w, http.StatusNotFound, map[string]any{"error_code": 40403, "message": "Schema not found"})
	case len(why) > 0:
		answer(w, http.StatusConflict, map[string]any{"error_code": http.StatusConflict, "message": "Schema being registered is incompatible with an earlier schema for subject \"" + given.Subject + "\", details: [" + why[0] + "]"})
	default:
		given.ID, given.Version = lastID+1, 1
		if newest != nil {
			given.Version = newest.Version + 1
		}
		s.schemas = append(s.schemas, given)
		answer(w, http.StatusOK, map[string]any{"id": given.ID})
	}
}

// incompatible says why a schema in Avro does not read what the one before has written.
func incompatible(before, now *Schema) []string {
	if before == nil || before.Type != "" && before.Type != "AVRO" {
		return []string{}
	}
	writer, err := avro.Parse(before.Text)
	if err != nil {
		return []string{err.Error()}
	}
	reader, err := avro.Parse(now.Text)
	if err == nil {
		err = avro.CheckCompatibility(writer, reader)
	}
	if err != nil {
		return []string{err.Error()}
	}
	return []string{}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client sees what is missing
}
