package export

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/money"
)

// Format is a form of exports.
type Format struct {
	Name      string // also the ending of files
	MediaType string
	create    func(io.Writer, []lookup.Column, money.Unit) (rowWriter, error)
	open      func(*os.File, []lookup.Column, money.Unit) (Rows, error)
	// cell is what is read back of a figure; nil: what was written.
	cell func(c *lookup.Column, text string) string
}

// rowWriter writes rows, each with a text for each column.
type rowWriter interface {
	write(row []string) error
	close() error
}

// Rows reads the rows of an export.
type Rows interface {
	// Next returns the next row, a text for each column as Cell states it; io.EOF at the end. It is valid until the next call.
	Next() ([]string, error)
}

// Formats are all formats.
func Formats() []Format {
	return []Format{
		{Name: "csv", MediaType: "text/csv; charset=utf-8; header=present", create: createCSV, open: openCSV, cell: csvCell},
		{Name: "ndjson", MediaType: "application/x-ndjson", create: createNDJSON, open: openNDJSON},
		{Name: "parquet", MediaType: "application/vnd.apache.parquet", create: createParquet, open: openParquet},
	}
}

// FormatNames are the names of all formats.
func FormatNames() (names []string) {
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return names
}

// FormatNamed returns a format. The error names all of them.
func FormatNamed(name string) (*Format, error) {
	for _, f := range Formats() {
		if f.Name == name {
			return &f, nil
		}
	}
	return nil, fmt.Errorf("no format is named %q: the formats are %s", name, strings.Join(FormatNames(), ", "))
}

// Open reads a file of the format.
func (f *Format) Open(file *os.File, columns []lookup.Column, unit money.Unit) (Rows, error) {
	return f.open(file, columns, unit)
}

// Cell is what Rows returns of a figure.
func (f *Format) Cell(c *lookup.Column, text string) string {
	if f.cell == nil {
		return text
	}
	return f.cell(c, text)
}
