package output

// CustomerMerged is mainstay.customer.merged.v1: the customer is the same person as another, with whom everything about them is counted
// from now on. Whoever keeps answers about them deletes them, or keeps them with the other's. It goes to each topic of AnswerTopics, and a
// tombstone with the same key follows it there.
type CustomerMerged struct {
	About
	Into string // id of the customer who remains
}

// Append appends the output as JSON.
func (e *CustomerMerged) Append(dst []byte) []byte {
	l := e.begin(dst, TypeMerged)
	l.text(`,"merged_into":`, e.Into)
	l.close()
	return l.dst
}
