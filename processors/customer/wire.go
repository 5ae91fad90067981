package customer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/mainstay/mainstay/pkg/lifetimes"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/state"
)

// ErrMalformed means that Encode did not write the blob.
var ErrMalformed = errors.New("malformed customer state")

// messages are reused, so that Encode rarely allocates.
var messages = sync.Pool{New: func() any { return new(state.Customer) }} //nolint:gochecknoglobals // memory, no state

// Encode appends the state in its canonical form: equal states give equal bytes.
func (s *State) Encode(dst []byte) []byte {
	w := messages.Get().(*state.Customer)
	defer messages.Put(w)
	s.write(w)
	n := w.SizeVT()
	start := len(dst)
	dst = append(dst, make([]byte, n)...)
	if _, err := w.MarshalToSizedBufferVT(dst[start:]); err != nil {
		panic(fmt.Sprintf("marshal into %d bytes of its own size: %v", n, err)) // nothing in it can fail
	}
	return dst
}

func (s *State) write(w *state.Customer) {
	*w = state.Customer{
		OrderMarks: w.OrderMarks[:0], OrderAt: w.OrderAt[:0], OrderTotal: w.OrderTotal[:0], OrderShift: w.OrderShift[:0], OrderSeen: w.OrderSeen[:0],
		OrderDetails: w.OrderDetails[:0], Day: w.Day[:0], DayOrders: w.DayOrders[:0], DayNet: w.DayNet[:0],
		Recent: w.Recent[:0], RecentDay: w.RecentDay[:0], Responses: w.Responses[:0], Referrals: w.Referrals[:0],
		CreditFrom: w.CreditFrom[:0], CreditNet: w.CreditNet[:0], LastPublished: w.LastPublished, Promise: w.Promise[:0], Losses: w.Losses[:0], Alerts: w.Alerts, Milestones: w.Milestones,
		Trait: w.Trait[:0], TraitText: w.TraitText[:0], TraitAt: w.TraitAt[:0], TraitOrder: w.TraitOrder[:0], TraitUpdated: w.TraitUpdated[:0],
		Attribute: w.Attribute[:0], AttributeText: w.AttributeText[:0],
	}
	if p := s.Promise; p.Days > 0 {
		w.Promise = append(w.Promise, p.Day, p.Days, p.Probability, p.Orders)
	}
	w.Sequence, w.Deadline, w.ClosedDay = s.Sequence, s.Next, s.ClosedDay
	w.ForgottenRefunds, w.ForgottenAt = s.forgottenRefunds, s.forgottenAt
	w.AccountClosedAt, w.SubscriptionEndedAt = s.AccountClosedAt, s.SubscriptionEndedAt
	w.AccountCloseReason, w.SubscriptionEndReason = s.AccountCloseReason, s.SubscriptionEndReason
	w.CreditedTo, w.Credited = s.Credited.To, s.Credited.Net
	w.ForgottenCancellations = s.forgottenCancellations.Encode()
	s.writeOrderLog(w)
	s.writeDays(w)
	s.writeTraits(w)
	s.writeEngagement(w)
	w.Milestones = s.milestones.write(s.orders, w.Milestones)
	day := int32(0)
	for _, r := range s.recent {
		w.Recent, w.RecentDay = append(w.Recent, r.fingerprint), append(w.RecentDay, r.day-day)
		day = r.day
	}
	former := int32(0)
	for _, l := range s.Losses {
		code := 2 * l.Day
		if l.Stated {
			code++
		}
		w.Losses = append(w.Losses, code-former)
		former = code
	}
	for i := range s.responses {
		r := &s.responses[i]
		w.Responses = append(w.Responses, &state.Response{
			Id: r.ID, SurveyId: r.SurveyID, Type: uint32(r.Type), Score: r.Score, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt - r.CreatedAt, //nolint:gosec // bits, not a number
			Excluded: r.Excluded, Comment: r.Comment, Dimension: r.Dimension,
		})
	}
	for _, r := range s.referrals {
		w.Referrals = append(w.Referrals, &state.Referral{Id: r.id, Referrer: r.referrer, Voided: r.voided, Pending: r.pending, At: r.at})
	}
	for _, c := range s.credits {
		w.CreditFrom, w.CreditNet = append(w.CreditFrom, c.from), append(w.CreditNet, c.net)
	}
	if slices.ContainsFunc(s.credits, func(c credit) bool { return c.version != 0 }) {
		for _, c := range s.credits {
			w.CreditVersion = append(w.CreditVersion, c.version)
		}
	}
	if r := s.rare; r != nil {
		w.UnnamedCredits, w.UnnamedCredit = r.credits, r.credit
		if s.namesOthers() {
			w.Unnamings = r.compared
		}
		w.MergedInto, w.MergedAt, w.Merged = r.mergedInto, r.mergedAt, r.merged
		w.CallMark = r.callMark.write()
	}
	if w.LastPublished == nil {
		w.LastPublished = new(state.LastPublished)
	}
	s.writeLastPublished(w.LastPublished)
	if w.Alerts == nil {
		w.Alerts = new(state.Alerts)
	}
	s.writeAlerts(w.Alerts)
}

