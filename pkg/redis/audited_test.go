package redis

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"
)

func TestLastAuditIsKept(t *testing.T) {
	c, err := New(Config{Addresses: []string{miniredis.RunT(t).Addr()}, Embedded: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	at, err := c.LastAudit(t.Context(), "shop")
	require.NoError(t, err)
	require.True(t, at.IsZero())
	when := time.UnixMilli(1_700_000_000_123)
	require.NoError(t, c.SetLastAudit(t.Context(), "shop", when))
	at, err = c.LastAudit(t.Context(), "shop")
	require.NoError(t, err)
	require.True(t, at.Equal(when))
	at, err = c.LastAudit(t.Context(), "another")
	require.NoError(t, err)
	require.True(t, at.IsZero())
}
