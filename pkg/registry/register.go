package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"
)

// The errors of schemas that records are to be written with. Only an operator can remove their causes.
var (
	ErrRefused      = errors.New("the schema registry refuses the schema")
	ErrUnregistered = errors.New("the schema registry does not have the schema")
	ErrNoRegistry   = errors.New("no schema registry is configured: set registry.urls")
)

const latest = -1

// Schema is a schema in Avro under its subject.
type Schema struct {
	Subject, Text string
}

func (s Schema) request() sr.Schema { return sr.Schema{Schema: s.Text, Type: sr.TypeAvro} }

// ID returns the id of a schema. It is looked up first, so that a registry that permits reading alone is enough once it is registered; if it is
// not, it is registered if that is allowed. The registry compares it with the subject's former ones, by the subject's compatibility.
func (r *Registry) ID(ctx context.Context, s Schema, register bool) (id uint64, err error) {
	id, err = r.request(ctx, s, func(ctx context.Context, server *sr.Client) (int, error) {
		found, err := server.LookupSchema(ctx, s.Subject, s.request())
		return found.ID, err //nolint:wrapcheck // request wraps it
	})
	if !errors.Is(err, errUnknown) {
		return id, err
	}
	if !register {
		return 0, fmt.Errorf("%w: subject %s", ErrUnregistered, s.Subject)
	}
	return r.request(ctx, s, func(ctx context.Context, server *sr.Client) (int, error) {
		return server.RegisterSchema(ctx, s.Subject, s.request(), latest, latest) //nolint:wrapcheck // likewise
	})
}

// CheckSchema returns what ID would, without registering anything: whether the schema is registered, and if not, whether the registry would
// take it.
func (r *Registry) CheckSchema(ctx context.Context, s Schema, register bool) (registered bool, err error) {
	if _, err = r.ID(ctx, s, false); !errors.Is(err, ErrUnregistered) || !register {
		return err == nil, err
	}
	var found sr.CheckCompatibilityResult
	_, err = r.request(ctx, s, func(ctx context.Context, server *sr.Client) (_ int, err error) {
		found, err = server.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), s.Subject, latest, s.request())
		return 0, err //nolint:wrapcheck // likewise
	})
	switch {
	case errors.Is(err, errUnknown): // it is the first of its subject
		return false, nil
	case err == nil && !found.Is:
		return false, fmt.Errorf("%w: subject %s: %s", ErrRefused, s.Subject, oneLine(errors.New(strings.Join(found.Messages, "; ")))) //nolint:err113 // what the registry says
	}
	return false, err
}

// request asks for something of a schema. What the registry answers to a schema that it does not take is ErrRefused, with its message.
func (r *Registry) request(ctx context.Context, s Schema, ask func(context.Context, *sr.Client) (int, error)) (id uint64, err error) {
	if r == nil {
		return 0, ErrNoRegistry
	}
	err = r.ask(ctx, func(ctx context.Context, server *sr.Client) error {
		found, err := ask(ctx, server)
		id = uint64(max(found, 0)) // no registry has ids below 0
		//mutant:refused-schema-is-outage if false && $
		if answer, ok := errors.AsType[*sr.ResponseError](err); ok && (answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusUnprocessableEntity) {
			return fmt.Errorf("%w: subject %s: %s", ErrRefused, s.Subject, oneLine(answer))
		}
		return err
	})
	return id, err
}
