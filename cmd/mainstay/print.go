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
	"github.com/spf13/cobra"
)

// outputFlag adds --output to a command.
func outputFlag(cmd *cobra.Command) {
	cmd.Flags().StringP("output", "o", "table", "table for eyes, json for programs")
}

// asJSON reads --output.
func asJSON(cmd *cobra.Command) (bool, error) {
	switch o, err := cmd.Flags().GetString("output"); {
	case err != nil:
		return false, err
	case o == "json":
		return true, nil
	case o == "table":
		return false, nil
	default:
		return false, usage("--output must be table or json; it is %q", o)
	}
}

// json prints a value for programs.
func (p *program) json(v any) error {
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// table prints rows of equally many cells.
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

// say prints a line; a reader who has gone ends the command by signal or at the next line.
func (p *program) say(format string, args ...any) error {
	if _, err := fmt.Fprintf(p.out, format, args...); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// bar is a progress bar on the error output, if that is a terminal; otherwise it shows nothing.
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

// at moves a bar to done of total.
func at(bar *progressbar.ProgressBar, done, total int64) {
	if bar.GetMax64() != total {
		bar.ChangeMax64(total)
	}
	_ = bar.Set64(min(done, total)) // a bar that cannot be drawn stops nothing
}

func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func seconds(s *float64) string {
	if s == nil {
		return "-"
	}
	return time.Duration(*s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
