package lifetimes

import (
	"fmt"
	"math"
)

// fitRows are the summaries of a base, each distinct one once. Purchase days make
// many alike, and distinct values of x, t_x and T are fewer still: whatever depends on
// one of them alone is computed once per value.
type fitRows struct {
	rows        []fitRow
	xs, txs, ts []float64
	countX      []float64 // customers by x
	customers   int
	repeats     int
	meanT       float64
	logGaps     float64
	repeatSum   float64 // of x over customers
}

type fitRow struct {
	x, tx, t int32 // places in xs, txs and ts
	n        float64
}

// compress checks and gathers summaries.
func compress(rows []Summary) (*fitRows, error) {
	c := &fitRows{customers: len(rows)}
	var xs, txs, ts valueIndex
	seen := newRowIndex(len(rows))
	sumT := 0.0
	for i := range rows {
		s := &rows[i]
		if err := s.Validate(); err != nil {
			return nil, fmt.Errorf("summary %d: %w", i, err)
		}
		if s.X > 0 {
			c.repeats++
		}
		sumT += s.T
		c.logGaps += s.LogGaps
		c.repeatSum += float64(s.X)
		key := fitRow{x: xs.place(float64(s.X)), tx: txs.place(s.Tx), t: ts.place(s.T)}
		seen.add(c, key)
	}
	c.xs, c.txs, c.ts = xs.values, txs.values, ts.values
	c.countX = make([]float64, len(c.xs))
	for _, r := range c.rows {
		c.countX[r.x] += r.n
	}
	if c.customers > 0 {
		c.meanT = sumT / float64(c.customers)
	}
	if !(c.meanT > 0) {
		c.meanT = priorWeeks // everybody bought today: any scale will do
	}
	return c, nil
}

// rowIndex finds a row among those seen, by open addressing.
type rowIndex struct {
	slots []int32 // 1 + the place in rows, 0 for free
	mask  uint64
}

func newRowIndex(n int) *rowIndex {
	size := 1024
	for size < 2*n && size < 1<<22 {
		size *= 2
	}
	return &rowIndex{slots: make([]int32, size), mask: uint64(size - 1)}
}

func (r *rowIndex) add(c *fitRows, key fitRow) {
	if 4*len(c.rows) > 3*len(r.slots) {
		r.grow(c)
	}
	for i := key.hash() & r.mask; ; i = (i + 1) & r.mask {
		at := r.slots[i]
		if at == 0 {
			key.n = 1
			c.rows = append(c.rows, key)
			r.slots[i] = int32(len(c.rows))
			return
		}
		if row := &c.rows[at-1]; row.x == key.x && row.tx == key.tx && row.t == key.t {
			row.n++
			return
		}
	}
}

func (r *rowIndex) grow(c *fitRows) {
	r.slots = make([]int32, 2*len(r.slots))
	r.mask = uint64(len(r.slots) - 1)
	for at, row := range c.rows {
		i := row.hash() & r.mask
		for r.slots[i] != 0 {
			i = (i + 1) & r.mask
		}
		r.slots[i] = int32(at + 1)
	}
}

func (r fitRow) hash() uint64 {
	return scramble(uint64(uint32(r.x))<<42 ^ uint64(uint32(r.tx))<<21 ^ uint64(uint32(r.t)))
}

// valueIndex numbers the distinct values of a column.
type valueIndex struct {
	values []float64
	slots  []int32
}

func (v *valueIndex) place(value float64) int32 {
	if 2*len(v.values) >= len(v.slots) {
		v.slots = make([]int32, max(256, 4*len(v.slots)))
		for at, known := range v.values {
			v.slots[v.free(known)] = int32(at + 1)
		}
	}
	i := v.free(value)
	if v.slots[i] == 0 {
		v.values = append(v.values, value)
		v.slots[i] = int32(len(v.values))
	}
	return v.slots[i] - 1
}

// free is the slot that holds the value, or would.
func (v *valueIndex) free(value float64) uint64 {
	mask := uint64(len(v.slots) - 1)
	for i := scramble(math.Float64bits(value)) & mask; ; i = (i + 1) & mask {
		if at := v.slots[i]; at == 0 || v.values[at-1] == value {
			return i
		}
	}
}

// scramble spreads keys that differ in few bits.
func scramble(v uint64) uint64 {
	v *= 0x9e3779b97f4a7c15
	v ^= v >> 29
	v *= 0xd1342543de82ef95
	return v ^ v>>32
}
