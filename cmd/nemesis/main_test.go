package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteSection(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	require.NoError(t, os.WriteFile(page, []byte("a\n<!-- nemesis -->\nold\n<!-- end -->\nb\n<!-- soak -->\n<!-- end -->\n"), 0o600))
	require.NoError(t, writeSection(page, "soak", "hours"))
	require.NoError(t, writeSection(page, "nemesis", "new"))
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, "a\n<!-- nemesis -->\n\nnew\n<!-- end -->\nb\n<!-- soak -->\n\nhours\n<!-- end -->\n", string(text))
	require.ErrorContains(t, writeSection(page, "other", ""), "no section")
	require.NoError(t, writeSection("", "soak", "printed only"))
}

func TestPageHasTheSections(t *testing.T) {
	text, err := os.ReadFile("../../docs/reliability.md")
	require.NoError(t, err)
	for _, name := range []string{"nemesis", "soak"} {
		page := filepath.Join(t.TempDir(), "page.md")
		require.NoError(t, os.WriteFile(page, text, 0o600))
		require.NoError(t, writeSection(page, name, "report"))
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := options{faults: 1, rate: 1, sets: "cluster"}
	for what, change := range map[string]func(*options){
		"-sets":   func(o *options) { o.sets = "cluster,other" },
		"-faults": func(o *options) { o.faults = 0 },
		"-kills":  func(o *options) { o.kills = -1 },
		"-page":   func(o *options) { o.page = "no/such/page.md" },
	} {
		o := good
		change(&o)
		require.ErrorContains(t, run(o), what)
	}
}
