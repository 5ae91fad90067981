package faulttest

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Customers that were damaged or lost in Redis are never used, and never claimed again and again: the ledger is folded again, and no
// answer differs, is missing or comes twice.
func TestDamagedCustomersAreFoldedAgain(t *testing.T) {
	for name, damage := range map[string]func(w *world, key, id string){
		"garbage": func(w *world, key, id string) { w.env.Miniredis().HSet(key, id, "\xff\xff\xff garbage") },
		"empty":   func(w *world, key, id string) { w.env.Miniredis().HSet(key, id, "") },
		"does not decode, with a checksum": func(w *world, key, id string) {
			blob := "\xff\xff\xff garbage"
			sum := crc32.Checksum([]byte(id+blob), crc32.MakeTable(crc32.Castagnoli))
			w.env.Miniredis().HSet(key, id, blob+string(binary.BigEndian.AppendUint32(nil, sum)))
		},
		"lost": func(w *world, key, id string) { w.env.Miniredis().HDel(key, id) },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				stop := w.startBothRoles()
				for i := range 6 {
					w.purchase(t, i)
				}
				time.Sleep(5 * time.Second)
				stop()
				for _, key := range w.customersKeys() {
					ids, err := w.env.Miniredis().HKeys(key)
					require.NoError(t, err)
					for _, id := range ids {
						damage(w, key, id)
					}
				}
				stop = w.startBothRoles()
				for i := range 6 {
					w.purchase(t, 6+i)
				}
				time.Sleep(8 * time.Second)
				stop()
				require.Empty(t, w.verify())
				require.Equal(t, 12, w.orders(t))
			})
		})
	}
}
