// Package calendar owns what customers did month by month: who bought for the first time, again, or after having been lost, for how
// much, and who was lost. Each partition keeps one table of it, by difference: an entry that changes a customer takes their former rows
// away and adds the present ones. So it follows refunds, cancellations and late events at once; an earlier first purchase moves all rows
// of the customer into another cohort.
//
// It refuses to know why a customer counts as lost, which is churn's, and to read more of a customer than their purchase days and the
// days on which they were lost. All figures are integers, so they depend on no order.
package calendar

import (
	"cmp"
	"slices"

	"github.com/mainstay/mainstay/schemas/state"
)

// Key is a row of the table.
type Key struct {
	Cohort Month // of the first purchase
	Month  Month
}

// Figure is a column of the table.
type Figure int

// The figures. All but the amounts count customers. At the month's start and end means: by all purchases and losses before.
const (
	Active      Figure = iota // bought in the month; where it is that of the cohort, new customers
	Orders                    // standing orders
	Revenue                   // their net value, minor units
	Reactivated               // the part of it from customers who were lost at the month's start, minor units
	Returning                 // were lost at the month's start and are not at its end
	LostStated                // are lost at the month's end and were not at its start: the account was closed, or a subscription ended
	LostSilent                // likewise, by silence
	Figures                   // the number of figures
)

// Cell holds the figures of a row.
type Cell [Figures]int64

// Add adds the figures of another cell, times n.
func (c *Cell) Add(other *Cell, n int64) {
	for i := range c {
		c[i] += n * other[i]
	}
}

// Table is a table of cells. The zero value is empty.
type Table struct {
	keys  []Key // by month, then cohort
	cells []Cell
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Cohort, b.Cohort))
}

// Add adds a cell to a row, times n. A row of zeros alone is no row, so that equal figures are equal tables.
func (t *Table) Add(k Key, c *Cell, n int64) {
	i, found := slices.BinarySearchFunc(t.keys, k, compareKeys)
	if !found {
		if *c == (Cell{}) {
			return
		}
		t.keys, t.cells = slices.Insert(t.keys, i, k), slices.Insert(t.cells, i, Cell{})
	}
	if t.cells[i].Add(c, n); t.cells[i] == (Cell{}) {
		t.keys, t.cells = slices.Delete(t.keys, i, i+1), slices.Delete(t.cells, i, i+1)
	}
}

// Merge adds all rows of another table.
func (t *Table) Merge(other *Table) {
	other.Each(func(k Key, c *Cell) { t.Add(k, c, 1) })
}

// Each calls each for all rows, by month, then cohort.
func (t *Table) Each(each func(k Key, c *Cell)) {
	for i := range t.keys {
		each(t.keys[i], &t.cells[i])
	}
}

// Clone returns a deep copy.
func (t *Table) Clone() Table { return Table{keys: slices.Clone(t.keys), cells: slices.Clone(t.cells)} }

// Encode returns the table as the state of a partition holds it.
func (t *Table) Encode() *state.Calendar {
	n := len(t.keys)
	if n == 0 {
		return nil
	}
	w := &state.Calendar{Month: make([]int32, n), Age: make([]uint32, n)}
	month := Month(0)
	for i, k := range t.keys {
		w.Month[i], w.Age[i] = int32(k.Month-month), uint32(k.Month-k.Cohort) //nolint:gosec // nobody buys before the first purchase
		month = k.Month
	}
	for f := range Figures {
		column := &state.CalendarColumn{Value: make([]int64, n)}
		for i := range t.cells {
			column.Value[i] = t.cells[i][f]
		}
		w.Figures = append(w.Figures, column)
	}
	return w
}

// Decode replaces the table by the one that Encode returned.
func (t *Table) Decode(w *state.Calendar) {
	*t = Table{}
	n := len(w.GetMonth())
	if n == 0 || len(w.Age) != n {
		return
	}
	t.keys, t.cells = make([]Key, n), make([]Cell, n)
	month := Month(0)
	for i := range t.keys {
		month += Month(w.Month[i])
		t.keys[i] = Key{Cohort: month - Month(w.Age[i]), Month: month} //nolint:gosec // as written
	}
	for f, column := range w.Figures[:min(len(w.Figures), int(Figures))] {
		for i, v := range column.GetValue()[:min(n, len(column.GetValue()))] {
			t.cells[i][f] = v
		}
	}
}
