// Command mainstay runs Mainstay and looks after it. Each command is a file: its flags, and a call into the room that does
// the work. main.go is the process (signals, exit codes), root.go what all commands have in common.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/mainstay/mainstay/pkg/node/app"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	stopping := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals // the first asks to finish
		close(stopping)
		<-signals // the second does not
		stop()
	}()
	p := &program{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), name: calledAs(os.Args[0]),
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())), errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		stopping: stopping, now: time.Now,
	}
	code := p.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// calledAs is how a person calls this program, for lines to paste.
func calledAs(path string) string {
	if strings.Contains(path, "go-build") {
		return "go run ./cmd/mainstay"
	}
	if filepath.IsAbs(path) {
		return filepath.Base(path)
	}
	return path
}

// program is the outside world as the commands see it. Tests make others.
type program struct {
	in          io.Reader
	out, err    io.Writer
	environ     []string
	name        string
	outTerminal bool // only there is anything moved or coloured
	errTerminal bool
	stopping    <-chan struct{} // closed by the first signal
	now         func() time.Time
	seams       app.Seams

	running bool // a command has begun its work: what fails from here on is no wrong use
}

// usageError is wrong use.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

var (
	errFound       = errors.New("something was found") // has been said: exit code 3
	errInterrupted = errors.New("interrupted")
)

// main runs one command line and returns its exit code.
func (p *program) main(ctx context.Context, args []string) int {
	root := p.root() //nolint:contextcheck // commands get theirs from cobra, when they run
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	command, err := root.ExecuteContextC(ctx)
	wrong := usageError{}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errFound):
		return exitFound
	case !p.running || errors.As(err, &wrong):
		p.complain("error: %v\n`%s --help` says how it is used\n", err, strings.Replace(command.CommandPath(), root.Name(), p.name, 1))
		return exitUsage
	default:
		p.complain("error: %v\n", err)
		return exitFailed
	}
}

// complain writes to the error output; there is nowhere to report a failure to.
func (p *program) complain(format string, args ...any) { _, _ = fmt.Fprintf(p.err, format, args...) }
