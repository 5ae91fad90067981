// Command mainstay runs and operates Mainstay. It owns the command line: each command is a file with its flags, its call into
// the package that does the work, and its output. It refuses to do that work.
//
// Read main.go (signals and exit codes), root.go (the tree of commands), then any command. What commands share stands in
// program.go, settings.go, connect.go, flags.go, purchases.go and print.go.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cli/browser"
	"golang.org/x/term"
)

// The exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2 // a wrong command line or setting
	exitFindings = 3 // the command worked, and what it examined has findings
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	stopping := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals // the first asks for a shutdown in order
		close(stopping)
		<-signals // the second ends everything at once
		stop()
	}()
	directory, name := executable(os.Args[0])
	p := &program{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), name: name, directory: directory,
		inTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		outTerminal: term.IsTerminal(int(os.Stdout.Fd())), errTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		stopping: stopping, now: time.Now, open: browser.OpenURL,
	}
	code := p.main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// executable is how to start this program from a shell: a command, and the directory in which it works, empty for any. `go run`
// leaves the program in a directory of the build cache or a temporary one.
func executable(argument0 string) (directory, name string) {
	working, err := os.Getwd()
	switch {
	case err != nil || !strings.ContainsRune(argument0, filepath.Separator): // found in PATH
		return "", argument0
	case strings.Contains(argument0, "go-build"):
		if _, err := os.Stat("cmd/mainstay/main.go"); err == nil {
			return working, "go run ./cmd/mainstay"
		}
	case !filepath.IsAbs(argument0):
		return working, argument0
	}
	return "", argument0
}

// main runs one command line and returns its exit code.
func (p *program) main(ctx context.Context, args []string) int {
	root := p.root() //nolint:contextcheck // cobra passes the context to the command that it runs
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetOut(p.out)
	root.SetErr(p.err)
	command, err := root.ExecuteContextC(ctx)
	wrong := usageError{}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings):
		return exitFindings
	case !p.running || errors.As(err, &wrong):
		p.printErr("error: %v\nSee `%s --help`.\n", err, strings.Replace(command.CommandPath(), root.Name(), p.name, 1))
		return exitUsage
	default:
		p.printErr("error: %v\n", err)
		return exitFailed
	}
}
