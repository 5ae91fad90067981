package importer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/topics"
)

// sent is the memory of which rows of a file were sent. The fold knows an order again for memory.days only, which a file of
// years outlives; what was imported is known for ever.
//
// Each transaction that brings rows into the input topic brings a note of their lines into the topic of imports, so that a note
// is there exactly when its rows are. Notes are kept for ever, one for some thousand rows. An import is known by the content of
// its file, how that is mapped, the input topic and the ledger. Rows that were refused are not in a note: once a setting or the
// mapping is mended they can come.
//
// Whoever opens the transactional id of an import fences whoever imports the same at the same time.
type sent struct {
	kafka *kafka.Client
	txn   *kafka.Transactional
	topic string // of the notes
	txnID string
	id    string
	again bool
	about note

	now     func() time.Time
	random  func() uint64
	spans   []span // known from before, in order, apart from each other
	at      int    // the first of them that does not lie behind us
	whole   bool   // the file was read to its end before
	fresh   []span // of the transaction that is being filled
	line    int    // of the row before
	arrived map[string]bool
}

// span is rows that follow each other in the file, by their lines.
type span struct{ from, to int }

// note is a record of the topic of imports.
type note struct {
	Import string   `json:"import"`
	SHA256 string   `json:"sha256"` // of the file's content
	Topic  string   `json:"topic"`
	Ledger string   `json:"ledger_id"`
	Lines  [][2]int `json:"lines"` // of the rows that it came with, first and last
	Whole  bool     `json:"whole"` // the file was read to its end
}

const importTimeout = 30 * time.Second

func newSent(im *Import, reader *eventfile.Reader, k *kafka.Client) *sent {
	m := im.Mapping
	zone := "UTC"
	if m.Timezone != nil {
		zone = m.Timezone.String()
	}
	how, err := json.Marshal([]any{im.Ledger, im.Topic, reader.SHA256(), m.Type, reader.Columns(), m.TimeFormat, zone, m.Currency, m.DecimalComma})
	if err != nil {
		panic("marshal a mapping: " + err.Error()) // texts alone cannot fail
	}
	sum := sha256.Sum256(how)
	id := hex.EncodeToString(sum[:16])
	return &sent{
		kafka: k, topic: topics.Imports(im.Namespace), txnID: im.Namespace + "-import-" + id, id: id, again: im.Again, now: im.Now, random: im.Random,
		about: note{Import: id, SHA256: reader.SHA256(), Topic: im.Topic, Ledger: im.Ledger},
	}
}

// recall reads what is known of this import, behind the end of whatever was under way of it.
func (s *sent) recall(ctx context.Context) error {
	if _, err := topics.Partitions(ctx, s.kafka, s.topic); err != nil {
		return err
	}
	var err error
	if s.txn, err = s.kafka.OpenTransactional(ctx, s.txnID, importTimeout); err != nil {
		return fmt.Errorf("begin to import: %w", err)
	}
	bounds, err := s.kafka.ListOffsets(ctx, s.topic, []int32{0})
	if err != nil {
		return fmt.Errorf("read the end of %s: %w", s.topic, err)
	}
	s.spans, s.whole, s.arrived = nil, false, map[string]bool{}
	const pause = 50 * time.Millisecond
	for next, end := bounds[0].Start, bounds[0].HighWatermark; next < end; {
		// Other imports may be about to end a transaction before what is looked for.
		if next, err = s.kafka.ReadCommitted(ctx, s.topic, 0, next, end, s.see); err != nil {
			return fmt.Errorf("read what was imported: %w", err)
		}
		if next < end {
			select {
			case <-ctx.Done():
				return fmt.Errorf("read what was imported: %w", context.Cause(ctx))
			case <-time.After(pause):
			}
		}
	}
	s.spans = joined(s.spans)
	return nil
}

func (s *sent) see(r kafka.Record) error {
	var n note
	if err := json.Unmarshal(r.Value, &n); err != nil {
		return fmt.Errorf("%s offset %d: %w", s.topic, r.Offset, err)
	}
	if n.Import != s.id {
		return nil
	}
	s.arrived[string(r.Key)] = true
	if s.again {
		return nil
	}
	s.whole = s.whole || n.Whole
	for _, lines := range n.Lines {
		s.spans = append(s.spans, span{lines[0], lines[1]})
	}
	return nil
}

// joined sorts spans, and makes one of those that overlap.
func joined(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	kept := all[:0]
	for _, x := range all {
		if last := len(kept) - 1; last >= 0 && x.from <= kept[last].to {
			kept[last].to = max(kept[last].to, x.to)
			continue
		}
		kept = append(kept, x)
	}
	return kept
}

// any says that rows of this import were sent before.
func (s *sent) any() bool { return len(s.spans) > 0 }

// last is the last line that was sent before.
func (s *sent) last() int { return s.spans[len(s.spans)-1].to }

// knows says that the row of a line was sent before. Lines rise from call to call.
func (s *sent) knows(line int) bool {
	for s.at < len(s.spans) && s.spans[s.at].to < line {
		s.at++
	}
	known := s.at < len(s.spans) && s.spans[s.at].from <= line
	if known {
		s.line = line
	}
	return known
}

// pass goes over a row that is not sent.
func (s *sent) pass(line int) {
	if s != nil {
		s.line = line
	}
}

// add takes a row into the transaction that is being filled.
func (s *sent) add(line int) {
	if last := len(s.fresh) - 1; last >= 0 && s.fresh[last].to == s.line {
		s.fresh[last].to = line
	} else {
		s.fresh = append(s.fresh, span{line, line})
	}
	s.line = line
}

// publish sends rows with their note. Where an answer was lost the note says whether they arrived.
func (s *sent) publish(ctx context.Context, batches []*kafka.Batch, whole bool) error {
	n := s.about
	n.Whole, n.Lines = whole, make([][2]int, len(s.fresh))
	for i, x := range s.fresh {
		n.Lines[i] = [2]int{x.from, x.to}
	}
	value, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode what is imported: %w", err)
	}
	key := s.id + ":" + strconv.FormatUint(s.random(), 36)
	const tries = 5
	for range tries {
		b := kafka.NewBatch(s.topic, 0)
		b.Append(s.now().UnixMilli(), []byte(key), value, nil)
		if err = s.txn.Publish(ctx, kafka.Transaction{Batches: append(slices.Clip(batches), b)}); err == nil {
			s.fresh = s.fresh[:0]
			return nil
		}
		if errors.Is(err, kafka.ErrFenced) {
			return fmt.Errorf("another import of the same file has taken over: %w", err)
		}
		if ctx.Err() != nil || !kafka.Retriable(err) {
			break
		}
		before, was := s.spans, s.whole
		if err = s.recall(ctx); err != nil {
			break
		}
		s.spans, s.whole = before, was // what is known from before is what was known at the start
		if s.arrived[key] {
			s.fresh = s.fresh[:0]
			return nil
		}
	}
	return fmt.Errorf("%w; %s", err, goesOn)
}
