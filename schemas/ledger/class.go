package ledger

// Class is the one of so many classes, a power of two, that a customer belongs to: the low bits of a hash of the id. All
// customers of a class belong to one class of half as many. Which customers are scored together depends on it, so it is part
// of the ledger's format, like the hash that gives a customer its partition, and the two are independent.
func Class(customer string, classes uint32) uint32 {
	return uint32(hashOf(customer)) & (classes - 1) //nolint:gosec // the low bits are meant
}

// hashOf is FNV-1a with its bits mixed, so that low bits depend on all of the id.
func hashOf(id string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
