// Package export owns exports: all customers' figures, each ledger partition as of one offset, as CSV, NDJSON or Parquet, with a manifest
// that states the offsets. So an export is a function of the ledger, and package exportfile can verify it.
//
// It refuses to change anything, and to keep customers: it reads one partition at a time and writes row by row.
//
// Read export.go (what is written), manifest.go, formats.go (the table of formats), then changed.go (who has changed since an offset).
package export

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
)

// idColumn is the first column of every export: a row without it could not be verified.
const idColumn = "customer_id"

// Query says what is exported.
type Query struct {
	Format  *Format
	Columns []lookup.Column
	Where   []lookup.Condition
	// The conditions as they were given.
	Condition string
	// Since restricts the export to customers who have changed since these offsets, by partition; nil: all customers.
	Since    []int64
	Progress func(rows int64)
}

// ParseColumns returns columns by their names, customer_id first; of no names, all columns but those that name staff. attributes are the names of those that there are.
func ParseColumns(names, attributes []string) ([]lookup.Column, error) {
	if len(names) == 0 {
		//mutant:export-names-staff replace return lookup.Columns(attributes), nil
		return slices.DeleteFunc(lookup.Columns(attributes), func(c lookup.Column) bool { return c.Staff }), nil
	}
	columns, err := lookup.ColumnsNamed(names, attributes)
	if err != nil {
		return nil, err
	}
	columns = slices.DeleteFunc(columns, func(c lookup.Column) bool { return c.Name == idColumn })
	for i := range columns {
		if slices.ContainsFunc(columns[:i], func(c lookup.Column) bool { return c.Name == columns[i].Name }) {
			return nil, fmt.Errorf("%s is named twice", columns[i].Name)
		}
	}
	id, err := lookup.ColumnNamed(idColumn, nil)
	return slices.Insert(columns, 0, id), err
}

// ErrOffsets means that Since has offsets that the ledger cannot have.
var ErrOffsets = errors.New("wrong offsets")

// Source reads what an export needs.
type Source interface {
	// Snapshot reads a partition's customers. The error may be lookup.ErrNoState.
	Snapshot(ctx context.Context, partition int32) (*lookup.Snapshot, error)
	// Changed returns who has changed, as package export's Changed does.
	Changed(ctx context.Context, partition int32, from, to int64) (map[string]struct{}, error)
}

// Write writes an export of the ledger g and returns its manifest. After an error, what was written is no export.
func Write(ctx context.Context, from Source, g *ledger.Genesis, q *Query, to io.Writer) (*Manifest, error) {
	if q.Since != nil && len(q.Since) != int(g.GetPartitions()) {
		return nil, fmt.Errorf("%w: %d offsets, and the ledger has %d partitions: state one for each", ErrOffsets, len(q.Since), g.GetPartitions())
	}
	unit, err := UnitOf(g)
	if err != nil {
		return nil, err
	}
	m := newManifest(g, q, unit)
	hash := sha256.New()
	buffer := bufio.NewWriterSize(io.MultiWriter(to, hash), 1<<16)
	rows, err := q.Format.create(buffer, q.Columns, unit)
	if err != nil {
		return nil, err
	}
	for p := range g.GetPartitions() {
		if err := writePartition(ctx, from, q, p, m, rows); err != nil {
			return nil, err
		}
	}
	if err := rows.close(); err != nil {
		return nil, fmt.Errorf("write the end: %w", err)
	}
	if err := buffer.Flush(); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	m.SHA256 = hex.EncodeToString(hash.Sum(nil))
	return m, nil
}

// UnitOf is the unit of a ledger's amounts.
func UnitOf(g *ledger.Genesis) (money.Unit, error) {
	table, err := money.NewTable(nil)
	if err != nil {
		return money.Unit{}, fmt.Errorf("currencies: %w", err)
	}
	unit, known := table.Lookup([]byte(g.GetCurrency()))
	if !known {
		return unit, fmt.Errorf("the ledger's currency is %q, which this release does not know", g.GetCurrency())
	}
	return unit, nil
}

func writePartition(ctx context.Context, from Source, q *Query, partition int32, m *Manifest, rows rowWriter) error {
	s, err := from.Snapshot(ctx, partition)
	if err != nil {
		return err
	}
	changed := func(string) bool { return true }
	if q.Since != nil {
		since := q.Since[partition]
		if since < 0 || since > s.Offset {
			return fmt.Errorf("%w: partition %d: offset %d is not within what is committed, 0 to %d: take the offsets of an earlier export of this ledger", ErrOffsets, partition, since, s.Offset)
		}
		ids, err := from.Changed(ctx, partition, since, s.Offset)
		if err != nil {
			return fmt.Errorf("partition %d: %w", partition, err)
		}
		changed = func(id string) bool { _, is := ids[id]; return is }
	}
	count := int64(0)
	err = eachBlock(ctx, s, func(first, end int) ([][]string, error) { return q.texts(s, first, end, changed) }, func(texts [][]string) error {
		for _, row := range texts {
			if err := rows.write(row); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			count++
		}
		if q.Progress != nil {
			q.Progress(m.Rows + count)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.addPartition(s.Partition, s.Offset, count)
	return nil
}

// Row returns a customer's figures, one for each column, empty where it is not known; nil if the conditions do not hold, and for a customer
// who was merged into another.
func (q *Query) Row(p *processors.Partition, id string, c *customer.State) []string {
	if c.MergedInto() != "" {
		return nil
	}
	l := lookup.NewListed(p, id, c)
	if !lookup.AllAccept(q.Where, &l) {
		return nil
	}
	row := make([]string, len(q.Columns))
	for i := range q.Columns {
		row[i] = q.Columns[i].Text(&l)
	}
	return row
}

// texts returns the rows of some customers.
func (q *Query) texts(s *lookup.Snapshot, first, end int, changed func(id string) bool) ([][]string, error) {
	rows := make([][]string, 0, end-first)
	for i := first; i < end; i++ {
		id, c, err := s.At(i)
		if err != nil {
			return nil, err
		}
		//mutant:since-forgets if false
		if !changed(id) {
			continue
		}
		if row := q.Row(s.Partition, id, c); row != nil {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// block is the number of customers that are scored before their rows are written.
const block = 1024

// eachBlock scores customers block by block, in order, while the rows of the block before are written: two processors share the work. More
// cannot, since a partition's predictor remembers what it has computed last.
func eachBlock(ctx context.Context, s *lookup.Snapshot, score func(first, end int) ([][]string, error), each func([][]string) error) error {
	type result struct {
		rows [][]string
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	scored := make(chan result)
	go func() {
		defer close(scored)
		for first := 0; first < s.Len; first += block {
			rows, err := score(first, min(first+block, s.Len))
			select {
			case scored <- result{rows, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	defer func() {
		cancel()
		for range scored { // until nobody uses the partition any more
			continue
		}
	}()
	for r := range scored {
		if r.err != nil {
			return r.err
		}
		if err := each(r.rows); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
