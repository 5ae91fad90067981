package processors

import (
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// voice is what a step is saying. The outputs are filled in place and encoded at once, so that a step allocates nothing
// for them.
type voice struct {
	step     *step
	ordinal  uint32
	value    output.CLVUpdated
	risk     output.ChurnRiskUpdated
	promoter output.PromoterStatusUpdated
	rejected output.Rejection
	alert    output.Alert
	counts   []AlertCount // of this step

	scored    scored
	evaluator alert.Evaluator

	appendCLV, appendRisk, appendPromoter, appendRejection, appendAlert func(dst []byte) []byte
}

func (v *voice) init() {
	v.appendAlert = v.alert.Append
	v.appendCLV, v.appendRisk, v.appendPromoter, v.appendRejection = v.value.Append, v.risk.Append, v.promoter.Append, v.rejected.Append
}

func (v *voice) begin(s *step) { v.step, v.ordinal, v.counts = s, 0, v.counts[:0] }

// about is common to all outputs of a customer. It counts the sequence on.
func (v *voice) about(m customer.Moment, c *subject, trigger output.Trigger, cause string) output.About {
	c.state.Sequence++
	a := v.identify(m, trigger, cause)
	a.Customer, a.Sequence = c.id, c.state.Sequence
	return a
}

func (v *voice) identify(m customer.Moment, trigger output.Trigger, cause string) output.About {
	s := v.step
	return output.About{
		ID:   output.ID{Partition: s.number, Offset: s.offset, Ordinal: v.ordinal},
		AsOf: m.Now, Trigger: trigger, Cause: output.Text(cause), Currency: s.Partition.terms.Unit,
	}
}

func (v *voice) say(topic output.Topic, kind string, a *output.About, encode func(dst []byte) []byte) {
	key := a.Customer
	if topic == output.Portfolio {
		key = output.PortfolioKey
	}
	v.step.out.Append(output.Record{
		Topic: topic, Key: key, Type: kind, Offset: a.ID.Offset, Ordinal: a.ID.Ordinal, Time: a.AsOf, Trigger: a.Trigger,
	}, encode)
	v.ordinal++
}

// reject says that an event was not applied, or not wholly.
func (s *step) reject(m customer.Moment, c *subject, e *ledger.Event, change customer.Change) {
	o := s.entry.GetOrigin()
	r := &s.voice.rejected
	*r = output.Rejection{
		About: s.voice.identify(m, output.TriggerEvent, e.GetId()), Reason: change.Reason, Kind: kindOf(e),
		Topic: o.GetTopic(), Partition: o.GetPartition(), Offset: o.GetOffset(),
	}
	r.Customer = c.id
	if change.Excess > 0 {
		r.Excess = output.Some(change.Excess)
	}
	s.voice.say(output.Rejections, output.TypeRejection, &r.About, s.voice.appendRejection)
}

// left rejects cancellations that have waited for their order in vain.
func (s *step) left(m customer.Moment, c *subject, all []customer.Unclaimed) {
	for _, u := range all {
		r := &s.voice.rejected
		*r = output.Rejection{
			About: s.voice.identify(m, output.TriggerTimer, u.EventID), Reason: output.OrderForgotten, Kind: "cancellation",
			Topic: u.Topic, Partition: u.Partition, Offset: u.Offset,
		}
		r.Customer = c.id
		s.voice.say(output.Rejections, output.TypeRejection, &r.About, s.voice.appendRejection)
	}
}

// kindOf is the name of the kind of an event, which has a body.
func kindOf(e *ledger.Event) string {
	kind, _ := event.KindOf(e)
	return kind.String()
}

// payload is a message of the ledger.
type payload interface{ MarshalVT() ([]byte, error) }

// send appends an entry to a partition of this ledger; its origin is filled in by whoever publishes.
func (s *step) send(partition int32, e *ledger.Entry, body payload) {
	blob, err := body.MarshalVT()
	if err != nil {
		panic("marshal an entry: " + err.Error()) // numbers and ids that came from one
	}
	s.out.Sends = append(s.out.Sends, &output.Send{Partition: partition, Entry: ledger.Entry{
		Version: EntryVersion, Kind: e.GetKind(), Customer: e.GetCustomer(), Time: e.GetTime(), Payload: blob,
	}})
}
