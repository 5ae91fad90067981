// Package memory owns how much memory a process may use: the soft limit of the Go runtime, by which the garbage collector runs earlier
// instead of letting the heap grow to twice of what is in use.
//
// It refuses to override GOMEMLIMIT, and to count what a process uses, which is for its parts.
package memory

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	mib = 1 << 20
	// beyondCache is what a process may take besides fold.cache_bytes, in bytes: fetches, transactions, the program, the runtime.
	beyondCache = 150 * mib
	// outsideHeap is the part of it that the runtime's limit does not cover, in bytes: mostly the program's text.
	outsideHeap = 40 * mib
)

// Limit is the soft limit of a process.
type Limit struct {
	Bytes int64 // for debug.SetMemoryLimit; 0: it is left alone
	// Source says where it comes from, for the log.
	Source string
	// Container is the memory limit of the container, in bytes; 0: there is none.
	Container int64
	// Short is true if the container allows less than cache and process need: the garbage collector will use more CPU.
	Short bool
}

// Choose returns the soft limit of a process that keeps up to cache bytes of customers. getenv and readFile are those of package os.
func Choose(cache int64, getenv func(string) string, readFile func(string) ([]byte, error)) Limit {
	if set := getenv("GOMEMLIMIT"); set != "" {
		return Limit{Source: "GOMEMLIMIT=" + set}
	}
	l := Limit{Bytes: cache + beyondCache - outsideHeap, Source: "fold.cache_bytes"}
	l.Container = containerLimit(readFile)
	if l.Container == 0 {
		return l
	}
	l.Short = l.Container < cache+beyondCache
	//mutant:container-limit-ignored if false && $
	if most := l.Container - l.Container/20 - outsideHeap; most < l.Bytes {
		l.Bytes, l.Source = max(most, l.Container/2), "the container's memory limit"
	}
	return l
}

// containerLimit returns the lowest memory limit of the process's control groups in bytes; 0: there is none.
func containerLimit(readFile func(string) ([]byte, error)) int64 {
	lowest := int64(0)
	note := func(file string) {
		text, err := readFile(file)
		if err != nil {
			return
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is none
		if err == nil && n > 0 && n < 1<<50 && (lowest == 0 || n < lowest) {
			lowest = n
		}
	}
	groups, err := readFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		root, file := "/sys/fs/cgroup", "memory.max"
		switch controllers := strings.Split(parts[1], ","); {
		case parts[0] == "0" && parts[1] == "":
		case slices.Contains(controllers, "memory"): // version 1
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		default:
			continue
		}
		for dir := path.Clean("/" + parts[2]); ; dir = path.Dir(dir) { // a parent may allow less
			note(path.Join(root, dir, file))
			if dir == "/" {
				break
			}
		}
	}
	return lowest
}

// OfProcess is Choose for this process.
func OfProcess(cache int64) Limit { return Choose(cache, os.Getenv, os.ReadFile) }

// String describes the limit for the log.
func (l Limit) String() string {
	if l.Bytes == 0 {
		return l.Source
	}
	return fmt.Sprintf("%d MiB, from %s", l.Bytes/mib, l.Source)
}
