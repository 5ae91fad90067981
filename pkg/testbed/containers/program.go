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

// Program is the built mainstay and the settings of its processes.
type Program struct {
	Path     string
	Settings map[string]string // environment variables, without MAINSTAY_
	Log      io.Writer         // gets every line that a running process logs; used by several processes at a time. nil: none
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
	return Program{Path: p.Path, Settings: all, Log: p.Log}
}

// environment is that of this process, with the program's settings instead of its own.
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

// Do runs a command to its end and returns its output and exit code. The error includes its error output.
func (p Program) Do(ctx context.Context, args ...string) (out []byte, code int, err error) {
	cmd := exec.CommandContext(ctx, p.Path, args...)
	cmd.Env = p.environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err = cmd.Output()
	if err != nil {
		err = fmt.Errorf("mainstay %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
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
	Text    string    `json:"-"` // the whole line
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
	added chan struct{} // closed and replaced with every line
}

const linesKept = 2000

// running are the processes that have not ended.
var running = struct { //nolint:gochecknoglobals // like the processes themselves
	sync.Mutex
	all map[*Process]struct{}
}{all: map[*Process]struct{}{}}

// KillAll ends every running process, for a TestMain that is ended by a signal.
func KillAll() {
	running.Lock()
	defer running.Unlock()
	for p := range running.all {
		_ = p.cmd.Process.Kill() // it may have ended by itself
	}
}

// Run starts `mainstay run` and waits until its log says that it is running. The caller must Kill or Stop it.
func (p Program) Run(ctx context.Context) (*Process, error) {
	cmd := exec.Command(p.Path, "run")
	cmd.Env = p.With(map[string]string{"HTTP_LISTEN": "127.0.0.1:0", "ADMIN_LISTEN": "127.0.0.1:0"}).environment()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("run mainstay: %w", err)
	}
	r := &Process{cmd: cmd, exited: make(chan struct{}), added: make(chan struct{}), Started: time.Now()}
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
		r.readLog(stderr, p.Log)
		r.err = cmd.Wait()
		running.Lock()
		delete(running.all, r)
		running.Unlock()
		close(r.exited)
	}()
	starting, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	line, err := r.Await(starting, "started")
	if err != nil {
		r.Kill()
		return nil, err
	}
	r.HTTP, r.Admin = line.HTTP, line.Admin
	return r, nil
}

func (r *Process) readLog(log io.Reader, also io.Writer) {
	scanner := bufio.NewScanner(log)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		l := Line{Text: scanner.Text()}
		if also != nil {
			_, _ = fmt.Fprintf(also, "%d %s\n", r.cmd.Process.Pid, l.Text) // evidence of a failure; the run goes on without it
		}
		_ = json.Unmarshal(scanner.Bytes(), &l) // a line that is not JSON (a panic) has its text only
		r.mu.Lock()
		if r.lines = append(r.lines, l); len(r.lines) > linesKept {
			r.lines = r.lines[len(r.lines)-linesKept:]
		}
		close(r.added)
		r.added = make(chan struct{})
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
		added := r.added
		for _, l := range r.lines {
			if l.Message == message {
				r.mu.Unlock()
				return l, nil
			}
		}
		r.mu.Unlock()
		select {
		case <-added:
		case <-r.exited:
			return Line{}, fmt.Errorf("mainstay ended before it logged %q: %w\n%s", message, r.err, r.Tail(20))
		case <-ctx.Done():
			return Line{}, fmt.Errorf("mainstay has not logged %q: %w\n%s", message, context.Cause(ctx), r.Tail(20))
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

// Kill ends the process with SIGKILL and waits for its end.
func (r *Process) Kill() {
	_ = r.cmd.Process.Kill() // it may have ended by itself
	<-r.exited
}

// Stop ends the process with SIGTERM and returns nil if it exited with 0.
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
		return fmt.Errorf("mainstay exited with an error: %w\n%s", r.err, r.Tail(20))
	}
	return nil
}

// CPU waits for the end of the process and returns the CPU time that it used.
func (r *Process) CPU() time.Duration {
	<-r.exited
	return r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
}

// Ended reports whether the process has ended, by itself or not.
func (r *Process) Ended() bool {
	select {
	case <-r.exited:
		return true
	default:
		return false
	}
}

// PeakMemory returns the largest resident memory that a running process has had, in bytes. It is known on Linux only.
func (r *Process) PeakMemory() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("peak memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, errors.New("peak memory: the kernel does not say")
}
