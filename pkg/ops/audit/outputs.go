package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/output"
)

// openOutput begins to read an output partition at its log start, once every record that was appended before now can be read.
func (a *auditor) openOutput(ctx context.Context, t output.Topic) (*outputReader, error) {
	name := t.Name(a.cfg.Namespace)
	end := int64(-1)
	for began := a.cfg.Now(); ; {
		bounds, err := a.kafka.ListOffsets(ctx, name, []int32{a.partition})
		if err != nil {
			return nil, fmt.Errorf("read the bounds of %s/%d: %w", name, a.partition, err)
		}
		b := bounds[a.partition]
		if end < 0 {
			end = b.HighWatermark
		}
		if b.LastStable < end {
			if a.cfg.Now().Sub(began) > a.cfg.Patience {
				return nil, fmt.Errorf("%s/%d: a transaction has been open for %s (last stable offset %d, expected %d): find the fold that hangs with `mainstay status`", name, a.partition, a.cfg.Patience, b.LastStable, end)
			}
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return nil, err
			}
			continue
		}
		r := &outputReader{kafka: a.kafka, topic: name, partition: a.partition, ledgerID: a.cfg.Genesis.GetLedgerId(), next: b.Start, end: end, foreign: a.reportForeign}
		first, err := r.peek(ctx)
		if err != nil {
			return nil, err
		}
		if b.Start > 0 && first != nil { // retention may have deleted some outputs of the first entry
			a.from = max(a.from, first.id.Offset+1)
		}
		if b.Start > 0 && first == nil { // retention has deleted all of them: nothing of this partition can be compared
			a.from = a.to
		}
		return r, nil
	}
}

// compareOutputs compares the outputs that the entry at offset calls for with those that were published.
func (a *auditor) compareOutputs(ctx context.Context, offset int64) error {
	if offset < a.from || offset >= a.to {
		return nil
	}
	for i := range a.Out.Records {
		want := &a.Out.Records[i]
		id := output.ID{Partition: a.partition, Offset: want.Offset, Ordinal: want.Ordinal}
		got, err := a.seek(ctx, want.Topic, id)
		if err != nil {
			return err
		}
		if got == nil {
			a.report(Lost, offset, want.Topic, "ordinal %d was not published", want.Ordinal)
			continue
		}
		value := a.Out.Value(want)
		if value != nil && a.cfg.Outputs != nil { // in the encoding of the record, whatever is configured now
			if a.value, err = a.cfg.Outputs.Like(ctx, a.value[:0], got.record.Value, want.Topic, value); err != nil {
				return err
			}
			value = a.value
		}
		a.headers = a.envelope.AppendHeaders(a.headers[:0], want, a.Out.Passed(want))
		switch {
		case !bytes.Equal(got.record.Value, value), (got.record.Value == nil) != want.Null: // null and empty differ
			a.report(Differing, offset, want.Topic, "ordinal %d was published with another value", want.Ordinal)
		case string(got.record.Key) != want.Key:
			a.report(Differing, offset, want.Topic, "ordinal %d was published with another key", want.Ordinal)
		case !bytes.Equal(got.record.RawHeaders(), a.headers) && got.id.Logic == processors.LogicVersion:
			a.report(Differing, offset, want.Topic, "ordinal %d was published with other headers", want.Ordinal)
		}
		a.result.Outputs++
		a.published[want.Topic].advance()
	}
	return nil
}

// seek advances to the published record with this identity, and returns nil when there is none. The records before it are
// published twice or do not follow from the ledger.
func (a *auditor) seek(ctx context.Context, t output.Topic, id output.ID) (*publishedOutput, error) {
	for r := a.published[t]; ; r.advance() {
		got, err := r.peek(ctx)
		if err != nil || got == nil {
			return nil, err
		}
		switch order := compareIDs(got.id.ID, id); {
		case order > 0:
			return nil, nil
		case order == 0:
			return got, nil
		case got.id.Offset >= a.from:
			a.reportUnexpected(t, r, got)
		}
	}
}

