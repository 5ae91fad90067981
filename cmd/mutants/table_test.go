package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A mutant breaks a text of the source: it must stand there, once, or nothing is broken and nothing is proven.
func TestWhatIsBrokenStandsInTheSource(t *testing.T) {
	for _, m := range mutants() {
		for _, e := range m.edits {
			source, err := os.ReadFile(filepath.Join("../..", e.file))
			require.NoError(t, err)
			assert.Equal(t, 1, strings.Count(string(source), e.old), "%s: %s: %q", m.name, e.file, e.old)
		}
	}
}
