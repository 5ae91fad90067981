package redis

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// checksumBytes follow each blob in Redis: the CRC-32C of the customer id and the blob. A blob that was damaged may still decode, to another
// state; with the checksum it is torn. The id is included, so that a blob under another customer's id is noticed as well.
const checksumBytes = 4

func checksum(id string, blob []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // crc32 builds the table once
	return crc32.Update(crc32.Checksum([]byte(id), table), table, blob)
}

// sealBlob returns a copy of the blob as it is stored. It never writes behind the blob's end, where another blob may be.
func sealBlob(id string, blob []byte) []byte {
	stored := append(make([]byte, 0, len(blob)+checksumBytes), blob...)
	return binary.BigEndian.AppendUint32(stored, checksum(id, blob))
}

// openBlob returns the blob of a stored value.
func openBlob(id, stored string) ([]byte, error) {
	n := len(stored) - checksumBytes
	if n < 0 {
		return nil, fmt.Errorf("%w: a blob of %d bytes", ErrTorn, len(stored))
	}
	blob := []byte(stored)
	//mutant:blob-unchecked if false && $
	if binary.BigEndian.Uint32(blob[n:]) != checksum(id, blob[:n]) {
		return nil, fmt.Errorf("%w: a blob does not have its checksum", ErrTorn)
	}
	return blob[:n:n], nil
}

// openBlobs returns the blobs in the reply to HMGET of the ids, nil for an unknown customer.
func openBlobs(ids []string, reply []any) ([][]byte, error) {
	blobs := make([][]byte, len(reply))
	for i, v := range reply {
		stored, ok := v.(string)
		if !ok {
			continue
		}
		var err error
		if blobs[i], err = openBlob(ids[i], stored); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}