// judgeRemaining reports the records behind the last output that an entry called for.
func (a *auditor) judgeRemaining(ctx context.Context, t output.Topic) error {
	for r := a.published[t]; ; r.advance() {
		got, err := r.peek(ctx)
		if err != nil || got == nil {
			return err
		}
		if got.id.Offset < a.to && got.id.Offset >= a.from {
			a.reportUnexpected(t, r, got)
		}
	}
}

func (a *auditor) reportUnexpected(t output.Topic, r *outputReader, got *publishedOutput) {
	if r.advanced && compareIDs(got.id.ID, r.last) <= 0 {
		a.report(Doubled, got.id.Offset, t, "ordinal %d was published again", got.id.Ordinal)
		return
	}
	a.report(Differing, got.id.Offset, t, "ordinal %d was published, and no entry calls for it", got.id.Ordinal)
}

// reportForeign reports a record that no fold of this partition has published.
func (a *auditor) reportForeign(topic string, offset int64, detail string) {
	a.result.add(Finding{Kind: Differing, Partition: a.partition, Offset: offset, Place: topic, Detail: detail}, 1)
}

func (a *auditor) report(kind Kind, offset int64, t output.Topic, detail string, args ...any) {
	a.result.add(Finding{Kind: kind, Partition: a.partition, Offset: offset, Place: t.Name(a.cfg.Namespace), Detail: fmt.Sprintf(detail, args...)}, 1)
}

func compareIDs(a, b output.ID) int {
	return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Ordinal, b.Ordinal))
}

// publishedOutput is an output in Kafka.
type publishedOutput struct {
	id     output.Identity
	record kafka.Record
}

// outputReader reads the outputs of this ledger in one partition in order, some thousand offsets at a time. Outputs of another
// ledger, which used the same namespace before, are skipped.
type outputReader struct {
	kafka     *kafka.Client
	topic     string
	partition int32
	ledgerID  string
	next, end int64
	page      []publishedOutput
	foreign   func(topic string, ledgerOffset int64, detail string) // is called for each record that is not an output of this partition
	last      output.ID                                             // the greatest that advance has passed, if advanced
	advanced  bool
}

const pageOffsets = 5000

// peek returns the next output, nil at the end. It is valid until the next call of advance.
func (r *outputReader) peek(ctx context.Context) (*publishedOutput, error) {
	for len(r.page) == 0 && r.next < r.end {
		to := min(r.next+pageOffsets, r.end)
		next, err := r.kafka.ReadCommitted(ctx, r.topic, r.partition, r.next, to, func(rec kafka.Record) error {
			switch id, err := output.ParseIdentity(rec.Header); {
			case err != nil:
				r.foreign(r.topic, -1, fmt.Sprintf("the record at offset %d is not an output of Mainstay: %v", rec.Offset, err))
			case id.LedgerID == r.ledgerID && id.Partition != r.partition:
				r.foreign(r.topic, -1, fmt.Sprintf("the record at offset %d is an output of partition %d", rec.Offset, id.Partition))
			case id.LedgerID == r.ledgerID:
				r.page = append(r.page, publishedOutput{id, rec.Clone()})
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read %s/%d: %w", r.topic, r.partition, err)
		}
		if next <= r.next {
			return nil, fmt.Errorf("read %s/%d: %w at %d", r.topic, r.partition, errStuck, next)
		}
		r.next = next
	}
	if len(r.page) == 0 {
		return nil, nil
	}
	return &r.page[0], nil
}

var errStuck = errors.New("the last stable offset went back")

// advance passes the output that peek returned.
func (r *outputReader) advance() {
	if id := r.page[0].id.ID; !r.advanced || compareIDs(id, r.last) > 0 {
		r.last, r.advanced = id, true
	}
	r.page = r.page[1:]
}
