package eventfile

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A workbook (XLSX) and a Parquet file are rewritten as CSV once, into a temporary file that has no name any more, and are then read as CSV:
// what holds for one holds for all, and their rows can be read several times without being decoded again. A row of a table is a line of the CSV, so line
// numbers are those of the table; those of Parquet count from the header.
//
// To read them row by row beside CSV and JSON was rejected: detection of times, order lines and checksums would each have a second way.

// rewritten returns the table in a file as CSV.
func (r *Reader) rewritten(rewrite func(to *csv.Writer) error) (io.Reader, error) {
	file, err := os.CreateTemp("", "mainstay-*.csv")
	if err != nil {
		return nil, fmt.Errorf("make a temporary file: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil { // it holds customers: nothing is left of it, however the process ends
		return nil, errors.Join(fmt.Errorf("unlink the temporary file: %w", err), file.Close())
	}
	r.table = file
	buffered := bufio.NewWriterSize(file, 1<<16)
	w := csv.NewWriter(buffered)
	if err := rewrite(w); err != nil {
		return nil, err
	}
	w.Flush()
	if err := errors.Join(w.Error(), buffered.Flush()); err != nil {
		return nil, fmt.Errorf("write the temporary file: %w", err)
	}
	return r.reopened()
}

// reopened returns the table from its beginning.
func (r *Reader) reopened() (io.Reader, error) {
	stat, err := r.table.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at the temporary file: %w", err)
	}
	return bufio.NewReaderSize(io.NewSectionReader(r.table, 0, stat.Size()), 1<<16), nil
}

// exact is a cell's text without what binary numbers do to it. A program that computes in binary writes 49.9 as 49.899999999999999: the decimal of 15
// digits or fewer that is the same number is meant. A spreadsheet keeps 15 digits of a number and writes 0 for all others, so a long whole number that ends
// so has most likely lost digits, unless isText reports that its cell is a text: it becomes one with an exponent, which no row takes for an id. Other texts,
// long ids among them, stay as they are.
func exact(text string, isText func() (bool, error)) (string, error) {
	const mostExact = 15 // digits
	//mutant:cell-as-binary insert return text, nil
	if len(text) <= mostExact || strings.Trim(text, "-.0123456789") != "" {
		return text, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil: // several points or signs
		return text, nil //nolint:nilerr // it is no number
	case strings.Contains(text, "."):
		if decimal := strconv.FormatFloat(v, 'f', -1, 64); len(strings.Trim(decimal, "-0.")) <= mostExact+1 {
			return decimal, nil
		}
		return text, nil
	case strings.Trim(text[mostExact:], "0") == "":
		if stands, err := isText(); stands || err != nil {
			return text, err
		}
		return strconv.FormatFloat(v, 'e', -1, 64), nil
	}
	return text, nil
}
