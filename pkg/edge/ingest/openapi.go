package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/schemas/event"
)

//go:generate go run ../../../cmd/openapi -of ingest -o ../../../docs/openapi-ingest.json

const documentPath = "/v1/openapi.json"

// schema is a node of the document; its members are written in the order of their names.
type schema = map[string]any

// Document returns the description of the intake over HTTP as OpenAPI 3.1, in JSON.
func Document() ([]byte, error) {
	const components = "#/components/schemas/"
	responses := schema{"200": schema{"description": "Kafka has acknowledged every event that is not skipped", "content": schema{"application/json": schema{"schema": schema{"$ref": components + "accepted"}}}}}
	byStatus := map[int][]string{http.StatusUnauthorized: {"invalid_token", "no_token", "no_tokens"}, http.StatusForbidden: {"foreign_host", "insufficient_scope"}}
	again := map[int]bool{}
	for _, k := range problemKinds() {
		byStatus[k.status] = append(byStatus[k.status], k.name)
		again[k.status] = again[k.status] || k.retryAfter > 0
	}
	for status, names := range byStatus {
		slices.Sort(names)
		types := make([]string, len(names))
		for i, name := range names {
			types[i] = server.ProblemType(name)
		}
		one := schema{"description": http.StatusText(status), "content": schema{"application/problem+json": schema{"schema": schema{
			"allOf": []schema{{"$ref": components + "problem"}, {"properties": schema{"type": schema{"enum": types}}}},
		}}}}
		if again[status] {
			one["headers"] = schema{"Retry-After": schema{"description": "Seconds after which to send the request again", "schema": schema{"type": "string"}}}
		}
		responses[strconv.Itoa(status)] = one
	}
	security := []schema{{"token": []string{string(server.ScopeEvents)}}, {}}
	schemes := schema{"token": server.TokenScheme()}
	for _, s := range Schemes() {
		schemes[s.Format] = schema{"type": "apiKey", "in": "header", "name": s.Header, "description": "Signature of the body with the secret ingest.secrets." + s.Format + ", for the format " + s.Format}
		security = append(security, schema{s.Format: []string{}})
	}
	item := schema{"type": "object", "description": "An event: see the schemas of the kinds, or the vendor's documentation"}
	body := schema{"oneOf": []schema{item, {"type": "array", "items": item, "minItems": 1}}}
	operation := func(id, summary string, parameters []schema) schema {
		return schema{
			"operationId": id, "summary": summary,
			"description": "All events of a request are accepted, or none. After no answer, 429 and 5xx send the same request again: events are known by their ids, and count once.",
			"parameters": append(
				parameters, schema{
					"name": "format", "in": "query", "description": "Format of the events: a shipped one, or one that a topic of theirs has. Without it they are in Mainstay's own; those of all kinds then state their type.",
					"schema": schema{"type": "string", "default": format.Mainstay, "examples": format.Names()},
				},
				schema{"name": "Content-Encoding", "in": "header", "schema": schema{"type": "string", "enum": []string{"gzip", "identity"}}},
			),
			"requestBody": schema{"required": true, "content": schema{
				"application/json":     schema{"schema": body},
				"application/x-ndjson": schema{"schema": schema{"type": "string", "description": "One event on each line"}},
			}},
			"responses": responses, "security": security,
		}
	}
	document := schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "Mainstay: events by HTTP", "version": "1", "license": schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Takes events at ingest.listen and writes them to the input topics. Generated: see pkg/edge/ingest.",
		},
		"paths": schema{
			eventsPath: schema{"post": operation("sendEvents", "Send events of one kind", []schema{
				{"name": "kind", "in": "path", "required": true, "schema": schema{"type": "string", "enum": event.KindNames()}},
			})},
			mixedPath: schema{"post": operation("sendMixedEvents", "Send events of all kinds", nil)},
		},
		"components": schema{"securitySchemes": schemes, "schemas": schema{
			"accepted": schema{
				"type": "object", "required": []string{"accepted", "skipped"}, "additionalProperties": false,
				"properties": schema{
					"accepted": schema{"type": "integer", "minimum": 0, "description": "Events that were written"},
					"skipped": schema{"type": "array", "description": "Items that are no event that counts; they are not written", "items": schema{
						"type": "object", "required": []string{"item", "reason"}, "additionalProperties": false,
						"properties": schema{"item": schema{"type": "integer", "description": "From 0"}, "reason": schema{"type": "string", "enum": event.Skips()}},
					}},
				},
			},
			"problem": schema{
				"description": "RFC 9457", "type": "object", "required": []string{"type", "title", "status", "detail"}, "additionalProperties": false,
				"properties": schema{
					"type":   schema{"type": "string", "description": "Unique to the kind of problem: rely on it"},
					"title":  schema{"type": "string"},
					"status": schema{"type": "integer"},
					"detail": schema{"type": "string", "description": "For people; its wording may change"},
					"errors": schema{"type": "array", "description": "Of events_refused: the first items that are refused", "maxItems": mostErrors, "items": schema{
						"type": "object", "required": []string{"item", "reason"}, "additionalProperties": false,
						"properties": schema{
							"item":   schema{"type": "integer", "description": "From 0"},
							"field":  schema{"type": "string", "description": "Absent: the item as a whole"},
							"reason": schema{"type": "string", "enum": event.Reasons()},
							"detail": schema{"type": "string", "description": "For people"},
						},
					}},
				},
			},
		}},
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("describe the intake over HTTP: %w", err)
	}
	return b.Bytes(), nil
}

func (in *Ingest) document(w http.ResponseWriter, r *http.Request) {
	body, err := Document()
	if err != nil {
		in.log.Error("describe the intake over HTTP", zap.Error(err))
		(&refusal{problemKind: internal, detail: "the description could not be encoded; see the log"}).write(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	server.WriteBody(w, r, http.StatusOK, body)
}
