package segment

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// All is the dimension, and the one segment of it, of all customers.
const All = "all"

// Set sums customers by the segments of all dimensions. What a dimension says nothing of is in no segment of it: it is what the others leave
// of all, so that a partition that has never met an attribute needs to know nothing of it. The zero value is empty.
type Set struct {
	of         map[string]map[string]*Sums // by dimension and segment
	dimensions []Dimension
	attributes int // of which dimensions has one each
	segments   int
}

// Add adds a customer with a standing order.
func (s *Set) Add(c *Customer) {
	if n := c.Texts.Attributes(); s.dimensions == nil || n != s.attributes {
		s.dimensions, s.attributes = Dimensions(c.Texts.AttributeNames()), n
	}
	s.at(All, All).Add(c)
	for i := range s.dimensions {
		if name := s.dimensions[i].Of(c); name != "" && name != None {
			s.at(s.dimensions[i].Name, name).Add(c)
		}
	}
}

func (s *Set) at(dimension, segment string) *Sums {
	if s.of == nil {
		s.of = map[string]map[string]*Sums{}
	}
	if s.of[dimension] == nil {
		s.of[dimension] = map[string]*Sums{}
	}
	sums := s.of[dimension][segment]
	if sums == nil {
		sums = new(Sums)
		s.of[dimension][segment] = sums
		s.segments++
	}
	return sums
}

// Len is the number of segments.
func (s *Set) Len() int { return s.segments }

// Encode returns the sums as the ledger states them, by dimension and segment; nil if there are none.
func (s *Set) Encode() []*ledger.SegmentSums {
	var all []*ledger.SegmentSums
	for _, dimension := range slices.Sorted(maps.Keys(s.of)) {
		for _, name := range slices.Sorted(maps.Keys(s.of[dimension])) {
			w := &ledger.SegmentSums{Dimension: dimension, Segment: name}
			for _, v := range s.of[dimension][name].list() {
				w.Sums = append(w.Sums, *v)
			}
			all = append(all, w)
		}
	}
	return all
}

// Plus adds what Encode returned. A sum that is not known here is left out.
func (s *Set) Plus(all []*ledger.SegmentSums) {
	for _, w := range all {
		to := s.at(w.GetDimension(), w.GetSegment()).list()
		for i, v := range w.GetSums()[:min(len(w.GetSums()), len(to))] {
			*to[i] += v
		}
	}
}

// EncodeBounded returns the sums of all customers, and of the dimensions whose segments are few, as Encode does.
func (s *Set) EncodeBounded() []*ledger.SegmentSums {
	all := bounded()
	return slices.DeleteFunc(s.Encode(), func(w *ledger.SegmentSums) bool {
		return w.GetDimension() != All && !slices.ContainsFunc(all, func(d Dimension) bool { return d.Name == w.GetDimension() })
	})
}

func bounded() []Dimension {
	return slices.DeleteFunc(Dimensions(nil), func(d Dimension) bool { return !d.Bounded })
}

// Row is a segment of a dimension.
type Row struct {
	Dimension, Segment string
	Sums
}

// MostSegments is the most segments of a dimension that are told apart where all of them are published.
const MostSegments = 120

// Rows returns the segments: those of all customers, then dimension by dimension. Of a dimension with more than MostSegments segments they are
// the largest, and the others are in trait.Other.
func (s *Set) Rows() []Row {
	known := Dimensions(nil)
	for _, name := range slices.Sorted(maps.Keys(s.of)) {
		if !slices.ContainsFunc(known, func(d Dimension) bool { return d.Name == name }) && name != All {
			known = append(known, Dimension{Name: name}) // an attribute
		}
	}
	return s.rowsOf(known)
}

// BoundedRows returns the segments of all customers, and of the dimensions whose segments are few.
func (s *Set) BoundedRows() []Row { return s.rowsOf(bounded()) }

func (s *Set) rowsOf(dimensions []Dimension) []Row {
	all := s.at(All, All)
	rows := []Row{{All, All, *all}}
	for i := range dimensions {
		rows = append(rows, dimensions[i].rows(s.of[dimensions[i].Name], all)...)
	}
	return rows
}

func (d *Dimension) rows(segments map[string]*Sums, all *Sums) []Row {
	var rows []Row
	none := *all
	for name, sums := range segments {
		rows = append(rows, Row{d.Name, name, *sums})
		//mutant:none-counts-all delete
		none.plus(sums, -1)
	}
	if none.Customers > 0 {
		rows = append(rows, Row{d.Name, None, none})
	}
	if len(rows) > MostSegments {
		rows = largest(rows)
	}
	slices.SortFunc(rows, func(a, b Row) int { return d.Compare(a.Segment, b.Segment) })
	return rows
}

// largest returns the segments with the most customers, and all others as one.
func largest(rows []Row) []Row {
	slices.SortFunc(rows, func(a, b Row) int {
		other := func(r Row) int { return map[bool]int{true: 1}[r.Segment == trait.Other] }
		return cmp.Or(cmp.Compare(other(a), other(b)), cmp.Compare(b.Customers, a.Customers), strings.Compare(a.Segment, b.Segment))
	})
	rest := Row{Dimension: rows[0].Dimension, Segment: trait.Other}
	for i := range rows[MostSegments-1:] {
		rest.plus(&rows[MostSegments-1+i].Sums, 1)
	}
	return append(rows[:MostSegments-1], rest)
}
