package redis

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// hash stands for a partition's customers in Redis: what a scan returns of it while commits change it.
type hash struct {
	rng     *rand.Rand
	version int // of all customers, and the id of the commit that wrote it
	ids     []string
	between int // batches from one commit to the next
	scans   int
	begun   int // scans that end because another snapshot is begun
}

func (h *hash) scan(batch int64, each func(Meta, []Blob) error) error {
	h.scans++
	if h.begun > 0 {
		h.begun--
		return ErrSnapshotChanged
	}
	for from, n := 0, 1; from < len(h.ids); n++ {
		end := min(from+int(batch), len(h.ids))
		var page []Blob
		for _, id := range h.ids[max(0, from-1):end] { // one of them twice
			page = append(page, Blob{ID: id, Value: fmt.Append(nil, h.version)})
		}
		h.rng.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
		if err := each(Meta{Exists: true, CommitID: fmt.Sprint(h.version), Offset: int64(h.version), customers: int64(len(h.ids))}, page); err != nil {
			return err
		}
		from = end
		if n%h.between == 0 {
			h.version++
		}
	}
	return nil
}

// However often the fold commits, what is read is of one commit, complete, and ends.
func TestReadCommitIsOfOneCommit(t *testing.T) {
	for _, test := range []struct{ customers, between, begun int }{{10, 1, 0}, {4096, 1, 0}, {5000, 1, 0}, {50_000, 1, 0}, {50_000, 3, 2}, {50_000, 1000, 0}} {
		h := &hash{rng: rand.New(rand.NewPCG(1, 2)), between: test.between, begun: test.begun}
		for i := range test.customers {
			h.ids = append(h.ids, fmt.Sprintf("c%06d", i))
		}
		meta, blobs, err := readCommit(h.scan)
		require.NoError(t, err)
		require.Len(t, blobs, test.customers)
		for i, b := range blobs {
			require.Equal(t, h.ids[i], b.ID)
			require.Equal(t, fmt.Sprint(meta.Offset), string(b.Value))
		}
	}
	h := &hash{rng: rand.New(rand.NewPCG(1, 2)), between: 1, begun: 100, ids: []string{"a"}}
	_, _, err := readCommit(h.scan)
	require.ErrorIs(t, err, ErrSnapshotChanged)
	require.Equal(t, 6, h.scans)
}

// A hash that has lost a customer is not exported as if it were whole.
func TestReadCommitCounts(t *testing.T) {
	_, _, err := readCommit(func(_ int64, each func(Meta, []Blob) error) error {
		return each(Meta{Exists: true, customers: 2}, []Blob{{ID: "a"}})
	})
	require.ErrorIs(t, err, ErrTorn)
}

// A partition in which a customer appears while it is found empty is read as of either commit.
func TestReadCommitOfAnEmptyPartition(t *testing.T) {
	meta, blobs, err := readCommit(func(_ int64, each func(Meta, []Blob) error) error {
		return each(Meta{Exists: true, Offset: 3, CommitID: "a"}, nil)
	})
	require.NoError(t, err)
	require.Empty(t, blobs)
	require.EqualValues(t, 3, meta.Offset)
	meta, _, err = readCommit(func(int64, func(Meta, []Blob) error) error { return nil })
	require.NoError(t, err)
	require.False(t, meta.Exists)
}
