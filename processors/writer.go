package processors

import (
	"slices"

	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// outputWriter encodes the outputs of a step into its batch. It fills the outputs in place and encodes each at once, so that a
// step allocates nothing for them.
type outputWriter struct {
	batch    *output.Batch // of the step
	nextID   output.ID     // of the next output of the step
	currency money.Unit

	clv       output.CLVUpdated
	churnRisk output.ChurnRiskUpdated
	promoter  output.PromoterStatusUpdated
	rejection output.Rejection
	alert     output.Alert
	milestone output.Milestone
	erased    output.CustomerErased
	merged    output.CustomerMerged

	// Append of the outputs above: a method value that is made for each call would be allocated.
	appendCLV, appendChurnRisk, appendPromoter, appendRejection, appendAlert, appendMilestone, appendErased, appendMerged func(dst []byte) []byte
}

func (w *outputWriter) init() {
	w.appendCLV, w.appendChurnRisk, w.appendPromoter = w.clv.Append, w.churnRisk.Append, w.promoter.Append
	w.appendRejection, w.appendAlert, w.appendErased, w.appendMerged = w.rejection.Append, w.alert.Append, w.erased.Append, w.merged.Append
	w.appendMilestone = w.milestone.Append
}

func (w *outputWriter) begin(id output.ID, currency money.Unit, batch *output.Batch) {
	w.nextID, w.currency, w.batch = id, currency, batch
}

// aboutCustomer returns what is common to all outputs of a customer. It increments the customer's sequence.
func (w *outputWriter) aboutCustomer(m customer.Moment, c *subject, trigger output.Trigger, cause string) output.About {
	c.state.Sequence++
	a := w.about(m, trigger, cause)
	a.Customer, a.Sequence = c.id, c.state.Sequence
	return a
}

func (w *outputWriter) about(m customer.Moment, trigger output.Trigger, cause string) output.About {
	return output.About{ID: w.nextID, AsOf: m.Now, Trigger: trigger, Cause: output.Text(cause), Currency: w.currency}
}

func (w *outputWriter) write(topic output.Topic, kind string, a *output.About, encode func(dst []byte) []byte) {
	w.writeWithKey(topic, kind, a.Customer, a, encode)
}

func (w *outputWriter) writeWithKey(topic output.Topic, kind, key string, a *output.About, encode func(dst []byte) []byte) {
	w.batch.Append(output.Record{
		Topic: topic, Key: key, Type: kind, Offset: a.ID.Offset, Ordinal: a.ID.Ordinal, Time: a.AsOf, Trigger: a.Trigger,
	}, encode)
	w.nextID.Ordinal++
}

// writeTombstones writes a record without a value into every topic of answers, for subscribers that keep the last record of each key.
func (w *outputWriter) writeTombstones(kind string, trigger output.Trigger, customerID string, asOf int64) {
	for _, topic := range output.AnswerTopics() {
		w.batch.AppendTombstone(output.Record{
			Topic: topic, Key: customerID, Type: kind, Offset: w.nextID.Offset, Ordinal: w.nextID.Ordinal, Time: asOf, Trigger: trigger,
		})
		w.nextID.Ordinal++
	}
}

// reject publishes that an event was not applied, or not wholly.
func (s *step) reject(m customer.Moment, c *subject, e *ledger.Event, change customer.Change) {
	w, o := &s.scratch.writer, s.entry.GetOrigin()
	w.rejection = output.Rejection{
		About: w.about(m, output.TriggerEvent, e.GetId()), Reason: change.Reason, Kind: kindOf(e),
		Topic: o.GetTopic(), Partition: o.GetPartition(), Offset: o.GetOffset(),
	}
	if change.Excess > 0 {
		w.rejection.Excess = output.Some(change.Excess)
	}
	w.writeRejection(c.id)
}

// rejectUnmatched publishes that cancellations were not applied, since their order did not come while it was waited for.
func (s *step) rejectUnmatched(m customer.Moment, c *subject, all []customer.UnmatchedCancellation) {
	w := &s.scratch.writer
	for _, u := range all {
		w.rejection = output.Rejection{
			About: w.about(m, output.TriggerTimer, u.EventID), Reason: output.OrderForgotten, Kind: "cancellation",
			Topic: u.Topic, Partition: u.Partition, Offset: u.Offset,
		}
		w.writeRejection(c.id)
	}
}

func (w *outputWriter) writeRejection(customerID string) {
	w.rejection.Customer = customerID
	w.write(output.Rejections, output.TypeRejection, &w.rejection.About, w.appendRejection)
}

// kindOf is the name of the kind of an event, which has a body.
func kindOf(e *ledger.Event) string {
	kind, _ := event.KindOf(e)
	return kind.String()
}

// payload is a message of the ledger.
type payload interface{ MarshalVT() ([]byte, error) }

// send appends an entry to a partition of this ledger. The fold fills in its origin when it publishes.
func (s *step) send(partition int32, e *ledger.Entry, body payload) {
	blob, err := body.MarshalVT()
	if err != nil {
		panic("marshal an entry: " + err.Error()) // numbers and ids that came from one
	}
	s.out.Sends = append(s.out.Sends, &output.Send{Partition: partition, Entry: ledger.Entry{
		Version: EntryVersion, Kind: e.GetKind(), Customer: e.GetCustomer(), Time: e.GetTime(), Payload: blob, Headers: slices.Clone(s.ledgerEntry.GetHeaders()),
	}})
}
