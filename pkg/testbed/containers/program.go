package containers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is the built mainstay, with the settings that its processes are started with.
type Program struct {
	Path     string
	Settings map[string]string // variable, without MAINSTAY_, to value
}

// Build compiles the program into a directory.
func Build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "mainstay")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/mainstay/mainstay/cmd/mainstay")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mainstay: %w\n%s", err, out)
	}
	return path, nil
}

// With returns the program with more settings.
func (p Program) With(settings map[string]string) Program {
	all := map[string]string{}
	for _, m := range []map[string]string{p.Settings, settings} {
		maps.Copy(all, m)
	}
	return Program{Path: p.Path, Settings: all}
}

// environment is this process's, without any setting that it may have itself.
func (p Program) environment() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "MAINSTAY_") {
			env = append(env, e)
		}
	}
	for k, v := range p.Settings {
		env = append(env, "MAINSTAY_"+k+"="+v)
	}
	return env
}

// Do runs a command to its end and returns its output and exit code. The error tells what it wrote to its error output.
func (p Program) Do(ctx context.Context, args ...string) (out []byte, code int, err error) {
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Env = p.environment()
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err = cmd.Output()
	if err != nil {
		err = fmt.Errorf("mainstay %s: %w: %s", strings.Join(args, " "), err, complaint.Bytes())
	}
	return out, cmd.ProcessState.ExitCode(), err
}

// Line is a line of a process's log.
type Line struct {
	At      time.Time `json:"ts"`
	Level   string    `json:"level"`
	Message string    `json:"msg"`
	HTTP    string    `json:"http"`
	Admin   string    `json:"admin"`
	Text    string    `json:"-"` // as it was written
}

// Process is a running mainstay.
type Process struct {
	HTTP, Admin string // addresses
	Started     time.Time

	cmd    *exec.Cmd
	exited chan struct{}
	err    error

	mu    sync.Mutex
	lines []Line
	heard chan struct{} // closed and made anew with every line
}

const linesKept = 2000

// running are the processes that were started and have not ended.
var running = struct { //nolint:gochecknoglobals // they are the operating system's
	sync.Mutex
	all map[*Process]struct{}
}{all: map[*Process]struct{}{}}

// KillAll ends every process that is still running: for an end that no defer sees.
func KillAll() {
	running.Lock()
	defer running.Unlock()
	for p := range running.all {
		_ = p.cmd.Process.Kill() // it may have ended by itself
	}
}

// Run starts `mainstay run` and waits until it says that it is running. Whoever starts it must Kill or Stop it.
func (p Program) Run(ctx context.Context) (*Process, error) {
	cmd := exec.Command(p.Path, "run")
	cmd.Env = p.With(map[string]string{"HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0"}).environment()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("run mainstay: %w", err)
	}
	r := &Process{cmd: cmd, exited: make(chan struct{}), heard: make(chan struct{}), Started: time.Now()}
	running.Lock()
	err = cmd.Start()
	if err == nil {
		running.all[r] = struct{}{}
	}
	running.Unlock()
	if err != nil {
		return nil, fmt.Errorf("run mainstay: %w", err)
	}
	go func() {
		r.listen(stderr)
		r.err = cmd.Wait()
		running.Lock()
		delete(running.all, r)
		running.Unlock()
		close(r.exited)
	}()
	line, err := r.Await(ctx, "running")
	if err != nil {
		r.Kill()
		return nil, err
	}
	r.HTTP, r.Admin = line.HTTP, line.Admin
	return r, nil
}

func (r *Process) listen(log io.Reader) {
	scanner := bufio.NewScanner(log)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l := Line{Text: scanner.Text()}
		_ = json.Unmarshal(scanner.Bytes(), &l) // what is no JSON (a panic) is kept as text
		r.mu.Lock()
		if r.lines = append(r.lines, l); len(r.lines) > linesKept {
			r.lines = r.lines[len(r.lines)-linesKept:]
		}
		close(r.heard)
		r.heard = make(chan struct{})
		r.mu.Unlock()
	}
}

// Lines are the last lines of the log.
func (r *Process) Lines() []Line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Line(nil), r.lines...)
}

// Await waits until the log holds a message, and returns its first line with it.
func (r *Process) Await(ctx context.Context, message string) (Line, error) {
	for {
		r.mu.Lock()
		heard := r.heard
		for _, l := range r.lines {
			if l.Message == message {
				r.mu.Unlock()
				return l, nil
			}
		}
		r.mu.Unlock()
		select {
		case <-heard:
		case <-r.exited:
			return Line{}, fmt.Errorf("mainstay ended before it said %q: %w\n%s", message, r.err, r.Tail(20))
		case <-ctx.Done():
			return Line{}, fmt.Errorf("mainstay does not say %q: %w\n%s", message, context.Cause(ctx), r.Tail(20))
		}
	}
}

// Tail is the last n lines of the log.
func (r *Process) Tail(n int) string {
	lines := r.Lines()
	var b strings.Builder
	for _, l := range lines[max(0, len(lines)-n):] {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (r *Process) Kill() {
	_ = r.cmd.Process.Kill() // it may have ended by itself
	<-r.exited
}

// Stop asks the process to finish and returns nil when it ended in order.
func (r *Process) Stop(ctx context.Context) error {
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop mainstay: %w", err)
	}
	select {
	case <-r.exited:
	case <-ctx.Done():
		r.Kill()
		return fmt.Errorf("mainstay did not stop: %w\n%s", context.Cause(ctx), r.Tail(20))
	}
	if r.err != nil {
		return fmt.Errorf("mainstay did not end in order: %w\n%s", r.err, r.Tail(20))
	}
	return nil
}

// CPU is what the process has used by the kernel's account, once it has ended.
func (r *Process) CPU() time.Duration {
	<-r.exited
	return r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
}
