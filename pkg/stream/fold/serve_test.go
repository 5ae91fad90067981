package fold

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// TestARebuildCommitsBetweenChunks: entries of one fetch that take longer to fold than the commit interval are committed in parts, so
// that a rebuild of a large ledger is not mistaken for a process that hangs.
func TestARebuildCommitsBetweenChunks(t *testing.T) {
	c := benchClaim(t)
	now := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	records := make([]kafka.Record, 4*chunkEntries)
	for i := range records {
		value, err := purchase(int64(i), uint64(i%50), now.UnixMilli(), 1000)
		require.NoError(t, err)
		records[i] = kafka.Record{Offset: int64(i + 1), Timestamp: now.UnixMilli(), Key: make([]byte, 16), Value: value}
	}
	c.published = int64(len(records) + 1) // all of it was published before
	chunks, errCommits := 0, errors.New("a commit begins")
	c.cfg.CommitInterval, c.committedAt = 3*time.Second, now
	c.cfg.Now = func() time.Time { return now }
	c.cfg.AtStep = func(_ context.Context, step string) error {
		switch step {
		case StepFold:
			chunks++
			now = now.Add(time.Second)
		case StepCommit:
			return errCommits
		}
		return nil
	}
	require.ErrorIs(t, c.foldRecords(t.Context(), records), errCommits)
	require.Equal(t, 3, chunks)
}
