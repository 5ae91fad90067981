package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBinarySize links the binary as the image does. A call of a method by a name that is not constant makes the linker keep every
// method of every type, about ten megabytes; html/template and text/template contain such calls. The base of the image, with
// certificates and time zones, takes another two megabytes, Parquet more than four, workbooks more than two, and schemas of a
// registry three, most of it for the compiler of Protobuf.
func TestBinarySize(t *testing.T) {
	const maximum = 43_000_000
	path := filepath.Join(t.TempDir(), "mainstay")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -dumpdep", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	dependencies, err := build.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, build.Start())
	edges, byName := 0, []string{}
	lines := bufio.NewScanner(dependencies)
	for ; lines.Scan(); edges++ {
		if strings.HasSuffix(lines.Text(), "<ReflectMethod>") {
			byName = append(byName, lines.Text())
		}
	}
	require.NoError(t, lines.Err())
	require.NoError(t, build.Wait())
	require.Greater(t, edges, 1000, "the linker prints the call graph")
	require.Empty(t, byName, "methods are called by name, so the linker keeps all methods")
	built, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, built.Size(), int64(maximum))
}
