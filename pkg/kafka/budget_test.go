package kafka

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// compressedBatch is a batch at an offset, with one record of size bytes before compression.
func compressedBatch(t *testing.T, offset int64, size int) []byte {
	t.Helper()
	b := NewBatch("t", 0)
	b.Append(1, nil, make([]byte, size), nil)
	return at(sealed(t, b, producerIdentity{}, codecZstd), offset)
}

// A small response can hold a lot: a fetch stops to decompress at its budget, and the next one goes on from there.
func TestDecompressionHasABudget(t *testing.T) {
	const size = 1 << 20
	var set []byte
	for i := range int64(20) {
		set = append(set, compressedBatch(t, i, size)...)
	}
	require.Less(t, len(set), size)
	d := recordSetDecoder{budget: 4 * size}
	next := int64(0)
	for fetches := 0; next < 20; fetches++ {
		require.Less(t, fetches, 6)
		d.reset()
		got, n, wanted, err := d.decode(set, next, nil)
		require.NoError(t, err)
		require.Zero(t, wanted)
		require.Len(t, got, int(n-next))
		require.LessOrEqual(t, d.decompressed, d.budget+2*size)
		for _, r := range got {
			require.Len(t, r.Value, size)
		}
		next = n
	}
	// Another partition of the same fetch has used up the budget: no records, and no error.
	got, n, _, err := d.decode(set, 0, nil)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Zero(t, n)
}

// Memory for a single large batch is not kept.
func TestMemoryOfALargeBatchIsNotKept(t *testing.T) {
	d := recordSetDecoder{budget: 1 << 20}
	got, _, _, err := d.decode(compressedBatch(t, 0, 20<<20), 0, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	d.reset()
	require.LessOrEqual(t, cap(d.arena), 2<<20)
}

// A batch that is larger than any that is read is an error that names it, however it is compressed; what comes before it is handed out.
func TestTooLargeBatchIsRefused(t *testing.T) {
	large := make([]byte, maxReadBatchBytes+1)
	plain := NewBatch("t", 0)
	plain.Append(1, nil, large, nil)
	for name, set := range map[string][]byte{
		"zstd": compressedBatch(t, 1, len(large)), "plain": at(sealed(t, plain, producerIdentity{}, codecNone), 1),
		"plain, cut off": at(sealed(t, plain, producerIdentity{}, codecNone), 1)[:1000],
	} {
		d := recordSetDecoder{budget: 1 << 20}
		_, next, wanted, err := d.decode(set, 1, nil)
		require.ErrorIs(t, err, ErrCorrupt, name)
		require.ErrorContains(t, err, "more than 33554432 bytes", name)
		require.Zero(t, wanted, name)
		require.Equal(t, int64(1), next, name)
		got, next, _, err := d.decode(slices.Concat(compressedBatch(t, 0, 10), set), 0, nil)
		require.NoError(t, err, name)
		require.Len(t, got, 1, name)
		require.Equal(t, int64(1), next, name)
	}
}

// A batch that fills what is left of the memory exactly, or exceeds it by a byte, is decompressed the same.
func TestDecompressionIntoWhatIsLeft(t *testing.T) {
	for _, free := range []int{0, 1, 999, 1000, 1040, 2000} {
		d := recordSetDecoder{budget: 1 << 20, arena: make([]byte, 100, 100+free)}
		got, _, _, err := d.decode(compressedBatch(t, 0, 1000), 0, nil)
		require.NoError(t, err)
		require.Equal(t, make([]byte, 1000), got[0].Value)
		more, _, _, err := d.decode(compressedBatch(t, 0, 500), 0, nil)
		require.NoError(t, err)
		require.Equal(t, make([]byte, 500), more[0].Value)
		require.False(t, bytes.ContainsFunc(got[0].Value, func(r rune) bool { return r != 0 }))
	}
}