func (s *State) writeLastPublished(w *state.LastPublished) {
	last := &s.LastPublished
	*w = state.LastPublished{
		Clv: last.CLV, PredictedKnown: last.PredictedKnown, Predicted: last.Predicted, Tier: uint32(last.Tier),
		ChurnClass: uint32(last.Churn), ChurnProbability: uint32(last.Probability + 1), //nolint:gosec // -1 at least
		Category: uint32(last.Category), Score: uint32(last.Score + 1), Responses: uint32(last.Responses), //nolint:gosec // likewise
		Action: last.Action, ExpectedOrders: last.ExpectedOrders, OrdersVariance: last.OrdersVariance, PredictedDeviation: last.PredictedDeviation,
	}
	if b := &last.BeforeCLV; b.Day != 0 {
		w.MovedDay, w.MovedHistoric, w.MovedPredicted = b.Day, b.Historic-last.Historic, b.Predicted-last.Predicted
		w.MovedReferralValue, w.MovedOrders = b.ReferralValue-last.ReferralValue, b.Orders-last.Orders
		if b.Tier != last.Tier {
			w.MovedTier = uint32(b.Tier) + 1
		}
	}
	if b := &last.BeforeStatus; b.Day != 0 {
		w.MovedStatusDay, w.MovedScore, w.MovedResponses, w.MovedAction = b.Day, b.Score-last.Score, b.Responses-last.Responses, b.Action
	}
	if last.CLV {
		w.Historic, w.Orders, w.ReferralValue = last.Historic-s.Historic(), last.Orders-s.orders, last.ReferralValue-s.credit
	}
}

func (s *State) writeOrderLog(w *state.Customer) {
	b := &s.orderLog
	unit := int64(1000)
	for i := range b.rows {
		if b.rows[i].occurredAt%unit != 0 {
			unit, w.OrderUnit = 1, 1
			break
		}
	}
	var at, total int64
	shifted, late, index := false, false, 0
	for i := range b.rows {
		o, fingerprint := &b.rows[i], b.fingerprints[i]
		w.OrderMarks = append(w.OrderMarks, byte(fingerprint>>48), byte(fingerprint>>40), byte(fingerprint>>32), byte(fingerprint>>24), byte(fingerprint>>16), byte(fingerprint>>8), byte(fingerprint)) //nolint:gosec // bits, not a number
		w.OrderAt = append(w.OrderAt, o.occurredAt/unit-at)
		w.OrderTotal = append(w.OrderTotal, o.total-total)
		w.OrderShift = append(w.OrderShift, o.day-dayOf(o.occurredAt))
		w.OrderSeen = append(w.OrderSeen, o.foldedDay-dayOf(o.occurredAt))
		at, total = o.occurredAt/unit, o.total
		shifted, late = shifted || o.day != dayOf(o.occurredAt), late || o.foldedDay != dayOf(o.occurredAt)
		if o.flags != 0 || o.details != nil {
			w.OrderDetails = append(w.OrderDetails, o.write(uint32(i-index))) //nolint:gosec // rises
			index = i
		}
	}
	if !shifted {
		w.OrderShift = w.OrderShift[:0]
	}
	if !late {
		w.OrderSeen = w.OrderSeen[:0]
	}
}

