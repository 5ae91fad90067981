package output

// SegmentUpdated is mainstay.segment.updated.v1: the figures of a segment of customers at the end of a civil day. It has no customer and no
// sequence.
type SegmentUpdated struct {
	About
	Dimension string
	Segment   string
	Figures   []Figure // in the order in which they are written
}

// Figure is a figure by its name.
type Figure struct {
	Name string
	JSON []byte
}

// Key returns the record key: <dimension>/<segment>.
func (e *SegmentUpdated) Key() string { return e.Dimension + "/" + e.Segment }

// Append appends the output as JSON.
func (e *SegmentUpdated) Append(dst []byte) []byte {
	l := e.identify(dst, TypeSegment)
	l.time(`,"as_of":`, e.AsOf)
	e.attribute(&l)
	l.text(`,"dimension":`, e.Dimension)
	l.text(`,"segment":`, e.Segment)
	for i := range e.Figures {
		l.key(`,"` + e.Figures[i].Name + `":`)
		l.dst = append(l.dst, e.Figures[i].JSON...)
	}
	l.close()
	return l.dst
}
