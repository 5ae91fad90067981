package lookup

import (
	"maps"
	"slices"

	"github.com/mainstay/mainstay/processors/measure"
)

// counts counts customers, or answers, by a number of days.
type counts map[int64]int64

func (c *counts) add(days int64) {
	if *c == nil {
		*c = counts{}
	}
	(*c)[days]++
}

// sum returns how many are counted, and the sum of their days.
func (c counts) sum() (n, days int64) {
	for after, k := range c {
		n, days = n+k, days+after*k
	}
	return n, days
}

// median is the middle of the days, of an even number the mean of the two in the middle.
func (c counts) median() measure.Value {
	all, _ := c.sum()
	if all == 0 {
		return measure.Ratio(0, 0, 1)
	}
	var counted, sum int64
	for _, after := range slices.Sorted(maps.Keys(c)) {
		n := c[after]
		for _, place := range [2]int64{(all - 1) / 2, all / 2} {
			if place >= counted && place < counted+n {
				sum += after
			}
		}
		counted += n
	}
	return measure.Ratio(sum, 2, 1)
}
