package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchemasExport(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "schemas")
	code, _, errs := run(t, nil, "schemas", "export", dir)
	require.Equal(t, exitOK, code, errs)
	committed, err := filepath.Glob("../../schemas/*.schema.json")
	require.NoError(t, err)
	written, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, written, len(committed)+1)
	for _, path := range append(committed, "../../schemas/asyncapi.yaml") {
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(dir, filepath.Base(path)))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), path)
	}

	code, _, errs = run(t, nil, "schemas", "export", dir)
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "is not empty: name a new directory; nothing was written")
	code, _, errs = run(t, nil, "schemas", "export", filepath.Join(dir, "asyncapi.yaml"))
	require.Equal(t, exitUsage, code)
	require.Contains(t, errs, "nothing was written")
}
