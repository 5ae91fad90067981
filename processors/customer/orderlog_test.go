package customer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A long orderLog finds with its countingFilter what one would find by looking through it, whatever came and went.
func TestOrderLogFindsEveryOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b orderLog
		ids := rapid.SampledFrom([]uint64{2, 150}).Draw(t, "ids") // of two, a counter gets full
		var there []uint64                                        // id's parts, in no order
		for step := range rapid.IntRange(100, 400).Draw(t, "steps") {
			id := rapid.Uint64Range(1, ids).Draw(t, "id")
			i := b.find(id << 16)
			found := 0
			for _, known := range there {
				if known == id {
					found++
				}
			}
			require.Equal(t, found > 0, i >= 0)
			switch {
			case i >= 0 && rapid.Bool().Draw(t, "remove"):
				fingerprint, _ := b.remove(i)
				require.Equal(t, id, fingerprint>>16)
				for j, known := range there {
					if known == id {
						there = append(there[:j], there[j+1:]...)
						break
					}
				}
			case rapid.IntRange(0, 9).Draw(t, "oldest goes") == 0 && len(there) > 0:
				fingerprint, _ := b.remove(0)
				for j, known := range there {
					if known == fingerprint>>16 {
						there = append(there[:j], there[j+1:]...)
						break
					}
				}
			default:
				b.insert(id<<16, order{occurredAt: int64(step % 37)})
				there = append(there, id)
			}
			require.Len(t, b.rows, len(there))
		}
	})
}
