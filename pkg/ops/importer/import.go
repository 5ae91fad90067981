// Package importer owns the import of files of past events: the rows of a CSV or NDJSON file go into an input topic
// (import.go), and notes of the lines that were sent prevent a row from being sent twice (sent.go).
//
// It refuses to bypass intake: rows become events of an input topic, which intake reads like any other.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/murmur2"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/schemas/event"
)

// Import is a file to be sent to an input topic.
type Import struct {
	Path      string
	Mapping   eventfile.Mapping
	Kind      event.Kind
	Topic     string
	Decoder   *event.Decoder // refuses what intake would refuse, with its line
	Namespace string
	Ledger    string // its ledger.FirstID: rows that were sent for another ledger are sent again
	Resume    bool   // fail unless an earlier import of this file was interrupted
	Again     bool   // send every row, also those that were sent before
	DryRun    bool   // read and check all rows, send nothing

	// Convertible reports whether there is a rate for a currency. A file with another currency is refused as a whole, since the fold
	// would reject each of these events.
	Convertible func(code string) bool

	Now      func() time.Time
	Random   func() uint64
	Refused  func(*eventfile.RowError)
	Progress func(done, total int64) // bytes
}

// Counts is the result of an import. Where it resumes an interrupted one, they are those of the whole file.
type Counts struct {
	Rows    int64             `json:"rows"`       // read, refused ones included
	Sent    int64             `json:"sent"`       // of them, in the topic now
	Known   int64             `json:"duplicates"` // of those, sent by an earlier import of this file and not again
	Refused int64             `json:"refused"`
	Summed  int64             `json:"summed"` // lines of orders, beyond one an order: see eventfile.Lines
	Skipped int64             `json:"skipped"`
	Skips   map[string]int64  `json:"skipped_by_reason"`
	From    int               `json:"resumed_after"` // last line that the interrupted import sent; 0: there was none
	First   *time.Time        `json:"first_event"`
	Last    *time.Time        `json:"last_event"`
	Columns map[string]string `json:"columns"`
	Warning string            `json:"warning,omitempty"` // of a dry run: why the import will fail unless the ledger has other settings
	Bytes   int64             `json:"bytes"`
}

// ErrNothingToResume means that no import of this file was interrupted.
var ErrNothingToResume = errors.New("no interrupted import to resume: import without --resume")

const resumeHint = "run the import again: it resumes after the last row that was sent"

const (
	flushRows  = 4000
	flushBytes = 1 << 20
)

// Run imports. Rows are sent in order, keyed by customer, in transactions with a note of their lines (sent.go): a row of this
// file is sent once, even if the import is interrupted or repeated, and however old the file is.
func (im *Import) Run(ctx context.Context, k *kafka.Client) (Counts, error) {
	reader, err := eventfile.Open(im.Path, im.Mapping)
	if err != nil {
		return Counts{}, err
	}
	run := importing{Import: im, reader: reader, open: map[int32]*kafka.Batch{}}
	if err := im.checkCurrencies(reader); err != nil {
		if !im.DryRun { // the ledger may have other settings than a dry run, which does not connect to it
			return Counts{}, errors.Join(err, reader.Close())
		}
		run.counts.Warning = err.Error()
	}
	run.counts.Columns, run.counts.Skips = reader.Columns(), map[string]int64{}
	if !im.DryRun {
		run.sent = newSentRows(im, reader, k)
	}
	err = run.importRows(ctx, k)
	return run.counts, errors.Join(err, reader.Close())
}

func (im *Import) checkCurrencies(reader *eventfile.Reader) error {
	lines := reader.Currencies()
	for _, code := range slices.Sorted(maps.Keys(lines)) {
		if im.Convertible(code) {
			continue
		}
		where := "--currency"
		if lines[code] > 0 {
			where = "line " + strconv.Itoa(lines[code])
		}
		return fmt.Errorf("import: %s: there is no exchange rate for %s into the base currency: set money.rates.%s, restart the processes with it, "+
			"and import then; nothing was sent", where, code, code)
	}
	return nil
}

type importing struct {
	*Import
	reader     *eventfile.Reader
	sent       *sentRows // nil in a dry run
	partitions int32
	counts     Counts

	open    map[int32]*kafka.Batch // the batch that is being filled, by partition
	batches []*kafka.Batch
	rows    int64
	bytes   int
	result  event.Result
}

func (r *importing) importRows(ctx context.Context, k *kafka.Client) error {
	if r.sent != nil {
		var err error
		if r.partitions, err = topics.Partitions(ctx, k, r.Topic); err != nil {
			return err
		}
		if err := r.sent.loadNotes(ctx); err != nil {
			return err
		}
		interrupted := r.sent.wasStarted() && !r.sent.whole
		if r.Resume && !interrupted {
			return ErrNothingToResume
		}
		if interrupted {
			r.counts.From = r.sent.lastLine()
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
			r.refuseRow(refused)
		case err != nil:
			return err
		default:
			r.counts.Rows += int64(row.Lines)
			r.counts.Summed += int64(row.Lines - 1)
			if row.Skip != "" {
				r.skipRow(row.Line, row.Skip)
			} else {
				r.packRow(row)
			}
		}
		if r.rows >= flushRows || r.bytes >= flushBytes {
			if err := r.flush(ctx); err != nil {
				return err
			}
		}
		if r.counts.Rows%1000 == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("import: %w; %s", context.Cause(ctx), resumeHint)
			}
			r.report()
		}
	}
}

func (r *importing) refuseRow(why *eventfile.RowError) {
	r.counts.Refused++
	r.sent.skipRow(why.Line)
	if r.Refused != nil {
		r.Refused(why)
	}
}

func (r *importing) skipRow(line int, why string) {
	r.counts.Skipped++
	r.counts.Skips[why]++
	r.sent.skipRow(line)
}

// packRow checks a row as intake will, and adds it to a batch.
func (r *importing) packRow(row eventfile.Row) {
	now := r.Now().UnixMilli()
	message := event.Message{Key: row.Key, Value: row.Value, Timestamp: now}
	err := r.Decoder.Decode(r.Kind, &message, now, &r.result)
	if refused := (*event.Refused)(nil); errors.As(err, &refused) {
		reason := string(refused.Reason)
		if refused.Detail != "" {
			reason += ": " + refused.Detail
		}
		r.refuseRow(&eventfile.RowError{Line: row.Line, Field: refused.Field, Reason: reason})
		return
	}
	if r.result.Skip != "" {
		r.skipRow(row.Line, r.result.Skip)
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
	if r.sent.wasSent(row.Line) {
		r.counts.Sent, r.counts.Known = r.counts.Sent+1, r.counts.Known+1
		return
	}
	r.rows, r.bytes = r.rows+1, r.bytes+size
	r.sent.addRow(row.Line)
	p := murmur2.PartitionFor(row.Key, r.partitions)
	b := r.open[p]
	if b == nil || b.Full(size) {
		b = kafka.NewBatch(r.Topic, p)
		r.open[p] = b
		r.batches = append(r.batches, b)
	}
	// The record's timestamp is now: with a past one, retention could delete the record before it is read.
	b.Append(now, row.Key, row.Value, nil)
}

// flush sends the batches with their note.
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

// finish sends the note that the file was read to its end.
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
