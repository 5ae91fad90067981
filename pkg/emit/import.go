package emit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mainstay/mainstay/pkg/history"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/schemas/event"
)

// Import is a file on its way into an input topic.
type Import struct {
	Path    string
	Mapping history.Mapping
	Kind    event.Kind
	Topic   string
	Decoder *event.Decoder // what intake would refuse is refused here, with its line
	State   string         // file that remembers how far it went; "": none
	Resume  bool           // go on from there
	DryRun  bool           // read and judge all, send nothing

	Now      func() time.Time
	Refused  func(*history.RowError)
	Progress func(done, total int64) // bytes
}

// Counts is what an import did.
type Counts struct {
	Rows    int64             `json:"rows"` // read, refused ones included
	Sent    int64             `json:"sent"`
	Refused int64             `json:"refused"`
	Skipped int64             `json:"skipped"`       // tests, and customers that are nobody in particular
	From    int               `json:"resumed_after"` // line; 0: from the start
	First   *time.Time        `json:"first_event"`
	Last    *time.Time        `json:"last_event"`
	Columns map[string]string `json:"columns"`
	Bytes   int64             `json:"bytes"`
}

// place is what the state file holds.
type place struct {
	history.Resume
	Topic  string `json:"topic"`
	Counts Counts `json:"counts"`
}

// ErrNothingToResume is a resumption without a state file.
var ErrNothingToResume = errors.New("there is nothing to go on from: import without --resume")

const (
	flushRows  = 4000
	flushBytes = 1 << 20
)

// Run imports. Rows are sent in order, keyed by customer; the place is kept after every batch that Kafka has acknowledged.
// An import that was cut off may send its last batch twice, which the fold knows by the events' identities.
func (im *Import) Run(ctx context.Context, k *kafka.Client) (Counts, error) {
	reader, err := history.Open(im.Path, im.Mapping)
	if err != nil {
		return Counts{}, err
	}
	run := importing{Import: im, kafka: k, reader: reader, open: map[int32]*kafka.Batch{}}
	run.counts.Columns = reader.Columns()
	err = run.all(ctx)
	return run.counts, errors.Join(err, reader.Close())
}

type importing struct {
	*Import
	kafka      *kafka.Client
	reader     *history.Reader
	producer   *kafka.Producer
	partitions int32
	counts     Counts

	open    map[int32]*kafka.Batch // the one being filled, by partition
	batches []*kafka.Batch
	rows    int64
	bytes   int
	result  event.Result
}

func (r *importing) all(ctx context.Context) error {
	if r.Resume {
		if err := r.goOn(); err != nil {
			return err
		}
	}
	if !r.DryRun {
		var err error
		if r.partitions, err = partitionsOf(ctx, r.kafka, r.Topic); err != nil {
			return err
		}
	}
	for {
		row, err := r.reader.Next()
		refused := (*history.RowError)(nil)
		switch {
		case errors.Is(err, io.EOF):
			return r.finish(ctx)
		case errors.As(err, &refused):
			r.counts.Rows++
			r.refuse(refused)
		case err != nil:
			return err
		default:
			r.counts.Rows++
			r.take(row)
		}
		if r.rows >= flushRows || r.bytes >= flushBytes {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
		if r.counts.Rows%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("import: %w", context.Cause(ctx))
			}
			r.report()
		}
	}
}

func (r *importing) refuse(why *history.RowError) {
	r.counts.Refused++
	if r.Refused != nil {
		r.Refused(why)
	}
}

