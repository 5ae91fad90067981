package customer

// countingFilter tells of most marks that a long memory does not hold that it does not, as of a new order's, without looking through
// all. It counts marks by their low bits, with eight counters for each at least; a counter that is full stays so,
// and says "perhaps" for ever. It is made when it is first needed and never stored; a short memory does without.
type countingFilter []uint8

const (
	filteredFrom   = 64 // from how many entries on a memory has a countingFilter: below, looking through is as fast
	countersPerKey = 8  // counters for each fingerprint, below which a wider one is made
)

// newCountingFilter is for so many marks, and as many again.
func newCountingFilter(marks int) countingFilter {
	n := 1
	for n < 2*countersPerKey*marks {
		n *= 2
	}
	return make(countingFilter, n)
}

// narrow says that too many marks share a counter.
func (v countingFilter) tooSmall(marks int) bool { return len(v) < countersPerKey*marks }

func (v countingFilter) at(fingerprint uint64) *uint8 { return &v[fingerprint&uint64(len(v)-1)] } //nolint:gosec // a length

// lacks says that a fingerprint is not there.
func (v countingFilter) rulesOut(fingerprint uint64) bool { return *v.at(fingerprint) == 0 }

func (v countingFilter) add(fingerprint uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.at(fingerprint); *n < 255 {
		*n++
	}
}

func (v countingFilter) drop(fingerprint uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.at(fingerprint); *n < 255 {
		*n--
	}
}
