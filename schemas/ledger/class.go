package ledger

// Class returns the hash class of a customer among a number of classes, which is a power of two: the low bits of a hash of the id.
// All customers of a class also share a class among half as many. The order of rescoring depends on it, so it is part of the
// ledger's format, like the hash that maps a customer to a partition. The two hashes are independent.
func Class(customer string, classes uint32) uint32 {
	return uint32(hashOf(customer)) & (classes - 1) //nolint:gosec // the low bits are meant
}

// hashOf returns FNV-1a with its bits mixed, so that the low bits depend on the whole id.
func hashOf(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
