package api

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/node/server"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
)

// manifestTrailer follows the body: the offsets are known only when all partitions are read, and the hash when all is written.
const manifestTrailer = "Mainstay-Manifest"

// exportAnswer is an answer that is written while it is read, in the form that the parameter format names.
type exportAnswer struct{ query *export.Query }

func (a *api) answerExport(_ context.Context, args arguments) (any, error) {
	q := &export.Query{Condition: args["where"]}
	var err error
	if q.Format, err = export.FormatNamed(args["format"]); err != nil {
		return nil, refused(badParameter, err.Error())
	}
	if q.Where, err = lookup.ParseConditions(q.Condition, a.views.Attributes); err != nil {
		return nil, refused(badCondition, err.Error())
	}
	if q.Columns, err = export.ParseColumns(fieldsOf(args["columns"]), a.views.Attributes); err != nil {
		return nil, refused(unknownColumn, err.Error())
	}
	for _, part := range fieldsOf(args["since"]) {
		offset, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return nil, refused(badParameter, "since must be the offsets of a former export, separated by commas")
		}
		q.Since = append(q.Since, offset)
	}
	return exportAnswer{q}, nil
}

func fieldsOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}

// stream writes an export. An error after the first byte cuts the connection, so that nobody takes a part for the whole.
func (a *api) stream(w http.ResponseWriter, request *http.Request, at route, answer exportAnswer) {
	body := &streamed{to: w, mediaType: answer.query.Format.MediaType, compress: server.AcceptsGzip(request)}
	if request.Method == http.MethodHead {
		body.begin()
		return
	}
	m, err := a.views.Export(request.Context(), answer.query, body)
	if err == nil {
		err = body.close()
	}
	switch {
	case err == nil:
		w.Header().Set(manifestTrailer, strings.TrimSpace(string(m.Encode())))
	case !body.begun:
		a.refuse(w, request, at, err)
	default:
		if request.Context().Err() == nil {
			a.log.Warn("an export broke off", zap.String("path", at.path), zap.Error(err))
		}
		panic(http.ErrAbortHandler)
	}
}

// streamed is the body of an answer whose header is written with its first byte.
type streamed struct {
	to        http.ResponseWriter
	mediaType string
	compress  bool
	begun     bool
	gzip      *gzip.Writer // nil: not compressed
}

func (s *streamed) begin() {
	s.begun = true
	h := s.to.Header()
	h.Set("Content-Type", s.mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Trailer", manifestTrailer)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if s.compress {
		h.Set("Content-Encoding", "gzip")
		s.gzip, _ = gzip.NewWriterLevel(s.to, gzip.BestSpeed) // the level is valid
	}
}

// writeTimeout is how long a client may take for one part of the body. The server's own time limit is for a whole answer.
const writeTimeout = 30 * time.Second

func (s *streamed) Write(part []byte) (int, error) {
	if !s.begun {
		s.begin()
	}
	deadline := time.Now().Add(writeTimeout) //nolint:forbidigo // the deadline of a socket, by the clock that the server has
	if err := http.NewResponseController(s.to).SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err //nolint:wrapcheck // package export wraps it
	}
	if s.gzip != nil {
		return s.gzip.Write(part) //nolint:wrapcheck // likewise
	}
	return s.to.Write(part) //nolint:wrapcheck // likewise
}

func (s *streamed) close() error {
	if !s.begun {
		s.begin()
	}
	if s.gzip != nil {
		return s.gzip.Close() //nolint:wrapcheck // the caller logs it
	}
	return nil
}

var _ io.Writer = (*streamed)(nil)

// exportContent describes the body of an export for OpenAPI.
func exportContent() schema {
	all := schema{}
	for _, f := range export.Formats() {
		s := schema{"type": "string", "description": "The rows of listed-customer, customer_id first"}
		if f.Name == "parquet" {
			s = schema{"description": "The columns of listed-customer"}
		}
		all[f.MediaType] = schema{"schema": s}
	}
	return all
}
