package redis

import "strconv"

// FirstPartition returns partition 0 of a namespace once for each key that it can have: the key depends on the number of partitions,
// which a caller that cannot ask Kafka does not know. The one for the expected number comes first.
func (c *Client) FirstPartition(namespace string, expected int32) []*Partition {
	first := hashTag(0, expected)
	all := []*Partition{c.partitionAt(namespace, first)}
	for _, tag := range firstTags() {
		if tag != first {
			all = append(all, c.partitionAt(namespace, tag))
		}
	}
	return all
}

// firstTags returns the hash tags of partition 0 for all numbers of partitions. hashTag takes the first tag whose slot is below a bound
// that falls with the number of partitions, so they are the tags whose slot is lower than that of every tag before: about ten.
func firstTags() []string {
	var all []string
	lowest := uint16(clusterSlots / 8) //nolint:mnd // as in hashTag, for one partition
	for n := int64(0); lowest > 0; n++ {
		tag := "0." + strconv.FormatInt(n, 36)
		if slot := hashSlot(tag); slot < lowest {
			lowest = slot
			all = append(all, tag)
		}
	}
	return all
}
