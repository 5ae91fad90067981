package customer

// countingFilter rules out most fingerprints that a long memory does not hold, such as those of new orders, without a scan of the
// memory. It counts fingerprints by their low bits, in at least eight counters per fingerprint. A counter that has reached its
// maximum stays there, and rules out nothing any more. The filter is built when it is first needed and never encoded; a short
// memory has none.
type countingFilter []uint8

const (
	filteredFrom   = 64 // a memory with more fingerprints has a countingFilter; a scan of fewer is as fast
	countersPerKey = 8  // with fewer counters per fingerprint, a larger filter is built
)

// newCountingFilter returns an empty filter with room for twice as many fingerprints as given.
func newCountingFilter(fingerprints int) countingFilter {
	n := 1
	for n < 2*countersPerKey*fingerprints {
		n *= 2
	}
	return make(countingFilter, n)
}

// tooSmall reports whether the filter has too few counters for so many fingerprints.
func (v countingFilter) tooSmall(fingerprints int) bool { return len(v) < countersPerKey*fingerprints }

func (v countingFilter) counter(fingerprint uint64) *uint8 { return &v[fingerprint&uint64(len(v)-1)] } //nolint:gosec // a length

// rulesOut returns true only if the memory does not hold the fingerprint.
func (v countingFilter) rulesOut(fingerprint uint64) bool { return *v.counter(fingerprint) == 0 }

func (v countingFilter) add(fingerprint uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.counter(fingerprint); *n < 255 {
		*n++
	}
}

func (v countingFilter) drop(fingerprint uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.counter(fingerprint); *n < 255 {
		*n--
	}
}
