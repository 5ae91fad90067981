package processors

import (
	"encoding/binary"

	"github.com/mainstay/mainstay/schemas/ledger"
)

// eventReader decodes events into memory of its own. What it returns points into the payload and is valid until the next
// read: whoever keeps a string clones it.
type eventReader struct {
	event        ledger.Event
	purchase     ledger.Purchase
	cancellation ledger.Cancellation
	referral     ledger.Referral
	survey       ledger.Survey
}

// Field numbers of the bodies in ledger.Event.
const (
	purchaseField     = 10
	cancellationField = 11
	referralField     = 12
	surveyField       = 13
)

func (r *eventReader) read(payload []byte) (*ledger.Event, error) {
	r.event = ledger.Event{}
	e := &r.event
	// The body is made ready before decoding, which otherwise makes a new one.
	switch bodyOf(payload) {
	case purchaseField:
		r.purchase = ledger.Purchase{Refunds: r.purchase.Refunds[:0]}
		e.Purchase = &r.purchase
	case cancellationField:
		r.cancellation = ledger.Cancellation{}
		e.Cancellation = &r.cancellation
	case referralField:
		r.referral = ledger.Referral{}
		e.Referral = &r.referral
	case surveyField:
		r.survey = ledger.Survey{}
		e.Survey = &r.survey
	}
	if err := e.UnmarshalVTUnsafe(payload); err != nil {
		return nil, err
	}
	if !complete(e) {
		return nil, errBody
	}
	return e, nil
}

// complete says that exactly one body is set, and of a kind that is known.
func complete(e *ledger.Event) bool {
	n := 0
	if e.Purchase != nil {
		n++
	}
	if e.Referral != nil {
		n++
		if s := e.Referral.GetStatus(); s < ledger.ReferralStatus_REFERRAL_STATUS_PENDING || s > ledger.ReferralStatus_REFERRAL_STATUS_VOIDED {
			return false
		}
	}
	if e.Survey != nil {
		n++
		if e.Survey.GetType() == ledger.SurveyType_SURVEY_TYPE_UNSPECIFIED {
			return false
		}
	}
	if e.Cancellation != nil {
		n++
		if k := e.Cancellation.GetKind(); k < ledger.CancellationKind_CANCELLATION_KIND_ORDER || k > ledger.CancellationKind_CANCELLATION_KIND_ACCOUNT {
			return false
		}
	}
	return n == 1
}

// bodyOf returns the field number of the first body in an encoded event, 0 if there is none or the bytes are no message;
// decoding then says which.
func bodyOf(b []byte) int {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0
		}
		if field := int(tag >> 3); field >= purchaseField && field <= surveyField {
			return field
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
			if _, n = binary.Uvarint(b); n <= 0 {
				return 0
			}
		case 1:
			n = 8
		case 2:
			size, m := binary.Uvarint(b)
			if m <= 0 || size > uint64(len(b)-m) { //nolint:gosec // m is at most len(b)
				return 0
			}
			n = m + int(size) //nolint:gosec // at most len(b)
		case 5:
			n = 4
		default:
			return 0
		}
		if n > len(b) {
			return 0
		}
		b = b[n:]
	}
	return 0
}
