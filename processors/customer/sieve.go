package customer

// sieve tells of most marks that a long memory does not hold that it does not, as of a new order's, without looking through
// all. It counts marks by their low bits, with eight counters for each at least; a counter that is full stays so,
// and says "perhaps" for ever. It is made when it is first needed and never stored; a short memory does without.
type sieve []uint8

const (
	sieved    = 64 // from how many entries on a memory has a sieve: below, looking through is as fast
	leastWide = 8  // counters for each mark, below which a wider one is made
)

// newSieve is for so many marks, and as many again.
func newSieve(marks int) sieve {
	n := 1
	for n < 2*leastWide*marks {
		n *= 2
	}
	return make(sieve, n)
}

// narrow says that too many marks share a counter.
func (v sieve) narrow(marks int) bool { return len(v) < leastWide*marks }

func (v sieve) at(mark uint64) *uint8 { return &v[mark&uint64(len(v)-1)] } //nolint:gosec // a length

// lacks says that a mark is not there.
func (v sieve) lacks(mark uint64) bool { return *v.at(mark) == 0 }

func (v sieve) add(mark uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.at(mark); *n < 255 {
		*n++
	}
}

func (v sieve) drop(mark uint64) {
	if len(v) == 0 {
		return
	}
	if n := v.at(mark); *n < 255 {
		*n--
	}
}
