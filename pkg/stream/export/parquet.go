package export

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Amounts are DECIMAL(18, the currency's decimals), so that sums are exact; other figures with decimals are DOUBLE, which is what libraries
// for statistics compute with, counts INT64, times TIMESTAMP in ms of UTC.
const (
	decimalDigits = 18 // the most that INT64 has room for
	mostDecimal   = 1e18
	rowGroup      = 32 << 10 // rows; it bounds the memory of reader and writer
)

// parquetColumn is how a column is written.
type parquetColumn struct {
	name   string
	from   int // place among the columns of the export; Parquet orders them by name
	node   parquet.Node
	encode func(text string) (parquet.Value, error)
	decode func(parquet.Value) string // of a figure that is known
}

func parquetColumns(columns []lookup.Column, unit money.Unit) []parquetColumn {
	all := make([]parquetColumn, len(columns))
	for i := range columns {
		all[i] = parquetColumnOf(&columns[i], unit)
		all[i].name, all[i].from = columns[i].Name, i
		if all[i].name != idColumn {
			all[i].node = parquet.Optional(all[i].node)
		}
	}
	slices.SortFunc(all, func(a, b parquetColumn) int { return strings.Compare(a.name, b.name) })
	return all
}

func parquetColumnOf(c *lookup.Column, unit money.Unit) (p parquetColumn) {
	switch {
	case c.Kind() == lookup.Amount:
		p.node = parquet.Decimal(unit.Decimals, decimalDigits, parquet.Int64Type)
		p.encode = func(text string) (parquet.Value, error) {
			minor, err := minorOf(text, unit.Decimals)
			return parquet.Int64Value(minor), err
		}
		p.decode = func(v parquet.Value) string { return string(unit.Append(nil, v.Int64())) }
	case c.Kind() == lookup.Number && c.Decimals() == 0:
		p.node = parquet.Int(64)
		p.encode = func(text string) (parquet.Value, error) {
			n, err := strconv.ParseInt(text, 10, 64)
			return parquet.Int64Value(n), err //nolint:wrapcheck // the caller names the column
		}
		p.decode = func(v parquet.Value) string { return strconv.FormatInt(v.Int64(), 10) }
	case c.Kind() == lookup.Number:
		p.node = parquet.Leaf(parquet.DoubleType)
		p.encode = func(text string) (parquet.Value, error) {
			f, err := strconv.ParseFloat(text, 64)
			return parquet.DoubleValue(f), err //nolint:wrapcheck // likewise
		}
		p.decode = func(v parquet.Value) string { return decimalOf(v.Double(), c.Decimals()) }
	case c.Kind() == lookup.Moment:
		p.node = parquet.Timestamp(parquet.Millisecond)
		p.encode = func(text string) (parquet.Value, error) {
			at, err := time.Parse(time.RFC3339, text)
			return parquet.Int64Value(at.UnixMilli()), err //nolint:wrapcheck // likewise
		}
		p.decode = func(v parquet.Value) string { return string(timestamp.Append(nil, v.Int64())) }
	case c.Kind() == lookup.Flag:
		p.node = parquet.Leaf(parquet.BooleanType)
		p.encode = func(text string) (parquet.Value, error) { return parquet.BooleanValue(text == "true"), nil }
		p.decode = func(v parquet.Value) string { return strconv.FormatBool(v.Boolean()) }
	default:
		p.node = parquet.String()
		p.encode = func(text string) (parquet.Value, error) { return parquet.ByteArrayValue([]byte(text)), nil }
		p.decode = func(v parquet.Value) string { return string(v.ByteArray()) }
	}
	return p
}

// minorOf returns an amount in minor units.
func minorOf(text string, decimals int) (int64, error) {
	whole, fraction, _ := strings.Cut(text, ".")
	minor, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", decimals-len(fraction)), 10, 64)
	if err == nil && (minor >= mostDecimal || minor <= -mostDecimal) {
		err = fmt.Errorf("an amount has more than %d digits: export csv or ndjson", decimalDigits)
	}
	return minor, err //nolint:wrapcheck // the caller names the column
}

// decimalOf writes a number with its decimals, or with more if it has more.
func decimalOf(f float64, decimals int) string {
	text := strconv.FormatFloat(f, 'f', decimals, 64)
	//mutant:binary-digit-unnoticed if false && ($)
	if exact, err := strconv.ParseFloat(text, 64); err != nil || exact != f {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return text
}

func parquetSchema(columns []parquetColumn) *parquet.Schema {
	group := parquet.Group{}
	for _, c := range columns {
		group[c.name] = c.node
	}
	return parquet.NewSchema("customers", group)
}

type parquetWriter struct {
	to      *parquet.GenericWriter[any]
	columns []parquetColumn
	row     parquet.Row
}

func createParquet(to io.Writer, columns []lookup.Column, unit money.Unit) (rowWriter, error) {
	all := parquetColumns(columns, unit)
	return &parquetWriter{
		to:      parquet.NewGenericWriter[any](to, parquetSchema(all), parquet.Compression(&parquet.Snappy), parquet.MaxRowsPerRowGroup(rowGroup)),
		columns: all,
	}, nil
}

func (w *parquetWriter) write(row []string) error {
	w.row = w.row[:0]
	for i := range w.columns {
		c := &w.columns[i]
		text := row[c.from]
		switch {
		case c.name == idColumn:
			w.row = append(w.row, parquet.ByteArrayValue([]byte(text)).Level(0, 0, i))
		case text == "":
			w.row = append(w.row, parquet.NullValue().Level(0, 0, i))
		default:
			value, err := c.encode(text)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			w.row = append(w.row, value.Level(0, 1, i))
		}
	}
	_, err := w.to.WriteRows([]parquet.Row{w.row})
	return err //nolint:wrapcheck // Write wraps it
}

func (w *parquetWriter) close() error { return w.to.Close() } //nolint:wrapcheck // likewise

type parquetRows struct {
	groups  []parquet.RowGroup // that are to be read
	from    parquet.Rows       // of the group that is read; nil: of none
	columns []parquetColumn
	rows    []parquet.Row
	row     []string
}

func openParquet(file *os.File, columns []lookup.Column, unit money.Unit) (Rows, error) {
	stat, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	opened, err := parquet.OpenFile(file, stat.Size())
	if err != nil {
		return nil, fmt.Errorf("it is no Parquet file: %w", err)
	}
	all := parquetColumns(columns, unit)
	if wanted := parquetSchema(all); opened.Schema().String() != wanted.String() {
		return nil, fmt.Errorf("its schema is not that of the manifest's columns")
	}
	return &parquetRows{opened.RowGroups(), nil, all, make([]parquet.Row, 1), make([]string, len(columns))}, nil
}

// Next implements Rows.
func (r *parquetRows) Next() ([]string, error) {
	if err := r.read(); err != nil {
		return nil, err
	}
	if len(r.rows[0]) != len(r.columns) {
		return nil, fmt.Errorf("a row has %d values, and the manifest names %d columns", len(r.rows[0]), len(r.columns))
	}
	for i, value := range r.rows[0] {
		c := &r.columns[i]
		if r.row[c.from] = ""; !value.IsNull() {
			r.row[c.from] = c.decode(value)
		}
	}
	return r.row, nil
}

// read reads the next row of all groups.
func (r *parquetRows) read() error {
	for {
		if r.from == nil {
			if len(r.groups) == 0 {
				return io.EOF
			}
			r.from, r.groups = r.groups[0].Rows(), r.groups[1:]
		}
		n, err := r.from.ReadRows(r.rows)
		switch {
		case n == 1:
			return nil
		case !errors.Is(err, io.EOF):
			return fmt.Errorf("read a row: %w", err)
		}
		if err := r.from.Close(); err != nil {
			return fmt.Errorf("read a row: %w", err)
		}
		r.from = nil
	}
}