func (o *order) write(index uint32) *state.OrderDetail {
	w := &state.OrderDetail{Index: index, Flags: uint32(o.flags)}
	if d := o.details; d != nil {
		w.UpdatedAt = d.updatedAt
		if o.flags&(pending|timeStoodIn) == 0 {
			w.TimeAge = d.updatedAt - d.timeAt
		}
		if o.flags&statusStated != 0 {
			w.StatusAge = d.updatedAt - d.statusAt
		}
		if o.flags&refundsStated != 0 {
			w.RefundsAge = d.updatedAt - d.refundsAt
		}
		if f := d.foreign; f != nil {
			w.Foreign = &state.ForeignTotal{Currency: f.currency, Total: f.total, Numerator: f.numerator, Denominator: f.denominator}
		}
		for i := range d.refunds {
			r := &d.refunds[i]
			w.Refund, w.RefundTotal = append(w.Refund, r.fingerprint), append(w.RefundTotal, r.total)
			w.RefundAt = append(w.RefundAt, (r.at-wholeSeconds(o.occurredAt))/1000)
			if r.reason != "" {
				w.RefundReasons = append(w.RefundReasons, &state.RefundReason{Index: uint32(i), Reason: r.reason})
			}
			if r.currency != "" {
				w.ForeignRefunds = append(w.ForeignRefunds, &state.ForeignRefund{Index: uint32(i), Currency: r.currency, Amount: r.amount})
			}
		}
		if d.reason != "" {
			w.Reason, w.ReasonAge = d.reason, d.updatedAt-d.reasonAt
		}
		if d.cancellation != nil {
			w.EventId, w.Topic, w.Partition, w.Offset = d.cancellation.eventID, d.cancellation.topic, d.cancellation.partition, d.cancellation.offset
		}
	}
	return w
}

// writeDays writes the purchase days without the orders that are in memory, from which Decode adds them again. The orders are in
// the order of time, and so are their days, except where a clock is set back at midnight.
func (s *State) writeDays(w *state.Customer) {
	buffer := dayBuffers.Get().(*dayBuffer)
	defer dayBuffers.Put(buffer)
	buffer.days = append(buffer.days[:0], s.days...)
	left, at := buffer.days, -1
	for i := range s.orderLog.rows {
		o := &s.orderLog.rows[i]
		if !o.stands() {
			continue
		}
		if at < 0 || left[at].Day != o.day { // most orders are on the day of the order before
			at = searchDay(left, o.day)
		}
		if at >= 0 {
			left[at].Orders--
			left[at].Net -= o.net()
		}
	}
	day := int32(0)
	for _, d := range left {
		if d.Orders == 0 && d.Net == 0 {
			continue
		}
		w.Day, w.DayOrders, w.DayNet = append(w.Day, d.Day-day), append(w.DayOrders, int64(d.Orders)), append(w.DayNet, d.Net)
		day = d.Day
	}
}

type dayBuffer struct{ days lifetimes.History }

var dayBuffers = sync.Pool{New: func() any { return new(dayBuffer) }} //nolint:gochecknoglobals // memory, no state

