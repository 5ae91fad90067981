package conformance

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShorten(t *testing.T) {
	require.Equal(t, `
        expr: max(x_seconds{partition="0"} > 4.000 and increase(y[20000ms] offset 60000ms) > 5) > 20.000
        for: 4000ms
        keep_firing_for: 240000ms
        description: 'within 5 minutes, for 1m'
`, Shorten(`
        expr: max(x_seconds{partition="0"} > 60 and increase(y[5m] offset 15m) > 5) > 300
        for: 1m
        keep_firing_for: 1h
        description: 'within 5 minutes, for 1m'
`))
}
