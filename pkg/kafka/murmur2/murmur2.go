// Package murmur2 is the hash by which Kafka's Java client places keys on partitions. It owns that one function and
// refuses everything else, so that packages without a network can use it.
package murmur2

// Sum is the 32-bit murmur2 of the key with the seed of org.apache.kafka.common.utils.Utils.murmur2.
func Sum(key []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := seed ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
	}
	switch len(key) {
	case 3:
		h ^= uint32(key[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(key[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(key[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

// PartitionFor is the partition, of n, on which Kafka's Java client puts a key that is not null. It panics when n is not
// positive.
func PartitionFor(key []byte, n int32) int32 {
	return int32(Sum(key)&0x7fffffff) % n
}
