// Package cost owns what a shop says that it spent: by month, kind, and source of customers. Partition 0 keeps one table of it. An amount
// is absolute, so that stating it again changes nothing.
//
// It refuses to know what was earned, which the calendar and the customers' scores say.
package cost

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// MostCells is the number of amounts that are kept: a hundred sources for thirty years and more.
const MostCells = 10_000

// MostSource is the greatest length of a source in bytes, which is that of a purchase's.
const MostSource = 100

// Kinds returns the names of the kinds in the order of ledger.CostKind, from 1.
func Kinds() []string { return []string{"acquisition", "retention", "programme"} }

// KindName returns the name of a kind that is known.
func KindName(k ledger.CostKind) string { return Kinds()[k-1] }

// ParseKind reads the name of a kind.
func ParseKind(name string) (ledger.CostKind, error) {
	i := slices.Index(Kinds(), name)
	if i < 0 {
		return 0, fmt.Errorf("%q is not a kind of cost: want one of %s", name, strings.Join(Kinds(), ", "))
	}
	return ledger.CostKind(i + 1), nil //nolint:gosec // there are few
}

// Cell is an amount.
type Cell struct {
	Month  calendar.Month
	Kind   ledger.CostKind
	Source string // empty: of no particular source
	Amount int64  // minor units
}

func compare(a, b Cell) int {
	return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Kind, b.Kind), strings.Compare(a.Source, b.Source))
}

// Table is a table of amounts. The zero value is empty.
type Table struct{ cells []Cell } // in the order of compare

// Valid reports whether an entry states a cost.
func Valid(k *ledger.Cost) bool {
	return k.GetKind() > ledger.CostKind_COST_KIND_UNSPECIFIED && int(k.GetKind()) <= len(Kinds()) && k.GetAmount() >= 0 && len(k.GetSource()) <= MostSource
}

// Set replaces the amount of a month, kind and source. It returns false, and changes nothing, if the table is full.
func (t *Table) Set(k *ledger.Cost) bool {
	c := Cell{calendar.Month(k.GetMonth()), k.GetKind(), strings.Clone(k.GetSource()), k.GetAmount()}
	i, found := slices.BinarySearchFunc(t.cells, c, compare)
	switch {
	case k.GetWithdrawn() && found:
		t.cells = slices.Delete(t.cells, i, i+1)
	case k.GetWithdrawn():
	case found:
		//mutant:cost-added-twice replace t.cells[i].Amount += c.Amount
		t.cells[i] = c
	case len(t.cells) >= MostCells:
		return false
	default:
		t.cells = slices.Insert(t.cells, i, c)
	}
	return true
}

// All returns the amounts by month, kind and source.
func (t *Table) All() []Cell { return t.cells }

// Full reports whether the table takes no amount of another month, kind or source.
func (t *Table) Full() bool { return len(t.cells) >= MostCells }

// Amount returns the amount of a month, kind and source; false if none is stated.
func (t *Table) Amount(month calendar.Month, kind ledger.CostKind, source string) (minor int64, stated bool) {
	i, stated := slices.BinarySearchFunc(t.cells, Cell{Month: month, Kind: kind, Source: source}, compare)
	if stated {
		minor = t.cells[i].Amount
	}
	return minor, stated
}

// Sum sums the amounts of a month and of some kinds over all sources; false if none is stated.
func (t *Table) Sum(month calendar.Month, kinds ...ledger.CostKind) (minor int64, stated bool) {
	for i, _ := slices.BinarySearchFunc(t.cells, Cell{Month: month}, compare); i < len(t.cells) && t.cells[i].Month == month; i++ {
		if slices.Contains(kinds, t.cells[i].Kind) {
			minor, stated = minor+t.cells[i].Amount, true
		}
	}
	return minor, stated
}

// Clone returns a deep copy.
func (t *Table) Clone() Table { return Table{slices.Clone(t.cells)} }

// Encode returns the table as the state of a partition holds it.
func (t *Table) Encode() (all []*ledger.Cost) {
	for _, c := range t.cells {
		all = append(all, &ledger.Cost{Month: int32(c.Month), Kind: c.Kind, Source: c.Source, Amount: c.Amount})
	}
	return all
}

// Decode replaces the table by the one that Encode returned.
func (t *Table) Decode(all []*ledger.Cost) {
	t.cells = nil
	for _, k := range all {
		t.cells = append(t.cells, Cell{calendar.Month(k.GetMonth()), k.GetKind(), k.GetSource(), k.GetAmount()})
	}
}
