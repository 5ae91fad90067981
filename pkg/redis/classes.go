package redis

import (
	"context"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// CustomersOfClasses returns the ids of the customers of the hash classes first to end (exclusive) out of classes, which is a power of two
// (ledger.Class), by class and in no particular order, as of this claim's last commit. It reads the timer groups that contain them: with
// more classes than groups a class is part of one group, otherwise it is several groups.
func (p *Partition) CustomersOfClasses(ctx context.Context, first, end, classes uint32) ([][]string, error) {
	ctx = withCallName(ctx, "classes")
	found := make([][]string, end-first)
	var groups []uint32
	for c := first; c < end; c++ {
		groups = appendGroups(groups, c, classes, p.committed.groups)
	}
	slices.Sort(groups)
	groups = slices.Compact(groups)
	contents := make([]*redis.StringSliceCmd, len(groups))
	keys := p.keysOf(p.committed.Snapshot)
	err := p.readChecked(ctx, func(tx redis.Pipeliner) {
		for i, g := range groups {
			contents[i] = tx.HKeys(ctx, keys.group(g))
		}
	})
	if err != nil {
		return nil, wrapClass(err, "read %d classes of customers in %s", end-first, p.prefix)
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

// appendGroups appends the groups, out of n, that contain customers of a class.
func appendGroups(groups []uint32, class, classes, n uint32) []uint32 {
	if n == 0 { // nothing was committed yet
		return groups
	}
	whole := powerOfTwoUpTo(n)
	if classes > whole { // a class is part of one group
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
