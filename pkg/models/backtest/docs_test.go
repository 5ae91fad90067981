package backtest

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocumentedTable verifies that the holdout table in docs/models.md has the computed figures.
func TestDocumentedTable(t *testing.T) {
	page, err := os.ReadFile("../../../docs/models.md")
	require.NoError(t, err)
	for _, m := range resultOfCDNOW(t).All() {
		line := []string{m.Name}
		for _, c := range Columns() {
			line = append(line, c.Text(m))
		}
		require.Contains(t, string(page), "| "+strings.Join(line, " | ")+" |\n")
	}
}
