package onehistory

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/eventfile"
	"github.com/mainstay/mainstay/schemas/event"
)

// An export that is imported by its preset, and what the stream would get of the same orders, end in one state. The latter is written by hand
// beside each export.
func TestExportsAreTheStateOfTheirEvents(t *testing.T) {
	twins, err := filepath.Glob("../../eventfile/testdata/presets/*.ndjson")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(twins), len(eventfile.Presets))
	shop := newShop(t)
	shop.options = event.DefaultOptions()
	shop.options.EventTime, shop.options.Zone = true, time.UTC
	for _, twin := range twins {
		export, streamed := shop.stream(t), shop.stream(t)
		for _, r := range shop.imported(t, event.Purchase, strings.TrimSuffix(twin, "ndjson")+"csv", eventfile.Mapping{Type: "purchase", Preset: eventfile.PresetAuto}) {
			export.take(r)
		}
		content, err := os.ReadFile(twin)
		require.NoError(t, err)
		for line := range bytes.Lines(content) {
			streamed.take(record{event.Purchase, nil, event.Message{Value: line}})
		}
		require.Equal(t, streamed.end(), export.end(), twin)
		require.NotEmpty(t, export.seen)
	}
}
