package processors

// Offset returns the offset of the entry folded last, -1 before the first.
func (p *Partition) Offset() int64 { return p.state.offset }
