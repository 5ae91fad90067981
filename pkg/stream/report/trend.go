package report

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mainstay/mainstay/processors/measure"
	"github.com/mainstay/mainstay/processors/segment"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/money"
)

// SegmentDay is a segment at the close of a day, as it was published.
type SegmentDay struct {
	end     time.Time // as_of
	unit    money.Unit
	segment string
	values  map[string]measure.Value // by measure
}

// ReadSegmentDay reads an output of the topic of segments.
func ReadSegmentDay(value []byte) (d SegmentDay, err error) {
	var p struct {
		AsOf     time.Time `json:"as_of"`
		Currency string    `json:"currency"`
		Segment  string    `json:"segment"`
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(value, &p); err != nil {
		return d, fmt.Errorf("decode a segment: %w", err)
	}
	if err := json.Unmarshal(value, &fields); err != nil {
		return d, fmt.Errorf("decode a segment: %w", err)
	}
	unit, known := settings.BaseCurrency(p.Currency)
	if !known {
		return d, fmt.Errorf("decode a segment: its currency %.20q is not known", p.Currency)
	}
	d = SegmentDay{end: p.AsOf, unit: unit, segment: p.Segment, values: map[string]measure.Value{}}
	for _, m := range segment.Measures() {
		like := m.Of(new(segment.Sums))
		text, published := fields[m.Name]
		if !published { // by a release that did not have it
			text = json.RawMessage("null")
		}
		if d.values[m.Name], err = like.Read(string(text), unit); err != nil {
			return d, fmt.Errorf("decode a segment: %s: %w", m.Name, err)
		}
	}
	return d, nil
}

// Trend reports the segments of a dimension at the last closed days, a row for each day and segment. all is in the order of publication: of a
// day and segment the last holds. zone is that of the ledger.
func Trend(all []SegmentDay, by *segment.Dimension, days int, zone *time.Location) *Report {
	r := &Report{Columns: []Column{{Name: "day"}, {Name: by.Name}}}
	for _, m := range segment.Measures() {
		r.Columns = append(r.Columns, Column{m.Name, m.Of(new(segment.Sums)).Kind(), m.Better})
	}
	byDay := daysOf(all, days)
	for _, end := range slices.SortedFunc(maps.Keys(byDay), time.Time.Compare) {
		for _, name := range slices.SortedFunc(maps.Keys(byDay[end]), by.Compare) {
			d := byDay[end][name]
			r.AsOf, r.Unit = end.UnixMilli(), d.unit
			cells := []Cell{{Text: dayBefore(end, zone)}, {Text: name}}
			for _, m := range segment.Measures() {
				cells = append(cells, Cell{Value: d.values[m.Name]})
			}
			r.Rows = append(r.Rows, cells)
		}
	}
	return r
}

// TrendOf reports one measure of the same segments, a row for each day and a column for each segment.
func TrendOf(all []SegmentDay, by *segment.Dimension, measureName string, days int, zone *time.Location) *Report {
	kind := segment.Measures()[slices.IndexFunc(segment.Measures(), func(m measure.Measure[segment.Sums]) bool { return m.Name == measureName })].Of(new(segment.Sums)).Kind()
	r := &Report{Columns: []Column{{Name: "day"}}}
	byDay := daysOf(all, days)
	names := map[string]bool{}
	for _, segments := range byDay {
		for name := range segments {
			names[name] = true
		}
	}
	sorted := slices.SortedFunc(maps.Keys(names), by.Compare)
	for _, name := range sorted {
		r.Columns = append(r.Columns, Column{Name: name, Kind: kind})
	}
	for _, end := range slices.SortedFunc(maps.Keys(byDay), time.Time.Compare) {
		cells := []Cell{{Text: dayBefore(end, zone)}}
		for _, name := range sorted {
			d := byDay[end][name]
			cells = append(cells, Cell{Value: d.values[measureName]})
			if d.unit.Code != "" {
				r.AsOf, r.Unit = end.UnixMilli(), d.unit
			}
		}
		r.Rows = append(r.Rows, cells)
	}
	return r
}

// daysOf returns the segments of the last days, by end of the day and segment.
func daysOf(all []SegmentDay, days int) map[time.Time]map[string]SegmentDay {
	byDay := map[time.Time]map[string]SegmentDay{}
	for _, d := range all {
		if byDay[d.end] == nil {
			byDay[d.end] = map[string]SegmentDay{}
		}
		byDay[d.end][d.segment] = d
	}
	ends := slices.SortedFunc(maps.Keys(byDay), time.Time.Compare)
	for _, end := range ends[:max(0, len(ends)-days)] {
		delete(byDay, end)
	}
	return byDay
}

// dayBefore is the civil day that ends.
func dayBefore(end time.Time, zone *time.Location) string {
	return end.Add(-time.Millisecond).In(zone).Format(time.DateOnly)
}
