package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// machine names the processor, as far as the system tells.
func machine() string {
	model, memory := runtime.GOARCH, ""
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = field(string(text), "model name")
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = ", memory " + field(string(text), "MemTotal")
	}
	return fmt.Sprintf("%d x %s%s, %s %s, %s", runtime.NumCPU(), model, memory, runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// loadAverage is how many processes wanted a processor in the last 1, 5 and 15 minutes: above the number of processors,
// figures are those of a machine that was busy with other things.
func loadAverage() string {
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
