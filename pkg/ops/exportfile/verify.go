package exportfile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/export"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Result counts what was compared and what differed.
type Result struct {
	Entries     int64     `json:"entries"`      // folded
	Rows        int64     `json:"rows"`         // compared
	HashDiffers bool      `json:"hash_differs"` // the file is not the one that was written
	Differing   int64     `json:"differing"`    // figures
	Missing     int64     `json:"missing"`      // customers without a row
	Unexpected  int64     `json:"unexpected"`   // rows that no customer has, or that are there twice, or cannot be read
	Findings    []Finding `json:"findings"`     // the first of them
}

// Clean reports whether the file is what the ledger gives.
func (r *Result) Clean() bool {
	return !r.HashDiffers && r.Differing == 0 && r.Missing == 0 && r.Unexpected == 0
}

// Kind is a kind of difference, by the count in Result that it adds to.
type Kind string

// The kinds of differences.
const (
	Differing  Kind = "differing"
	Missing    Kind = "missing"
	Unexpected Kind = "unexpected"
)

// Finding is one difference.
type Finding struct {
	Kind      Kind   `json:"what"`
	Partition int    `json:"partition"`
	Row       int64  `json:"row"`      // from 1, without a header; 0: there is none
	Customer  string `json:"customer"` // as Config.Name names them; empty: not known
	Column    string `json:"column"`   // empty: the whole row
	Detail    string `json:"text"`
}

// maxFindings is how many findings are kept; all are counted.
const maxFindings = 20

