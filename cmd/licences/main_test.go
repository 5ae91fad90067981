package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPageIsCurrent(t *testing.T) {
	want, err := page(t.Context())
	require.NoError(t, err)
	got, err := os.ReadFile("../../docs/licences.md")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run make generate")
}
