package customer

// index counts which marks a long memory holds, so that a mark that is not there, as that of a new order, is known without
// looking through all. It is made when it is first needed and never stored; a short memory does without.
type index map[uint64]uint16

// indexed is from how many entries on a memory has an index: below, looking through is as fast.
const indexed = 64

func (x index) add(mark uint64) {
	if x != nil {
		x[mark]++
	}
}

func (x index) drop(mark uint64) {
	if x == nil {
		return
	}
	if x[mark] <= 1 {
		delete(x, mark)
	} else {
		x[mark]--
	}
}
