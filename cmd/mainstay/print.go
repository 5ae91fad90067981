package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"

	"github.com/mainstay/mainstay/pkg/locale"
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

// table prints rows with their columns aligned; every row has at most as many cells as the header. Its cells may be ids.
func (p *program) table(header []string, rows [][]string) error {
	return p.tableIn(locale.English(), header, rows)
}

// tableIn is a table for the readers of a locale. Widths are those that a terminal shows: an accent or a joiner has none, a Chinese
// character has two. On a terminal that is written from right to left each cell is isolated, so that the directions of its letters move
// neither its neighbours nor the columns, which run from left to right; a file or another program gets no such marks.
func (p *program) tableIn(in *locale.Locale, header []string, rows [][]string) error {
	const between, isolate, endOfIsolate = 2, "\u2068", "\u2069"
	all := append([][]string{header}, rows...)
	widths := make([]int, len(header))
	for r, row := range all {
		all[r] = make([]string, len(row))
		for i := range row {
			all[r][i] = printable(row[i])
			widths[i] = max(widths[i], uniseg.StringWidth(all[r][i]))
		}
	}
	var text strings.Builder
	for _, row := range all {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1]
		}
		for i, cell := range row {
			written := cell
			if in.RightToLeft && p.outTerminal {
				written = isolate + cell + endOfIsolate
			}
			text.WriteString(written)
			if i < len(row)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell)+between))
			}
		}
		text.WriteByte('\n')
	}
	if _, err := io.WriteString(p.out, text.String()); err != nil {
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
