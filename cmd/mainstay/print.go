package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/mainstay/mainstay/pkg/telemetry"
)

// json prints a value, indented.
func (p *program) json(v any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return p.printf("%s", telemetry.EscapeControls(text.String()))
}

// printable escapes what ids and payloads may contain and a terminal would act on: control characters, line breaks and tabs included.
func printable(s string) string {
	return strings.NewReplacer("\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(telemetry.EscapeControls(s))
}

// table prints rows with their columns aligned; every row has as many cells as the header. Its cells may be ids.
func (p *program) table(header []string, rows [][]string) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{header}, rows...) {
		row = slices.Clone(row)
		for i := range row {
			row[i] = printable(row[i])
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(row, "\t"), "\t")); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printf writes to the output, with control characters but line breaks and tabs escaped.
func (p *program) printf(format string, args ...any) error {
	if _, err := io.WriteString(p.out, telemetry.EscapeControls(fmt.Sprintf(format, args...))); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printErr writes to the error output. A failure to write there cannot be reported anywhere.
func (p *program) printErr(format string, args ...any) {
	_, _ = io.WriteString(p.err, telemetry.EscapeControls(fmt.Sprintf(format, args...)))
}

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

// unknown is printed for what a server that does not answer would know. A 0 there would be read as a fact.
const unknown = "?"

func formatKnown(n *int64) string {
	if n == nil {
		return unknown
	}
	return formatInt(*n)
}

func orUnknown(s string) string {
	if s == "" {
		return unknown
	}
	return s
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