// searchDay returns the index of a day in days, -1 if it is not there.
func searchDay(days lifetimes.History, day int32) int {
	low, high := 0, len(days)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if days[middle].Day < day {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(days) && days[low].Day == day {
		return low
	}
	return -1
}

// Decode reads a state that Encode wrote.
func Decode(blob []byte) (*State, error) {
	w := new(state.Customer)
	if err := w.UnmarshalVT(blob); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	s := New()
	s.Sequence, s.Next, s.ClosedDay = w.GetSequence(), w.GetDeadline(), w.GetClosedDay()
	s.forgottenRefunds, s.forgottenAt = w.GetForgottenRefunds(), w.GetForgottenAt()
	s.AccountClosedAt, s.SubscriptionEndedAt = w.GetAccountClosedAt(), w.GetSubscriptionEndedAt()
	s.AccountCloseReason, s.SubscriptionEndReason = w.GetAccountCloseReason(), w.GetSubscriptionEndReason()
	s.Credited = Credited{To: w.GetCreditedTo(), Net: w.GetCredited()}
	s.forgottenCancellations = DecodeCancellations(w.ForgottenCancellations)
	if err := s.readDays(w); err != nil {
		return nil, err
	}
	if err := s.readOrderLog(w); err != nil {
		return nil, err
	}
	if err := s.readTraits(w); err != nil {
		return nil, err
	}
	if err := s.readEngagement(w.GetEngagement()); err != nil {
		return nil, err
	}
	if err := s.milestones.read(w.GetMilestones(), s.orders); err != nil {
		return nil, err
	}
	if len(w.Recent) != len(w.RecentDay) || len(w.CreditFrom) != len(w.CreditNet) || len(w.CreditVersion) != 0 && len(w.CreditVersion) != len(w.CreditFrom) {
		return nil, fmt.Errorf("%w: columns of recent events or credits of different length", ErrMalformed)
	}
	day := int32(0)
	for i, fingerprint := range w.Recent {
		day += w.RecentDay[i]
		s.recent = append(s.recent, recent{fingerprint: fingerprint, day: day})
	}
	for _, r := range w.Responses {
		s.responses = append(s.responses, Response{
			ID: r.GetId(), SurveyID: r.GetSurveyId(), Type: ledger.SurveyType(r.GetType()), Score: r.GetScore(), //nolint:gosec // as written
			CreatedAt: r.GetCreatedAt(), UpdatedAt: r.GetCreatedAt() + r.GetUpdatedAt(), Excluded: r.GetExcluded(), Comment: r.GetComment(), Dimension: r.GetDimension(),
		})
	}
	for _, r := range w.Referrals {
		s.referrals = append(s.referrals, referral{id: r.GetId(), referrer: r.GetReferrer(), voided: r.GetVoided(), pending: r.GetPending(), at: r.GetAt()})
	}
	//mutant:mark-lost-on-reclaim insert w.CallMark = nil
	//mutant:unnamed-credit-lost-on-reclaim insert w.UnnamedCredits, w.UnnamedCredit = 0, 0
	if w.GetUnnamedCredits() != 0 || w.GetUnnamings() != 0 || w.GetMergedAt() != 0 || len(w.Merged) > 0 || w.GetCallMark() != nil {
		s.rare = &rare{
			credits: w.GetUnnamedCredits(), credit: w.GetUnnamedCredit(), compared: w.GetUnnamings(),
			mergedInto: w.GetMergedInto(), mergedAt: w.GetMergedAt(), merged: w.Merged,
			callMark: readCallMark(w.GetCallMark()),
		}
		s.credit += s.rare.credit
	}
	for i, from := range w.CreditFrom {
		//mutant:credits-lost-on-reclaim insert continue
		c := credit{from: from, net: w.CreditNet[i]}
		if len(w.CreditVersion) > 0 {
			c.version = w.CreditVersion[i]
		}
		s.putCredit(i, false, c)
	}
	s.readLastPublished(w.GetLastPublished())
	if err := s.readPromise(w.Promise); err != nil {
		return nil, err
	}
	s.readAlerts(w.GetAlerts())
	code := int32(0)
	for _, step := range w.Losses {
		//mutant:losses-lost-on-reclaim insert continue
		code += step
		s.Losses = append(s.Losses, Loss{Day: code >> 1, Stated: code&1 == 1})
	}
	return s, nil
}

func (s *State) readLastPublished(w *state.LastPublished) {
	s.LastPublished = LastPublished{
		CLV: w.GetClv(), PredictedKnown: w.GetPredictedKnown(), Predicted: w.GetPredicted(), Tier: Tier(w.GetTier() & 3),
		Churn: Class(min(w.GetChurnClass(), uint32(Churned))), Probability: int32(w.GetChurnProbability()) - 1, //nolint:gosec // as written
		Category: Category(min(w.GetCategory(), uint32(Unknown))), Score: int32(w.GetScore()) - 1, Responses: int32(w.GetResponses()), //nolint:gosec // as written
		Action: w.GetAction(), ExpectedOrders: w.GetExpectedOrders(), OrdersVariance: w.GetOrdersVariance(), PredictedDeviation: w.GetPredictedDeviation(),
	}
	if s.LastPublished.CLV {
		s.LastPublished.Historic, s.LastPublished.Orders, s.LastPublished.ReferralValue = w.GetHistoric()+s.Historic(), w.GetOrders()+s.orders, w.GetReferralValue()+s.credit
	}
	last := &s.LastPublished
	if w.GetMovedDay() != 0 {
		last.BeforeCLV = CLVBefore{
			Day: w.GetMovedDay(), Historic: last.Historic + w.GetMovedHistoric(), Predicted: last.Predicted + w.GetMovedPredicted(),
			ReferralValue: last.ReferralValue + w.GetMovedReferralValue(), Orders: last.Orders + w.GetMovedOrders(), Tier: last.Tier,
		}
		if w.GetMovedTier() != 0 {
			last.BeforeCLV.Tier = Tier((w.GetMovedTier() - 1) & 3)
		}
	}
	if w.GetMovedStatusDay() != 0 {
		last.BeforeStatus = StatusBefore{
			Day: w.GetMovedStatusDay(), Score: last.Score + w.GetMovedScore(), Responses: last.Responses + w.GetMovedResponses(), Action: w.GetMovedAction(),
		}
	}
}

func (s *State) readPromise(w []uint32) error {
	if len(w) == 0 {
		return nil
	}
	if len(w) != 4 || w[1] == 0 || w[0] > math.MaxInt32/2 || w[1] > math.MaxInt32/2 {
		return fmt.Errorf("%w: promise", ErrMalformed)
	}
	s.Promise = Promise{Day: w[0], Days: w[1], Probability: w[2], Orders: w[3]}
	return nil
}

func (s *State) readDays(w *state.Customer) error {
	if len(w.Day) != len(w.DayOrders) || len(w.Day) != len(w.DayNet) {
		return fmt.Errorf("%w: columns of days of different length", ErrMalformed)
	}
	s.days = make(lifetimes.History, 0, len(w.Day)+len(w.OrderAt))
	day := int32(0)
	for i, step := range w.Day {
		if day += step; i > 0 && step <= 0 || w.DayOrders[i] < 0 || w.DayOrders[i] > math.MaxUint32 {
			return fmt.Errorf("%w: purchase days out of order", ErrMalformed)
		}
		s.days = append(s.days, lifetimes.Day{Day: day, Orders: uint32(w.DayOrders[i]), Net: w.DayNet[i]})
		s.orders += w.DayOrders[i]
		s.net += w.DayNet[i]
	}
	return nil
}

func (s *State) readOrderLog(w *state.Customer) error {
	n := len(w.OrderAt)
	if len(w.OrderMarks) != 7*n || len(w.OrderTotal) != n || len(w.OrderShift) != 0 && len(w.OrderShift) != n || len(w.OrderSeen) != 0 && len(w.OrderSeen) != n {
		return fmt.Errorf("%w: columns of orders of different length", ErrMalformed)
	}
	unit := w.GetOrderUnit()
	if unit == 0 {
		unit = 1000
	}
	s.orderLog = orderLog{fingerprints: make([]uint64, n), rows: make([]order, n)}
	var at, total int64
	for i := range s.orderLog.rows {
		m := w.OrderMarks[7*i : 7*i+7]
		s.orderLog.fingerprints[i] = uint64(m[0])<<48 | uint64(m[1])<<40 | uint64(m[2])<<32 | uint64(m[3])<<24 | uint64(m[4])<<16 | uint64(m[5])<<8 | uint64(m[6])
		at, total = at+w.OrderAt[i], total+w.OrderTotal[i]
		o := &s.orderLog.rows[i]
		o.occurredAt, o.total = at*unit, total
		o.day, o.foldedDay = dayOf(o.occurredAt), dayOf(o.occurredAt)
		if len(w.OrderShift) != 0 {
			o.day += w.OrderShift[i]
		}
		if len(w.OrderSeen) != 0 {
			o.foldedDay += w.OrderSeen[i]
		}
	}
	index := 0
	for _, d := range w.OrderDetails {
		if index += int(d.GetIndex()); index >= n || len(d.Refund) != len(d.RefundTotal) || len(d.Refund) != len(d.RefundAt) {
			return fmt.Errorf("%w: details of no order", ErrMalformed)
		}
		if err := s.orderLog.rows[index].read(d); err != nil {
			return err
		}
	}
	for i := range s.orderLog.rows {
		o := &s.orderLog.rows[i]
		if o.stands() {
			s.days = s.days.Add(o.day, o.net())
			s.net += o.net()
			s.orders++
		}
		if o.flags&pending != 0 {
			s.pending++
		}
		s.unmatched += o.pendingRefunds()
		o.eachCancellation(s.cancellations.Add)
	}
	return nil
}

func (o *order) read(w *state.OrderDetail) error {
	o.flags = uint8(w.GetFlags() & (pending | cancelled | timeStoodIn | statusStated | refundsStated))
	d := &details{updatedAt: w.GetUpdatedAt()}
	if o.flags&(pending|timeStoodIn) == 0 {
		d.timeAt = d.updatedAt - w.GetTimeAge()
	}
	if o.flags&statusStated != 0 {
		d.statusAt = d.updatedAt - w.GetStatusAge()
	}
	if o.flags&refundsStated != 0 {
		d.refundsAt = d.updatedAt - w.GetRefundsAge()
	}
	if f := w.GetForeign(); f != nil {
		if f.GetNumerator() <= 0 || f.GetDenominator() <= 0 || f.GetTotal() < 0 {
			return fmt.Errorf("%w: total in another currency", ErrMalformed)
		}
		d.foreign = &foreign{currency: f.GetCurrency(), total: f.GetTotal(), numerator: f.GetNumerator(), denominator: f.GetDenominator()}
	}
	for i, fingerprint := range w.Refund {
		if w.RefundTotal[i] < 0 {
			return fmt.Errorf("%w: refund below 0", ErrMalformed)
		}
		d.refunds = append(d.refunds, refund{fingerprint: fingerprint, total: w.RefundTotal[i], at: wholeSeconds(o.occurredAt) + w.RefundAt[i]*1000})
	}
	for _, f := range w.ForeignRefunds {
		if int(f.GetIndex()) >= len(d.refunds) {
			return fmt.Errorf("%w: amount of no refund", ErrMalformed)
		}
		d.refunds[f.GetIndex()].currency, d.refunds[f.GetIndex()].amount = f.GetCurrency(), f.GetAmount()
	}
	for _, r := range w.RefundReasons {
		//mutant:refund-reason-lost insert continue
		if int(r.GetIndex()) >= len(d.refunds) {
			return fmt.Errorf("%w: reason of no refund", ErrMalformed)
		}
		d.refunds[r.GetIndex()].reason = r.GetReason()
	}
	if d.reason = w.GetReason(); d.reason != "" {
		d.reasonAt = d.updatedAt - w.GetReasonAge()
	}
	if w.GetTopic() != "" || w.GetEventId() != "" {
		d.cancellation = &pendingCancellation{eventID: w.GetEventId(), topic: w.GetTopic(), partition: w.GetPartition(), offset: w.GetOffset()}
	}
	o.details = d
	o.sumRefunds()
	o.dropEmptyDetails()
	return nil
}
