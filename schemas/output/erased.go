package output

// CustomerErased is mainstay.customer.erased.v1: the customer was forgotten, and whoever keeps answers about them deletes them. It
// goes to each topic of AnswerTopics, and a tombstone with the same key follows it there. It is the last output of the customer: those
// of a later one with the same id begin with sequence 1.
type CustomerErased struct {
	About
	RequestedAt int64 // ms
}

// Append appends the output as JSON.
func (e *CustomerErased) Append(dst []byte) []byte {
	l := e.begin(dst, TypeErased)
	l.time(`,"requested_at":`, e.RequestedAt)
	l.close()
	return l.dst
}