// take judges a row as intake will, and packs it.
func (r *importing) take(row history.Row) {
	now := r.Now().UnixMilli()
	message := event.Message{Key: row.Key, Value: row.Value, Timestamp: now}
	err := r.Decoder.Decode(r.Kind, &message, now, &r.result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		reason := string(refused.Reason)
		if refused.Detail != "" {
			reason += ": " + refused.Detail
		}
		r.refuse(&history.RowError{Line: row.Line, Field: refused.Field, Reason: reason})
		return
	}
	if r.result.Skip != "" {
		r.counts.Skipped++
		return
	}
	at := row.At
	if r.counts.First == nil || at.Before(*r.counts.First) {
		r.counts.First = &at
	}
	if r.counts.Last == nil || at.After(*r.counts.Last) {
		r.counts.Last = &at
	}
	r.rows++
	size := len(row.Key) + len(row.Value)
	r.bytes += size
	if r.DryRun {
		return
	}
	p := murmur2.PartitionFor(row.Key, r.partitions)
	b := r.open[p]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(r.Topic, p)
		r.open[p] = b
		r.batches = append(r.batches, b)
	}
	// Kafka's own time is now: stamped with the past, retention would delete the records before they are read.
	b.Append(now, row.Key, row.Value, nil)
}

// flush sends what is packed and notes the place behind it.
func (r *importing) flush(ctx context.Context) error {
	if !r.DryRun {
		if err := r.send(ctx); err != nil {
			return err
		}
		r.counts.Sent += r.rows
	}
	r.counts.Bytes += int64(r.bytes)
	clear(r.open)
	r.batches, r.rows, r.bytes = nil, 0, 0
	r.report()
	if r.DryRun || r.State == "" {
		return nil
	}
	return r.remember()
}

// send repeats whole batches under a new producer where an answer was lost: what arrives twice is known by its identity.
func (r *importing) send(ctx context.Context) error {
	const tries = 5
	var err error
	for range tries {
		if r.producer == nil {
			if r.producer, err = r.kafka.NewProducer(ctx); err != nil {
				return fmt.Errorf("import: %w", err)
			}
		}
		if _, err = r.producer.Produce(ctx, r.batches); err == nil {
			return nil
		}
		r.producer = nil
		if ctx.Err() != nil || !kafka.Retriable(err) {
			break
		}
	}
	return fmt.Errorf("import into %s: %w; --resume goes on from the last acknowledged row", r.Topic, err)
}

func (r *importing) report() {
	if r.Progress != nil {
		r.Progress(r.reader.Progress())
	}
}

func (r *importing) finish(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.DryRun || r.State == "" {
		return nil
	}
	if err := os.Remove(r.State); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the state of the import: %w", err)
	}
	return nil
}

// goOn takes up the place that an import of the same file left.
func (r *importing) goOn() error {
	content, err := os.ReadFile(r.State)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", r.State, ErrNothingToResume)
	}
	if err != nil {
		return fmt.Errorf("read the state of the import: %w", err)
	}
	var at place
	if err := json.Unmarshal(content, &at); err != nil {
		return fmt.Errorf("read the state of the import from %s: %w", r.State, err)
	}
	if at.Topic != r.Topic {
		return fmt.Errorf("%s: the import went into topic %s, not %s: import without --resume", r.State, at.Topic, r.Topic)
	}
	if err := r.reader.SkipTo(at.Resume); err != nil {
		return err
	}
	columns := r.counts.Columns
	r.counts = at.Counts
	r.counts.Columns, r.counts.From = columns, at.Line
	return nil
}

// remember writes the place beside the old one and then over it, so that there is always a whole one.
func (r *importing) remember() error {
	content, err := json.Marshal(place{r.reader.Resume(), r.Topic, r.counts})
	if err != nil {
		return fmt.Errorf("write the state of the import: %w", err)
	}
	fresh := r.State + ".new"
	if err := os.WriteFile(fresh, append(content, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the state of the import: %w", err)
	}
	if err := os.Rename(fresh, r.State); err != nil {
		return fmt.Errorf("write the state of the import: %w", err)
	}
	return nil
}

// StateOf is where the place of an import is kept by default: beside the file.
func StateOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".import")
}

// KindOf reads the name of a kind of event.
func KindOf(name string) (event.Kind, error) {
	for k := range event.Kinds {
		if name == k.String() {
			return k, nil
		}
	}
	var known bytes.Buffer
	for k := range event.Kinds {
		fmt.Fprintf(&known, " %s", k)
	}
	return 0, fmt.Errorf("%q is no kind of event; known are%s", name, known.String())
}
