package eventfile

import (
	"archive/zip"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xuri/excelize/v2"
)

// rewriteWorkbook writes a sheet of a workbook as CSV: as the workbook stores the cells, not as it shows them, since a format can hide digits. So times are
// Excel serials.
func (r *Reader) rewriteWorkbook(archive *zip.Reader, to *csv.Writer) (failed error) {
	if err := wellFormed(archive); err != nil {
		return err
	}
	const unpackedInMemory = 16 << 20 // bytes of a sheet; a larger one is unpacked to disk, which a process that is killed leaves there
	workbook, err := excelize.OpenFile(r.path, excelize.Options{RawCellValue: true, UnzipXMLSizeLimit: unpackedInMemory, UnzipSizeLimit: mostUnpacked})
	if err != nil {
		return fmt.Errorf("read the workbook: %w", err)
	}
	defer func() { failed = errors.Join(failed, workbook.Close()) }()
	if properties, err := workbook.GetWorkbookProps(); err == nil && properties.Date1904 != nil && *properties.Date1904 {
		return errors.New("the workbook counts days from 1904: save the sheet as CSV in UTF-8")
	}
	sheet, err := r.sheetOf(workbook)
	if err != nil {
		return err
	}
	width := 0
	if err := eachRow(workbook, sheet, func(_ int, cells []string) error {
		width = max(width, len(cells))
		return nil
	}); err != nil {
		return err
	}
	line := make([]string, width)
	return eachRow(workbook, sheet, func(number int, cells []string) (err error) {
		if len(cells) == 0 {
			return to.Write(nil) //nolint:wrapcheck // rewritten reports it
		}
		clear(line)
		for i, text := range cells {
			// The library reads the whole sheet into memory to answer, so it is asked of few cells.
			if line[i], err = exact(text, func() (bool, error) { return isText(workbook, sheet, i+1, number) }); err != nil {
				return err
			}
		}
		return to.Write(line) //nolint:wrapcheck // rewritten reports it
	})
}

// isText reports whether a cell is stored as a text, and not as a number.
func isText(workbook *excelize.File, sheet string, column, row int) (bool, error) {
	name, err := excelize.CoordinatesToCellName(column, row)
	if err != nil {
		return false, fmt.Errorf("name a cell: %w", err)
	}
	stored, err := workbook.GetCellType(sheet, name)
	if err != nil {
		return false, fmt.Errorf("read cell %s of sheet %q: %w", name, sheet, err)
	}
	return stored == excelize.CellTypeSharedString || stored == excelize.CellTypeInlineString, nil
}

// wellFormed checks the XML of all sheets: the library takes the first error in a sheet for its end, and what follows would be lost unnoticed.
func wellFormed(archive *zip.Reader) error {
	for _, part := range archive.File {
		if !strings.HasPrefix(part.Name, "xl/worksheets/") || !strings.HasSuffix(part.Name, ".xml") {
			continue
		}
		content, err := part.Open()
		if err != nil {
			return fmt.Errorf("read the workbook: %w", err)
		}
		//mutant:broken-sheet-ends insert continue
		for tokens := xml.NewDecoder(io.LimitReader(content, mostUnpacked)); err == nil; {
			_, err = tokens.Token()
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if err = errors.Join(err, content.Close()); err != nil {
			return fmt.Errorf("the workbook is damaged: %s: %w", part.Name, err)
		}
	}
	return nil
}

// mostUnpacked bounds what a workbook unpacks to, bytes.
const mostUnpacked = 4 << 30

// sheetOf returns the sheet that the mapping names, or the only one.
func (r *Reader) sheetOf(workbook *excelize.File) (string, error) {
	all := workbook.GetSheetList()
	switch wanted := r.mapping.Sheet; {
	case wanted == "" && len(all) == 1:
		return all[0], nil
	case wanted == "":
		return "", fmt.Errorf("the workbook has the sheets %s: name one with --sheet", strings.Join(all, ", "))
	case slices.Contains(all, wanted):
		return wanted, nil
	default:
		return "", fmt.Errorf("the workbook has no sheet %q; it has %s", wanted, strings.Join(all, ", "))
	}
}

func eachRow(workbook *excelize.File, sheet string, do func(number int, cells []string) error) (failed error) {
	rows, err := workbook.Rows(sheet)
	if err != nil {
		return fmt.Errorf("read sheet %q: %w", sheet, err)
	}
	defer func() { failed = errors.Join(failed, rows.Close()) }()
	number := 0
	for rows.Next() {
		number++
		cells, err := rows.Columns()
		if err != nil {
			return fmt.Errorf("read sheet %q, row %d: %w", sheet, number, err)
		}
		if err := do(number, cells); err != nil {
			return err
		}
	}
	if err := rows.Error(); err != nil {
		return fmt.Errorf("read sheet %q, row %d: %w", sheet, number, err)
	}
	return nil
}
