// Package importer owns the import of files of past events: the rows of a CSV or NDJSON file go into an input topic
// (import.go), and a record of the lines that were sent keeps each row from being sent twice (sent.go).
//
// It refuses to bypass intake: rows become events of an input topic, which intake reads like any other.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
)

// Import is a file on its way into an input topic.
type Import struct {
	Path      string
	Mapping   eventfile.Mapping
	Kind      event.Kind
	Topic     string
	Decoder   *event.Decoder // what intake would refuse is refused here, with its line
	Namespace string
	Ledger    string // its id: what was sent before, was sent for this ledger
	Resume    bool   // fail unless an import of this file was cut off
	Again     bool   // send every row, whatever was sent before
	DryRun    bool   // read and judge all, send nothing

	Now      func() time.Time
	Random   func() uint64
	Refused  func(*eventfile.RowError)
	Progress func(done, total int64) // bytes
}

// Counts is what an import did. Of a file that was cut off and is imported again they are those of the whole file.
type Counts struct {
	Rows    int64             `json:"rows"`       // read, refused ones included
	Sent    int64             `json:"sent"`       // of them, in the topic now
	Known   int64             `json:"duplicates"` // of those, sent by an earlier import of this file and not again
	Refused int64             `json:"refused"`
	Skipped int64             `json:"skipped"`       // tests, and customers that are nobody in particular
	From    int               `json:"resumed_after"` // line up to which an import that was cut off had come; 0: there was none
	First   *time.Time        `json:"first_event"`
	Last    *time.Time        `json:"last_event"`
	Columns map[string]string `json:"columns"`
	Bytes   int64             `json:"bytes"`
}

// ErrNothingToResume says that no import of this file was cut off.
var ErrNothingToResume = errors.New("there is nothing to go on from: import without --resume")

const goesOn = "importing again goes on behind the last row that went in"

const (
	flushRows  = 4000
	flushBytes = 1 << 20
)

// Run imports. Rows are sent in order, keyed by customer, in transactions with a note of their lines (sent.go): a row of this
// file goes out once, however often the import is cut off or repeated, and however old the file is.
func (im *Import) Run(ctx context.Context, k *kafka.Client) (Counts, error) {
	reader, err := eventfile.Open(im.Path, im.Mapping)
	if err != nil {
		return Counts{}, err
	}
	run := importing{Import: im, reader: reader, open: map[int32]*kafka.Batch{}}
	run.counts.Columns = reader.Columns()
	if !im.DryRun {
		run.sent = newSent(im, reader, k)
	}
	err = run.all(ctx, k)
	return run.counts, errors.Join(err, reader.Close())
}

type importing struct {
	*Import
	reader     *eventfile.Reader
	sent       *sent // nil: a dry run
	partitions int32
	counts     Counts

	open    map[int32]*kafka.Batch // the one being filled, by partition
	batches []*kafka.Batch
	rows    int64
	bytes   int
	result  event.Result
}

func (r *importing) all(ctx context.Context, k *kafka.Client) error {
	if r.sent != nil {
		var err error
		if r.partitions, err = topics.Partitions(ctx, k, r.Topic); err != nil {
			return err
		}
		if err := r.sent.recall(ctx); err != nil {
			return err
		}
		cut := r.sent.any() && !r.sent.whole
		if r.Resume && !cut {
			return ErrNothingToResume
		}
		if cut {
			r.counts.From = r.sent.last()
		}
	}
	for {
		row, err := r.reader.Next()
		refused := (*eventfile.RowError)(nil)
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
				return fmt.Errorf("import: %w; %s", context.Cause(ctx), goesOn)
			}
			r.report()
		}
	}
}

func (r *importing) refuse(why *eventfile.RowError) {
	r.counts.Refused++
	r.sent.pass(why.Line)
	if r.Refused != nil {
		r.Refused(why)
	}
}

// take judges a row as intake will, and packs it.
func (r *importing) take(row eventfile.Row) {
	now := r.Now().UnixMilli()
	message := event.Message{Key: row.Key, Value: row.Value, Timestamp: now}
	err := r.Decoder.Decode(r.Kind, &message, now, &r.result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		reason := string(refused.Reason)
		if refused.Detail != "" {
			reason += ": " + refused.Detail
		}
		r.refuse(&eventfile.RowError{Line: row.Line, Field: refused.Field, Reason: reason})
		return
	}
	if r.result.Skip != "" {
		r.counts.Skipped++
		r.sent.pass(row.Line)
		return
	}
	at := row.At
	if r.counts.First == nil || at.Before(*r.counts.First) {
		r.counts.First = &at
	}
	if r.counts.Last == nil || at.After(*r.counts.Last) {
		r.counts.Last = &at
	}
	size := len(row.Key) + len(row.Value)
	if r.sent == nil {
		r.rows, r.bytes = r.rows+1, r.bytes+size
		return
	}
	if r.sent.knows(row.Line) {
		r.counts.Sent, r.counts.Known = r.counts.Sent+1, r.counts.Known+1
		return
	}
	r.rows, r.bytes = r.rows+1, r.bytes+size
	r.sent.add(row.Line)
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

// flush sends what is packed, and notes it.
func (r *importing) flush(ctx context.Context) error {
	if r.sent != nil && r.rows > 0 {
		if err := r.sent.publish(ctx, r.batches, false); err != nil {
			return fmt.Errorf("import into %s: %w", r.Topic, err)
		}
		r.counts.Sent += r.rows
	}
	r.counts.Bytes += int64(r.bytes)
	clear(r.open)
	r.batches, r.rows, r.bytes = nil, 0, 0
	r.report()
	return nil
}

func (r *importing) report() {
	if r.Progress != nil {
		r.Progress(r.reader.Progress())
	}
}

// finish notes that the file is read to its end.
func (r *importing) finish(ctx context.Context) error {
	if err := r.flush(ctx); err != nil {
		return err
	}
	if r.sent == nil || r.sent.whole {
		return nil
	}
	if err := r.sent.publish(ctx, nil, true); err != nil {
		return fmt.Errorf("import into %s: %w", r.Topic, err)
	}
	return nil
}
