package timeform

import "strings"

// shape is what is seen of a time at a glance. To try all layouts of all forms takes a millisecond; a layout whose shape does not fit
// need not be tried.
type shape struct {
	digits int  // with which it begins
	next   byte // the byte after them; 0: none
	colons int
}

func shapeOf(text string) shape {
	s := shape{digits: len(text) - len(strings.TrimLeft(text, "0123456789")), colons: strings.Count(text, ":")}
	if s.digits < len(text) {
		s.next = text[s.digits]
	}
	return s
}

// fits reports whether a text of a shape may have a layout of this one. One or two digits are a day, a month or a year of two digits;
// of the colons, one may be that of an offset, which a text may lack; and letters are the names of weekdays and months.
func (layout shape) fits(text shape) bool {
	switch {
	case layout.digits != text.digits && (layout.digits > 2 || text.digits > 2 || text.digits == 0 || layout.digits == 0):
		return false
	case layout.colons != text.colons && layout.colons != text.colons+1:
		return false
	}
	return layout.next == text.next || layout.digits == 0
}