func (r *Result) add(f Finding) {
	switch f.Kind {
	case Differing:
		r.Differing++
	case Missing:
		r.Missing++
	case Unexpected:
		r.Unexpected++
	}
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Config parameterises Verify.
type Config struct {
	Namespace  string
	Attributes []string // names of the setting, which an export may have
	Genesis    *ledger.Genesis
	Name       func(id string) string // what findings call a customer
	Progress   func(partition int, folded, end int64)
}

// Verify compares a file with what the ledger gives at the offsets of its manifest: the hash first, then every figure of every row. An
// error says that it cannot be compared.
func Verify(ctx context.Context, cfg Config, k *kafka.Client, path string) (*Result, error) {
	m, err := ReadManifest(path)
	if err != nil {
		return nil, err
	}
	q, err := m.Query(cfg.Attributes)
	if err != nil {
		return nil, err
	}
	switch {
	case m.LedgerID != cfg.Genesis.GetLedgerId():
		return nil, fmt.Errorf("the export is of ledger %s, and kafka.brokers has ledger %s: connect to the Kafka that it came from", m.LedgerID, cfg.Genesis.GetLedgerId())
	case len(m.Offsets) != int(cfg.Genesis.GetPartitions()):
		return nil, fmt.Errorf("the manifest states %d offsets, and the ledger has %d partitions", len(m.Offsets), cfg.Genesis.GetPartitions())
	case m.Logic != processors.LogicVersion:
		return nil, fmt.Errorf("the export was made by logic %d, and this release has logic %d: verify it with the release that made it", m.Logic, processors.LogicVersion)
	}
	unit, err := export.UnitOf(cfg.Genesis)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	v := &verifier{cfg: cfg, kafka: k, manifest: m, query: q, result: &Result{Findings: []Finding{}}}
	if err := v.compareHash(file); err != nil {
		return nil, err
	}
	if err := v.open(file, unit); err != nil {
		return nil, err
	}
	for p := range m.Offsets {
		if err := v.comparePartition(ctx, p); err != nil {
			return nil, fmt.Errorf("partition %d: %w", p, err)
		}
	}
	v.compareEnd()
	return v.result, nil
}

type verifier struct {
	cfg      Config
	kafka    *kafka.Client
	manifest *export.Manifest
	query    *export.Query
	result   *Result
	rows     export.Rows // nil: no more can be read
	row      int64       // the number of the last one
}

func (v *verifier) compareHash(file *os.File) error {
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	//mutant:hash-trusted insert defer func() { v.result.HashDiffers = false }()
	v.result.HashDiffers = hex.EncodeToString(hash.Sum(nil)) != v.manifest.SHA256
	return nil
}

// open begins to read rows. A file that cannot be read has no row, which is a finding.
func (v *verifier) open(file *os.File, unit money.Unit) error {
	rows, err := v.query.Format.Open(file, v.query.Columns, unit)
	var place *os.PathError
	switch {
	case errors.As(err, &place):
		return fmt.Errorf("read the export: %w", err)
	case err != nil:
		v.unexpected(0, "", "the file cannot be read: "+err.Error())
		return nil //nolint:nilerr // it is a finding
	}
	v.rows = rows
	return nil
}

func (v *verifier) unexpected(partition int, name, detail string) {
	v.result.add(Finding{Kind: Unexpected, Partition: partition, Row: v.row, Customer: name, Detail: detail})
}

// next returns the next row, nil if there is none or it cannot be read.
func (v *verifier) next(partition int) []string {
	if v.rows == nil {
		return nil
	}
	row, err := v.rows.Next()
	if err == nil {
		v.row++
		return row
	}
	v.rows = nil
	if !errors.Is(err, io.EOF) {
		v.row++
		v.unexpected(partition, "", "the row cannot be read, nor those after it: "+err.Error())
	}
	return nil
}

func (v *verifier) comparePartition(ctx context.Context, number int) error {
	f, err := v.fold(ctx, number)
	if err != nil {
		return err
	}
	expected := map[string]string{} // the id of each customer who has a row, by its cell
	f.customers.Each(func(id string, s *customer.State) {
		if _, changed := f.changed[id]; v.query.Since != nil && !changed {
			return
		}
		if v.query.Row(f.state, id, s) != nil {
			expected[v.query.Format.Cell(&v.query.Columns[0], id)] = id
		}
	})
	for range v.manifest.RowsOf[number] {
		row := v.next(number)
		if row == nil {
			break
		}
		v.result.Rows++
		id, found := expected[row[0]]
		if !found {
			v.unexpected(number, v.cfg.Name(row[0]), "the ledger gives no such row in this partition, or it is there already")
			continue
		}
		delete(expected, row[0])
		s, err := f.customers.Customer(id)
		if err != nil {
			return fmt.Errorf("read a customer: %w", err)
		}
		v.compareRow(number, id, row, v.query.Row(f.state, id, s))
	}
	ids := make([]string, 0, len(expected))
	//mutant:row-left-out-unnoticed insert clear(expected)
	for _, id := range expected {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		v.result.add(Finding{Kind: Missing, Partition: number, Customer: v.cfg.Name(id), Detail: "the customer has no row"})
	}
	return nil
}

func (v *verifier) compareRow(number int, id string, row, want []string) {
	for i := range want {
		c := &v.query.Columns[i]
		//mutant:digit-unnoticed if len(row[i]) != len(v.query.Format.Cell(c, want[i]))
		if row[i] != v.query.Format.Cell(c, want[i]) {
			v.result.add(Finding{Kind: Differing, Partition: number, Row: v.row, Customer: v.cfg.Name(id), Column: c.Name, Detail: "the ledger gives another figure"})
		}
	}
}

// compareEnd looks for rows behind those of the last partition.
func (v *verifier) compareEnd() {
	last := len(v.manifest.Offsets) - 1
	for row := v.next(last); row != nil; row = v.next(last) {
		v.unexpected(last, v.cfg.Name(row[0]), "the manifest counts fewer rows")
	}
}

// folded is a partition as the ledger gives it at an offset.
type folded struct {
	state     *processors.Partition
	customers *memstore.MemStore
	changed   map[string]struct{} // customers for whom an entry from Since on has an answer or an alert
}

func (v *verifier) fold(ctx context.Context, number int) (*folded, error) {
	partition, topic, to := int32(number), ledger.Topic(v.cfg.Namespace), v.manifest.Offsets[number] //nolint:gosec // the number of offsets was compared
	bounds, err := v.kafka.ListOffsets(ctx, topic, []int32{partition})
	switch end := bounds[partition].LastStable; {
	case err != nil:
		return nil, fmt.Errorf("read the bounds: %w", err)
	case to < 0 || to > end:
		return nil, fmt.Errorf("the manifest states offset %d, and the ledger can be read up to %d: it is the manifest of another time, or the ledger has lost entries", to, end)
	}
	since := to
	if v.query.Since != nil {
		since = v.query.Since[number]
	}
	f := &folded{processors.NewPartition(partition), memstore.New(), map[string]struct{}{}}
	var entry ledger.Entry
	var out output.Batch
	next, err := v.kafka.ReadCommitted(ctx, topic, partition, 0, to, func(r kafka.Record) error {
		entry.Reset()
		if err := entry.UnmarshalVT(r.Value); err != nil {
			return fmt.Errorf("decode entry %d: %w", r.Offset, err)
		}
		if r.Offset >= since && entry.GetKind() == ledger.Kind_KIND_LOGIC {
			return fmt.Errorf("another release has published the outputs before entry %d, so who has changed since offset %d cannot be verified: export all customers", r.Offset, since)
		}
		out.Reset()
		if _, err := processors.Step(f.state, r.Offset, &entry, f.customers, &out); err != nil {
			return fmt.Errorf("fold entry %d: %w", r.Offset, err)
		}
		for i := range out.Records {
			if rec := &out.Records[i]; r.Offset >= since && slices.Contains(output.AnswerTopics(), rec.Topic) {
				f.changed[strings.Clone(rec.Key)] = struct{}{}
			}
		}
		v.result.Entries++
		const often = 10_000
		if v.cfg.Progress != nil && v.result.Entries%often == 0 {
			v.cfg.Progress(number, r.Offset, to)
		}
		return nil
	})
	if err == nil && next < to {
		err = fmt.Errorf("it can be read up to %d only: entries are gone, or a transaction is open", next)
	}
	if err != nil {
		return nil, fmt.Errorf("fold the ledger: %w", err)
	}
	return f, nil
}
