package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/app"
)

// program is what a command knows of the process: streams, environment, signals and clock. Tests make their own.
type program struct {
	in          io.Reader
	out, err    io.Writer
	environ     []string // as from os.Environ
	name        string   // of the executable, as the user typed it: errors and help print commands with it
	directory   string   // in which name can be executed; empty: anywhere
	inTerminal  bool     // in is a terminal: questions are asked
	outTerminal bool     // out is a terminal: the demo redraws its picture, in colour
	errTerminal bool     // err is a terminal: progress bars are drawn
	stopping    <-chan struct{}
	now         func() time.Time
	open        func(address string) error // in a browser
	hooks       app.Hooks

	running bool // a command's function was entered: its errors are failures (exit code 1), not wrong usage (2)
}

// usageError is a wrong command line or setting: exit code 2, with a pointer to the help text.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

var (
	errFindings    = errors.New("findings were printed") // exit code 3; nothing more is printed
	errInterrupted = errors.New("interrupted")
)

// interruptible makes a command's function end at the first signal, which cancels its context.
func (p *program) interruptible(run func(ctx context.Context, cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p.running = true
		ctx, cancel := context.WithCancelCause(cmd.Context())
		defer cancel(nil)
		go func() {
			select {
			case <-p.stopping:
				cancel(errInterrupted)
			case <-ctx.Done():
			}
		}()
		return run(ctx, cmd, args)
	}
}

// drainable is for a function that reads p.stopping itself and finishes what it began; the second signal cancels its context.
func (p *program) drainable(run func(ctx context.Context, cmd *cobra.Command) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		p.running = true
		return run(cmd.Context(), cmd)
	}
}

func (p *program) getenv(name string) (string, bool) {
	for _, variable := range slices.Backward(p.environ) { // of two with one name the last counts
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// shellQuote quotes a word so that a POSIX shell reads it as one.
func shellQuote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$&|;<>()*?[]{}~#`!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
