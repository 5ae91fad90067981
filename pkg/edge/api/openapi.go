package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// Document returns the description of the API as OpenAPI 3.1, in JSON.
func Document() ([]byte, error) {
	d := definitions{"problem": problemSchema()}
	paths := schema{}
	for _, r := range routes() {
		paths[r.path] = schema{strings.ToLower(r.method()): d.operation(r)}
	}
	document := schema{
		"openapi": "3.1.0",
		"info": schema{
			"title": "Mainstay", "version": "1", "license": schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
			"description": "Reads customers, lists of them, open alerts, reports of all customers and the portfolio, and marks customers on the list of calls. Fields are only added within a version. Generated: see pkg/edge/api.",
		},
		"paths": paths,
		"components": schema{
			"schemas":         d,
			"securitySchemes": schema{"token": server.TokenScheme()},
		},
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("encode the description of the API: %w", err)
	}
	return b.Bytes(), nil
}

func (d definitions) operation(r route) schema {
	operation := schema{
		"operationId": r.name, "summary": r.summary, "description": r.about,
		"security":  []schema{{"token": []string{string(r.scope)}}, {}},
		"responses": d.responses(r),
	}
	parameters := []schema{}
	fields, required := schema{}, []string{}
	for _, p := range r.parameters {
		if p.inBody {
			fields[p.name] = p.field()
			if p.required {
				required = append(required, p.name)
			}
			continue
		}
		parameters = append(parameters, p.schema())
	}
	if r.writes {
		operation["requestBody"] = schema{"required": true, "content": schema{"application/json": schema{"schema": schema{
			"type": "object", "properties": fields, "required": required, "additionalProperties": false,
		}}}}
	}
	if len(parameters) > 0 {
		operation["parameters"] = parameters
	}
	return operation
}

func (p *parameter) schema() schema {
	all := schema{"name": p.name, "in": "query", "description": p.about, "schema": p.values()}
	if p.inPath {
		all["in"], all["required"] = "path", true
	}
	if p.example != "" {
		all["example"] = p.example
	}
	return all
}

func (p *parameter) field() schema {
	s := p.values()
	s["description"] = p.about
	if p.example != "" {
		s["examples"] = []string{p.example}
	}
	if p.most > 0 {
		s["maxLength"] = p.most // in characters, of which none is shorter than a byte
	}
	return s
}

func (p *parameter) values() schema {
	s := schema{"type": "string"}
	switch {
	case p.whole:
		s = schema{"type": "integer", "minimum": p.least, "maximum": p.most}
	case p.month:
		s["pattern"] = monthPattern
	case p.boolean:
		s = schema{"type": "boolean"}
	case p.attribute:
		s = schema{"anyOf": []schema{{"type": "string", "enum": p.oneOf}, {"type": "string", "pattern": "^[a-z][a-z0-9_]*$", "description": "An attribute of the setting attributes"}}}
	case len(p.oneOf) > 0:
		s["enum"] = p.oneOf
	}
	if p.standard != "" {
		s["default"] = p.standard
		if p.whole || p.boolean {
			s["default"] = json.RawMessage(p.standard)
		}
	}
	return s
}

func (d definitions) responses(r route) schema {
	answer := schema{"description": r.summary}
	if _, streamed := r.response.(exportAnswer); streamed {
		answer["content"] = exportContent()
		answer["headers"] = schema{manifestTrailer: schema{"description": "The manifest, as a trailer", "schema": schema{"type": "string"}}}
	} else {
		answer["content"] = schema{"application/json": schema{"schema": d.ofAnswer(r.response)}}
	}
	all := schema{"200": answer}
	if _, tagged := r.response.(interface{ etag() string }); tagged {
		answer["headers"] = schema{"ETag": schema{"schema": schema{"type": "string"}}}
		all["304"] = schema{"description": "Nothing was published since the ETag in If-None-Match"}
	}
	byStatus := map[int][]string{}
	add := func(k kind) {
		if names := byStatus[k.status]; !slices.Contains(names, k.name) {
			byStatus[k.status] = append(names, k.name)
		}
	}
	for _, k := range r.problems {
		add(k)
	}
	add(unknownParameter)
	if len(r.parameters) > 0 {
		add(repeatedParameter)
		add(badParameter)
	}
	if r.writes {
		all["202"] = answer
		for _, k := range []kind{foreignOrigin, badBody, bodyTooLarge, unsupportedType} {
			add(k)
		}
	}
	if r.scope == server.ScopeMarks {
		add(unavailable)
		add(kind{name: "too_many_requests", status: http.StatusTooManyRequests})
	}
	if r.scope == server.ScopeCustomers {
		add(stillReading)
		add(unavailable)
		add(kind{name: "too_many_requests", status: http.StatusTooManyRequests})
	}
	for _, k := range []kind{{name: "no_token", status: http.StatusUnauthorized}, {name: "invalid_token", status: http.StatusUnauthorized}, {name: "insufficient_scope", status: http.StatusForbidden}} {
		add(k)
	}
	for status, names := range byStatus {
		slices.Sort(names)
		types := make([]string, len(names))
		for i, name := range names {
			types[i] = server.ProblemType(name)
		}
		all[strconv.Itoa(status)] = schema{
			"description": http.StatusText(status),
			"content": schema{"application/problem+json": schema{"schema": schema{
				"allOf": []schema{{"$ref": components + "problem"}, {"properties": schema{"type": schema{"enum": types}}}},
			}}},
		}
	}
	return all
}

func problemSchema() schema {
	return schema{
		"description": "RFC 9457", "type": "object", "required": []string{"type", "title", "status", "detail"}, "additionalProperties": false,
		"properties": schema{
			"type":   schema{"type": "string", "description": "Unique to the kind of problem: rely on it"},
			"title":  schema{"type": "string"},
			"status": schema{"type": "integer"},
			"detail": schema{"type": "string", "description": "For people; its wording may change"},
		},
	}
}

func (a *api) document(w http.ResponseWriter, r *http.Request) {
	body, err := Document()
	if err != nil {
		a.log.Error("describe the API", zap.Error(err))
		server.WriteProblem(w, problem(internal, "the description could not be encoded; see the log"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "private, no-cache")
	server.WriteBody(w, r, http.StatusOK, body)
}
