package eventfile

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// headBytes is the length of the beginning of the content by which its syntax is found.
const headBytes = 1 << 16

// measure reads the whole content for its checksum and length, and returns its beginning.
func (r *Reader) measure() (head []byte, err error) {
	content, err := r.content()
	if err != nil {
		return nil, err
	}
	buffered := bufio.NewReaderSize(content, headBytes)
	head, err = buffered.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	}
	head = bytes.Clone(head)
	sum := sha256.New()
	if r.length, err = io.Copy(sum, buffered); err != nil {
		return nil, fmt.Errorf("event file: read %s: %w", r.path, err)
	}
	r.sum = hex.EncodeToString(sum.Sum(nil))
	return head, nil
}

// content opens the file at its beginning, decompressed, as UTF-8, and a table as CSV.
func (r *Reader) content() (io.Reader, error) {
	if r.table != nil {
		return r.reopened()
	}
	if err := r.Close(); err != nil {
		return nil, err
	}
	file, err := os.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("event file: %w", err)
	}
	r.files = append(r.files, file)
	if stat, err := file.Stat(); err == nil {
		r.onDisk = stat.Size()
	}
	r.raw = &counting{in: file}
	plain, err := r.decompressed(file, bufio.NewReaderSize(r.raw, 1<<16))
	if err != nil {
		return nil, fmt.Errorf("event file: unpack %s: %w", r.path, err)
	}
	buffered := bufio.NewReaderSize(plain, 1<<16)
	if mark, _ := buffered.Peek(2); string(mark) == "\xff\xfe" || string(mark) == "\xfe\xff" { // reading reports the error
		return transform.NewReader(buffered, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()), nil
	}
	return buffered, nil
}

// decompressed finds the compression by the first bytes. buffered reads the file from its beginning.
func (r *Reader) decompressed(file *os.File, buffered *bufio.Reader) (io.Reader, error) {
	magic, _ := buffered.Peek(4) // reading reports the error
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		return gzip.NewReader(buffered) //nolint:wrapcheck // content wraps it
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unpacked, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err //nolint:wrapcheck // content wraps it
		}
		r.files = append(r.files, unpacked.IOReadCloser())
		return unpacked, nil
	case bytes.Equal(magic, []byte("PK\x03\x04")):
		return r.unzipped(file)
	case bytes.Equal(magic, []byte("PAR1")):
		return r.rewritten(func(to *csv.Writer) error { return r.rewriteParquet(file, to) })
	default:
		return buffered, nil
	}
}

// unzipped opens the one file of an archive, or a workbook, which is an archive too.
func (r *Reader) unzipped(file *os.File) (io.Reader, error) {
	archive, err := zip.NewReader(file, r.onDisk)
	if err != nil {
		return nil, err //nolint:wrapcheck // content wraps it
	}
	if slices.ContainsFunc(archive.File, func(f *zip.File) bool { return f.Name == "[Content_Types].xml" }) {
		return r.rewritten(func(to *csv.Writer) error { return r.rewriteWorkbook(archive, to) })
	}
	var found *zip.File
	for _, f := range archive.File {
		switch {
		case f.FileInfo().IsDir(), strings.HasPrefix(f.Name, "__MACOSX/"), strings.HasPrefix(path.Base(f.Name), "."):
		case found != nil:
			return nil, fmt.Errorf("the archive has several files, %q and %q among them: give one file at a time", found.Name, f.Name)
		default:
			found = f
		}
	}
	if found == nil {
		return nil, errors.New("the archive has no file")
	}
	r.raw.n = r.onDisk // progress counts the content
	content, err := found.Open()
	if err != nil {
		return nil, err //nolint:wrapcheck // content wraps it
	}
	r.files = append(r.files, content)
	return content, nil
}

// Close closes the file.
func (r *Reader) Close() error {
	var failed error
	for _, file := range slices.Backward(r.files) {
		failed = errors.Join(failed, file.Close())
	}
	r.files = nil
	if r.table != nil {
		failed, r.table = errors.Join(failed, r.table.Close()), nil
	}
	if failed != nil {
		return fmt.Errorf("event file: %w", failed)
	}
	return nil
}

// counting counts the bytes that are read through it.
type counting struct {
	in io.Reader
	n  int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err //nolint:wrapcheck // a Reader passes errors on as they are
}

// lineFeeds replaces the line breaks of a file that has carriage returns alone.
type lineFeeds struct{ in io.Reader }

func (l lineFeeds) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	for i, c := range p[:n] {
		if c == '\r' {
			p[i] = '\n'
		}
	}
	return n, err //nolint:wrapcheck // a Reader passes errors on as they are
}
