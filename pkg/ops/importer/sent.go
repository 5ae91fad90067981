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

// sentRows records which rows of a file were sent. The fold detects a repeated order for memory.days only, and a file of several
// years can be imported again after that; so notes of imports are kept for ever.
//
// Each transaction that sends rows to the input topic also sends a note of their lines to the topic of imports, so that a note
// exists exactly when its rows do. One note covers up to some thousand rows. An import is identified by the content of its file,
// the mapping, the input topic and the ledger. A note does not list refused rows: they can be sent after a setting or the mapping
// is corrected.
//
// Opening the transactional id of an import fences another process that imports the same file at the same time.
type sentRows struct {
	kafka *kafka.Client
	txn   *kafka.Transactional
	topic string // of the notes
	txnID string
	id    string
	again bool
	about note

	now     func() time.Time
	random  func() uint64
	spans   []span          // of rows sent by earlier imports, ascending and disjoint
	next    int             // index of the first span that does not end before the current row
	whole   bool            // an earlier import read the file to its end
	filling []span          // of the transaction that is being filled
	line    int             // of the previous row
	notes   map[string]bool // keys of the notes of this import that are in the topic
}

// span is a run of consecutive rows, by their lines.
type span struct{ from, to int }

// note is a record of the topic of imports.
type note struct {
	Import string   `json:"import"`
	SHA256 string   `json:"sha256"` // of the file's content
	Topic  string   `json:"topic"`
	Ledger string   `json:"ledger_id"`
	Lines  [][2]int `json:"lines"` // first and last, of each span of rows in the same transaction
	Whole  bool     `json:"whole"` // the file was read to its end
}

const importTimeout = 30 * time.Second

func newSentRows(im *Import, reader *eventfile.Reader, k *kafka.Client) *sentRows {
	m := reader.Mapping()
	zone := "UTC"
	if m.Timezone != nil {
		zone = m.Timezone.String()
	}
	identity, err := json.Marshal([]any{im.Ledger, im.Topic, reader.SHA256(), m.Type, reader.Columns(), m.TimeFormat, zone, m.Currency, m.DecimalComma})
	if err != nil {
		panic("marshal a mapping: " + err.Error()) // strings cannot fail
	}
	sum := sha256.Sum256(identity)
	id := hex.EncodeToString(sum[:16])
	return &sentRows{
		kafka: k, topic: topics.Imports(im.Namespace), txnID: im.Namespace + "-import-" + id, id: id, again: im.Again, now: im.Now, random: im.Random,
		about: note{Import: id, SHA256: reader.SHA256(), Topic: im.Topic, Ledger: im.Ledger},
	}
}

// loadNotes reads the notes of this import up to the end of the topic, after it has fenced a transaction that was still open.
func (s *sentRows) loadNotes(ctx context.Context) error {
	if _, err := topics.Partitions(ctx, s.kafka, s.topic); err != nil {
		return err
	}
	var err error
	if s.txn, err = s.kafka.OpenTransactional(ctx, s.txnID, importTimeout); err != nil {
		return fmt.Errorf("open the transaction of the import: %w", err)
	}
	bounds, err := s.kafka.ListOffsets(ctx, s.topic, []int32{0})
	if err != nil {
		return fmt.Errorf("read the end of %s: %w", s.topic, err)
	}
	s.spans, s.whole, s.notes = nil, false, map[string]bool{}
	const pause = 50 * time.Millisecond
	for next, end := bounds[0].Start, bounds[0].HighWatermark; next < end; {
		// An open transaction of another import may precede the notes of this one.
		if next, err = s.kafka.ReadCommitted(ctx, s.topic, 0, next, end, s.readNote); err != nil {
			return fmt.Errorf("read the notes of earlier imports: %w", err)
		}
		if next < end {
			select {
			case <-ctx.Done():
				return fmt.Errorf("read the notes of earlier imports: %w", context.Cause(ctx))
			case <-time.After(pause):
			}
		}
	}
	s.spans = mergeSpans(s.spans)
	return nil
}

func (s *sentRows) readNote(r kafka.Record) error {
	var n note
	if err := json.Unmarshal(r.Value, &n); err != nil {
		return fmt.Errorf("%s offset %d: %w", s.topic, r.Offset, err)
	}
	if n.Import != s.id {
		return nil
	}
	s.notes[string(r.Key)] = true
	if s.again {
		return nil
	}
	s.whole = s.whole || n.Whole
	for _, lines := range n.Lines {
		s.spans = append(s.spans, span{lines[0], lines[1]})
	}
	return nil
}

// mergeSpans sorts spans and merges those that overlap.
func mergeSpans(all []span) []span {
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

// wasStarted reports whether rows of this import were sent before.
func (s *sentRows) wasStarted() bool { return len(s.spans) > 0 }

// lastLine returns the last line that was sent before.
func (s *sentRows) lastLine() int { return s.spans[len(s.spans)-1].to }

// wasSent reports whether the row of a line was sent before. Lines must rise from call to call.
func (s *sentRows) wasSent(line int) bool {
	for s.next < len(s.spans) && s.spans[s.next].to < line {
		s.next++
	}
	known := s.next < len(s.spans) && s.spans[s.next].from <= line
	if known {
		s.line = line
	}
	return known
}

// skipRow notes that a row is not sent.
func (s *sentRows) skipRow(line int) {
	if s != nil {
		s.line = line
	}
}

// addRow adds a row to the transaction that is being filled.
func (s *sentRows) addRow(line int) {
	if last := len(s.filling) - 1; last >= 0 && s.filling[last].to == s.line {
		s.filling[last].to = line
	} else {
		s.filling = append(s.filling, span{line, line})
	}
	s.line = line
}

// publish sends rows and their note in one transaction. If the response is lost, the note shows whether the rows are there.
func (s *sentRows) publish(ctx context.Context, batches []*kafka.Batch, whole bool) error {
	n := s.about
	n.Whole, n.Lines = whole, make([][2]int, len(s.filling))
	for i, x := range s.filling {
		n.Lines[i] = [2]int{x.from, x.to}
	}
	value, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode the note of the import: %w", err)
	}
	key := s.id + ":" + strconv.FormatUint(s.random(), 36)
	const tries = 5
	for range tries {
		b := kafka.NewBatch(s.topic, 0)
		b.Append(s.now().UnixMilli(), []byte(key), value, nil)
		if err = s.txn.Publish(ctx, kafka.Transaction{Batches: append(slices.Clip(batches), b)}); err == nil {
			s.filling = s.filling[:0]
			return nil
		}
		if errors.Is(err, kafka.ErrFenced) {
			return fmt.Errorf("another import of the same file has taken over: %w", err)
		}
		if ctx.Err() != nil || !kafka.Retriable(err) {
			break
		}
		before, was := s.spans, s.whole
		if err = s.loadNotes(ctx); err != nil {
			break
		}
		s.spans, s.whole = before, was // counts go by the rows sent before this import began
		if s.notes[key] {
			s.filling = s.filling[:0]
			return nil
		}
	}
	return fmt.Errorf("%w; %s", err, resumeHint)
}
