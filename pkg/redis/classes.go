package redis

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// CustomersOfClasses returns the customers of the classes first up to end (exclusive) of so many, a power of two (ledger.Class), each
// class in no order, as of this claim's last commit. It reads the groups that hold them: a class of many is part of one group,
// a class of few is some groups.
func (p *Partition) CustomersOfClasses(ctx context.Context, first, end, classes uint32) ([][]string, error) {
	ctx = named(ctx, "classes")
	found := make([][]string, end-first)
	var groups []uint32
	for c := first; c < end; c++ {
		groups = appendGroups(groups, c, classes, p.last.groups)
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	contents := make([]*redis.StringSliceCmd, len(groups))
	keys := p.keysOf(p.last.Snapshot)
	err := p.checked(ctx, func(tx redis.Pipeliner) {
		for i, g := range groups {
			contents[i] = tx.HKeys(ctx, keys.group(g))
		}
	})
	if err != nil {
		return nil, failed(err, "read %d classes of customers in %s", end-first, p.prefix)
	}
	for _, c := range contents {
		for _, id := range c.Val() {
			if class := ledger.Class(id, classes); class >= first && class < end {
				found[class-first] = append(found[class-first], id)
			}
		}
	}
	return found, nil
}

// appendGroups appends the groups, of n, in which customers of a class stand.
func appendGroups(groups []uint32, class, classes, n uint32) []uint32 {
	if n == 0 { // nothing was ever committed
		return groups
	}
	whole := wholeOf(n)
	if classes > whole { // all of a class hash to one group
		if class &= 2*whole - 1; class >= n {
			class &= whole - 1
		}
		return append(groups, class)
	}
	for g := class; g < n; g += classes {
		groups = append(groups, g)
	}
	return groups
}
