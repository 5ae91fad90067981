package redis

import "strconv"

const clusterSlots = 16384 // hash slots of a Redis Cluster

// hashTag returns the hash tag of a partition. It is chosen so that partitions are distributed evenly over the masters of a cluster,
// whatever their number: the slot of partition p of P is in the first eighth of the range that starts at p*16384/P. The plain number as
// tag was rejected: one of six masters would get up to 31% more than the average. The tag depends only on p and P and must never
// change, because the keys contain it.
func hashTag(partition, partitions int32) string {
	first := uint16(int64(partition) * clusterSlots / int64(partitions))
	within := max(1, uint16(clusterSlots/8/partitions))
	for n := int64(0); ; n++ {
		tag := strconv.Itoa(int(partition)) + "." + strconv.FormatInt(n, 36)
		if slot := hashSlot(tag); slot >= first && slot-first < within {
			return tag
		}
	}
}

// hashSlot is CRC16/XMODEM modulo the number of slots (Redis cluster specification, "Key distribution model").
func hashSlot(tag string) uint16 {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % clusterSlots
}

// snapshotKeys are the keys of one snapshot of a partition.
type snapshotKeys struct {
	customers string
	timers    string
}

func (p *Partition) keysOf(snapshot string) snapshotKeys {
	return snapshotKeys{
		customers: p.prefix + snapshot + ":customers",
		timers:    p.prefix + snapshot + ":timers",
	}
}

func (k snapshotKeys) group(n uint32) string {
	return k.timers + ":" + strconv.FormatUint(uint64(n), 10)
}
