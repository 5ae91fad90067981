// Package encoded owns the encoding of the outputs that a process publishes, and reads what is published in any of them: the setting may have
// been another when a record was written, so each record tells its own.
//
// It refuses to encode without the schema's id, and to publish JSON in its place: a subscriber reads one form. Whoever writes waits for the
// registry (Prepare), and so does whoever reads (Waits).
package encoded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Config configures Outputs.
type Config struct {
	Namespace string
	Encoding  encoding.Encoding
	Base      money.Unit         // of the ledger's amounts
	Registry  *registry.Registry // nil: none is configured
	Register  bool               // schemas that it does not have
	LongIDs   bool               // ids have 8 bytes
}

// Outputs encode and read outputs. They may be used concurrently. Nil Outputs read, and encode nothing.
type Outputs struct {
	cfg      Config
	encoders map[encoding.Encoding][output.Topics]*encoding.Encoder
	frames   [output.Topics]atomic.Pointer[[]byte] // with the ids of the schemas in Avro; nil: not known yet
}

// New returns Outputs. Nothing is requested yet.
func New(cfg Config) (*Outputs, error) {
	o := &Outputs{cfg: cfg, encoders: map[encoding.Encoding][output.Topics]*encoding.Encoder{}}
	for _, e := range []encoding.Encoding{encoding.ConnectJSON, encoding.Avro} {
		var all [output.Topics]*encoding.Encoder
		for t := range output.Topics {
			var err error
			if all[t], err = encoding.NewEncoder(e, t, cfg.Base); err != nil {
				return nil, fmt.Errorf("outputs.encoding: %w", err)
			}
		}
		o.encoders[e] = all
	}
	return o, nil
}

// Encodes reports whether outputs are published in another form than that of a step.
func (o *Outputs) Encodes() bool { return o != nil && o.cfg.Encoding != encoding.JSON }

// Prepare learns, once, the ids of all schemas that Append needs, and registers those that the registry does not have, if the configuration
// allows it. The error wraps one of the registry's.
func (o *Outputs) Prepare(ctx context.Context) error {
	if o == nil || !o.cfg.Encoding.NeedsRegistry() {
		return nil
	}
	for t := range output.Topics {
		if _, err := o.frame(ctx, t, o.cfg.Register); err != nil {
			return err
		}
	}
	return nil
}

// Schemas are the schemas to be registered, in the order of the topics. None are with an encoding that needs no registry.
func (o *Outputs) Schemas() (all []registry.Schema) {
	for t := range output.Topics {
		if o.cfg.Encoding.NeedsRegistry() {
			all = append(all, o.schema(t))
		}
	}
	return all
}

// Check returns whether a schema is registered, and if not, whether Prepare would register it. It registers nothing.
func (o *Outputs) Check(ctx context.Context, s registry.Schema) (registered bool, err error) {
	registered, err = o.cfg.Registry.CheckSchema(ctx, s, o.cfg.Register)
	return registered, explained(err)
}

// schema is that of a topic, under the subject that Confluent's TopicNameStrategy names.
func (o *Outputs) schema(t output.Topic) registry.Schema {
	return registry.Schema{Subject: t.Name(o.cfg.Namespace) + "-value", Text: o.encoders[encoding.Avro][t].Schema()}
}

// frame asks for the id of a topic's schema unless it is known. Partitions that ask at the same time get the same answer.
func (o *Outputs) frame(ctx context.Context, t output.Topic, register bool) ([]byte, error) {
	if frame := o.frames[t].Load(); frame != nil {
		return *frame, nil
	}
	id, err := o.cfg.Registry.ID(ctx, o.schema(t), register)
	if err != nil {
		return nil, explained(err)
	}
	frame := encoding.Frame(id, o.cfg.LongIDs)
	o.frames[t].Store(&frame)
	return frame, nil
}

// explained adds what an operator can do.
func explained(err error) error {
	switch {
	case errors.Is(err, registry.ErrUnregistered):
		return fmt.Errorf("%w: set outputs.register_schemas, or register what `mainstay schemas export` writes", err)
	case errors.Is(err, registry.ErrRefused):
		return fmt.Errorf("%w; correct the subject or its compatibility at the registry", err)
	}
	return err
}

// Refused reports whether an error is one that no waiting removes: the registry does not take a schema, or does not have it and may not be
// given it.
func Refused(err error) bool {
	return errors.Is(err, registry.ErrRefused) || errors.Is(err, registry.ErrUnregistered) || errors.Is(err, registry.ErrNoRegistry)
}

// Waits reports whether what was asked for can be had once the registry answers, or is configured.
func Waits(err error) bool {
	return errors.Is(err, registry.ErrUnreachable) || errors.Is(err, registry.ErrDenied) || errors.Is(err, registry.ErrNoRegistry)
}

// Append appends the value of a record, given the JSON of an output; after Prepare it needs no registry.
func (o *Outputs) Append(ctx context.Context, dst []byte, t output.Topic, value []byte) ([]byte, error) {
	return o.append(ctx, dst, o.cfg.Encoding, t, value)
}

func (o *Outputs) append(ctx context.Context, dst []byte, e encoding.Encoding, t output.Topic, value []byte) ([]byte, error) {
	if e == encoding.JSON {
		return append(dst, value...), nil
	}
	if e.NeedsRegistry() {
		frame, err := o.frame(ctx, t, false)
		if err != nil {
			return dst, err
		}
		dst = append(dst, frame...)
	}
	dst, err := o.encoders[e][t].Append(dst, value)
	if err != nil {
		return dst, fmt.Errorf("encode an output of %s as %s: %w", t, e, err)
	}
	return dst, nil
}

// Like appends the value that a record must have whose encoding is that of found: what an audit compares it with.
func (o *Outputs) Like(ctx context.Context, dst, found []byte, t output.Topic, value []byte) ([]byte, error) {
	//mutant:audit-by-own-encoding replace return o.append(ctx, dst, o.cfg.Encoding, t, value)
	return o.append(ctx, dst, encoding.Of(found), t, value)
}

// Open returns the JSON of an output that was published in any encoding. If the error is none of which Waits is true, the record
// cannot be read.
func (o *Outputs) Open(ctx context.Context, value []byte) ([]byte, error) {
	switch encoding.Of(value) {
	case encoding.ConnectJSON:
		return encoding.ReadConnect(value) //nolint:wrapcheck // says which column
	case encoding.Avro:
		m := event.Message{Value: value}
		if err := o.open(ctx, &m); err != nil {
			return nil, err
		}
		return encoding.Restore(m.Value) //nolint:wrapcheck // likewise
	case encoding.JSON:
	}
	return value, nil
}

// open waits for the first answer of the registry about a schema, since nobody has anything else to do meanwhile.
func (o *Outputs) open(ctx context.Context, m *event.Message) error {
	if o == nil || o.cfg.Registry == nil {
		return fmt.Errorf("an output names a schema: %w", registry.ErrNoRegistry)
	}
	const pause = 20 * time.Millisecond
	for {
		_, err := o.cfg.Registry.Open(ctx, m)
		if !errors.Is(err, registry.ErrPending) || ctx.Err() != nil {
			return err //nolint:wrapcheck // names the schema
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
