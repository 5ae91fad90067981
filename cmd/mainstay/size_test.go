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

// TestTheProgramIsSmall links it as the image does. One call of a method by a name that is not constant makes the linker keep
// every method of every type, ten megabytes of them: html/template and text/template do so. Under the image's base, with
// certificates and time zones, are two megabytes.
func TestTheProgramIsSmall(t *testing.T) {
	const most = 28_000_000
	path := filepath.Join(t.TempDir(), "mainstay")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -dumpdep", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	dependencies, err := build.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, build.Start())
	said, byName := 0, []string{}
	lines := bufio.NewScanner(dependencies)
	for ; lines.Scan(); said++ {
		if strings.HasSuffix(lines.Text(), "<ReflectMethod>") {
			byName = append(byName, lines.Text())
		}
	}
	require.NoError(t, lines.Err())
	require.NoError(t, build.Wait())
	require.Greater(t, said, 1000, "the linker says what calls what")
	require.Empty(t, byName, "methods are called by name, so all are kept")
	built, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, built.Size(), int64(most))
}
