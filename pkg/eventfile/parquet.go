package eventfile

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// rewriteParquet writes a Parquet file as CSV. The column b of a group a is a.b; what is null is empty.
func (r *Reader) rewriteParquet(file *os.File, to *csv.Writer) (failed error) {
	defer func() {
		if cause := recover(); cause != nil { // the library panics at some contradictions in a file
			failed = fmt.Errorf("read the Parquet file: it is damaged: %v", cause)
		}
	}()
	in, err := parquet.OpenFile(file, r.onDisk)
	if err != nil {
		return fmt.Errorf("read the Parquet file: %w", err)
	}
	var names []string
	var texts []func(parquet.Value) string
	for _, path := range in.Schema().Columns() {
		column, _ := in.Schema().Lookup(path...)
		name := strings.Join(path, ".")
		if column.MaxRepetitionLevel > 0 {
			return fmt.Errorf("column %s holds lists: give a file with a row for each order, or for each line of an order", name)
		}
		names, texts = append(names, name), append(texts, textOf(column.Node.Type()))
	}
	if err := to.Write(names); err != nil {
		return err //nolint:wrapcheck // rewritten reports it
	}
	rows := parquet.MultiRowGroup(in.RowGroups()...).Rows()
	line, some := make([]string, len(names)), make([]parquet.Row, 64)
	for {
		n, err := rows.ReadRows(some)
		for _, row := range some[:n] {
			clear(line)
			for _, v := range row {
				if !v.IsNull() {
					line[v.Column()] = texts[v.Column()](v)
				}
			}
			if err := to.Write(line); err != nil {
				return errors.Join(err, rows.Close())
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return rows.Close() //nolint:wrapcheck // it was read to its end
		case err != nil:
			return errors.Join(fmt.Errorf("read the Parquet file: %w", err), rows.Close())
		}
	}
}

// textOf returns how values of a column are written: as the format's specification (Apache Parquet, LogicalTypes) defines them, exactly. The types
// of writers from before there were logical types have become such types when the file was opened.
func textOf(t parquet.Type) func(parquet.Value) string {
	if l := t.LogicalType(); l != nil {
		switch l := l.Value.(type) {
		case *format.DecimalType:
			return func(v parquet.Value) string { return decimal(unscaled(v), int(l.Scale)) }
		case *format.DateType:
			return day
		case *format.TimestampType:
			return instants(l.Unit.Value.Duration(), l.IsAdjustedToUTC)
		case *format.UUIDType:
			return func(v parquet.Value) string {
				b := hex.EncodeToString(v.ByteArray())
				return strings.Join([]string{b[:8], b[8:12], b[12:16], b[16:20], b[20:]}, "-")
			}
		case *format.IntType:
			if !l.IsSigned {
				return func(v parquet.Value) string {
					if v.Kind() == parquet.Int32 {
						return strconv.FormatUint(uint64(v.Uint32()), 10)
					}
					return strconv.FormatUint(v.Uint64(), 10)
				}
			}
		default:
		}
	}
	return plainText
}

func day(v parquet.Value) string {
	const seconds = 86_400
	return time.Unix(int64(v.Int32())*seconds, 0).UTC().Format(time.DateOnly)
}

// instants writes numbers of units since 1970: of UTC, or civil ones, which belong to the shop's zone.
func instants(unit time.Duration, utc bool) func(parquet.Value) string {
	layout := "2006-01-02T15:04:05.999999999"
	if utc {
		layout += "Z"
	}
	return func(v parquet.Value) string {
		perSecond := int64(time.Second / unit)
		whole := v.Int64() / perSecond
		return time.Unix(whole, (v.Int64()-whole*perSecond)*int64(unit)).UTC().Format(layout)
	}
}

// unscaled is the integer of a decimal.
func unscaled(v parquet.Value) *big.Int {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32()))
	case parquet.Int64:
		return big.NewInt(v.Int64())
	default:
	}
	bytes := v.ByteArray() // two's complement, the most significant byte first
	n := new(big.Int).SetBytes(bytes)
	if len(bytes) > 0 && bytes[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(bytes))))
	}
	return n
}

func decimal(n *big.Int, scale int) string {
	digits, sign := new(big.Int).Abs(n).String(), ""
	if n.Sign() < 0 {
		sign = "-"
	}
	if scale <= 0 {
		return sign + digits + strings.Repeat("0", -scale)
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// plainText writes a value of a type that says no more than how it is stored.
func plainText(v parquet.Value) string {
	const mostWhole = 1e15 // above it, a float64 does not tell whole numbers apart for sure
	switch v.Kind() {
	case parquet.Boolean:
		return strconv.FormatBool(v.Boolean())
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Int96: // times of older Spark and Impala: nanoseconds of the day, and the Julian day
		i := v.Int96()
		const julianOf1970 = 2_440_588
		nanoseconds := int64(i[1])<<32 | int64(i[0])
		return time.Unix((int64(i[2])-julianOf1970)*86_400, nanoseconds).UTC().Format(time.RFC3339Nano)
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'f', -1, 32)
	case parquet.Double:
		if math.Abs(v.Double()) >= mostWhole {
			return strconv.FormatFloat(v.Double(), 'e', -1, 64) // no row takes it for an id
		}
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	default:
		return string(v.ByteArray())
	}
}
