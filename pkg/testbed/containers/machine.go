package containers

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine describes the processor and memory, as far as the system reports them.
func Machine() string {
	model, memory := runtime.GOARCH, ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = field(string(text), "model name")
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = ", memory " + field(string(text), "MemTotal")
	}
	return fmt.Sprintf("%d x %s%s, %s %s, %s", runtime.NumCPU(), model, memory, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// LoadAverage returns the average number of runnable processes in the last 1, 5 and 15 minutes. Above the number of processors, other
// work has slowed the measurement.
func LoadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}
