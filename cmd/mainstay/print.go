package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"
)

// json prints a value, indented.
func (p *program) json(v any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// table prints rows with their columns aligned; every row has as many cells as the header.
func (p *program) table(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printf writes to the output.
func (p *program) printf(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printErr writes to the error output. A failure to write there cannot be reported anywhere.
func (p *program) printErr(format string, args ...any) { _, _ = fmt.Fprintf(p.err, format, args...) }

// bar is a progress bar on the error output. It draws nothing unless that is a terminal.
func (p *program) bar(what string, bytes bool) *progressbar.ProgressBar {
	to := p.err
	if !p.errTerminal {
		to = io.Discard
	}
	return progressbar.NewOptions64(-1,
		progressbar.OptionSetWriter(to), progressbar.OptionSetDescription(what), progressbar.OptionSetVisibility(p.errTerminal),
		progressbar.OptionShowBytes(bytes), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
}

// setProgress moves a bar to done of total.
func setProgress(bar *progressbar.ProgressBar, done, total int64) {
	if bar.GetMax64() != total {
		bar.ChangeMax64(total)
	}
	_ = bar.Set64(min(done, total)) // an error of drawing does not stop the command
}

func formatTime(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func formatSeconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return time.Duration(*s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
