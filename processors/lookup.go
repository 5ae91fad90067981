package processors

import (
	"encoding/json"
	"strconv"

	"github.com/mainstay/mainstay/processors/churn"
	"github.com/mainstay/mainstay/processors/clv"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/promoter"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/timestamp"
)

// Answers are a customer's as of a moment, in the form in which they are published.
type Answers struct {
	Customer string
	AsOf     int64  // ms
	Referrer string // whose credit this customer is; empty: nobody's
	CLV      output.CLVUpdated
	Churn    output.ChurnRiskUpdated
	Promoter output.PromoterStatusUpdated
}

// Answer scores a customer without folding anything, as of base time (of the latest event, while base time is undefined), or
// of his last order where that is later. What it says may be ahead of what was published, by less than is material. Neither p
// nor s changes.
func Answer(p *Partition, id string, s *customer.State) Answers {
	t := &p.terms
	m := p.presently(s)
	a := Answers{Customer: id, AsOf: m.Now, Referrer: s.Referrer()}
	about := output.About{
		ID: output.ID{Partition: p.number, Offset: p.offset}, Customer: id, AsOf: m.Now, Sequence: s.Sequence,
		Trigger: output.TriggerReplay, Currency: t.Unit,
	}
	a.CLV.About, a.Churn.About, a.Promoter.About = about, about, about
	said := s.Said
	a.CLV.Previous, a.Churn.Previous, a.Promoter.Previous = previousCLV(&said), previousChurn(&said), previousPromoter(&said)
	value := clv.Score(t, m, s, &said)
	clv.Describe(t, m, &value, s, &a.CLV)
	risk := churn.Score(t, m, s)
	churn.Describe(t, m, &risk, s, &said, &a.Churn)
	voice := promoter.Score(t, m, s)
	promoter.Describe(&voice, &a.Promoter)
	return a
}

// Append writes the answers as one JSON object, as `customer get` prints it.
func (a *Answers) Append(dst []byte) []byte {
	dst = append(dst, `{"customer_id":`...)
	dst = appendText(dst, a.Customer)
	dst = append(dst, `,"as_of":"`...)
	dst = timestamp.Append(dst, a.AsOf)
	dst = append(dst, `","ledger":{"partition":`...)
	dst = strconv.AppendInt(dst, int64(a.CLV.ID.Partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, a.CLV.ID.Offset, 10)
	dst = append(dst, `},"referrer_customer_id":`...)
	if a.Referrer == "" {
		dst = append(dst, "null"...)
	} else {
		dst = appendText(dst, a.Referrer)
	}
	dst = a.CLV.Append(append(dst, `,"clv":`...))
	dst = a.Churn.Append(append(dst, `,"churn_risk":`...))
	dst = a.Promoter.Append(append(dst, `,"promoter_status":`...))
	return append(dst, '}')
}

func appendText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("marshal a string: " + err.Error()) // none fails
	}
	return append(dst, text...)
}

// Today is base time as a civil day of the ledger's timezone, with its fraction; false while base time is undefined.
func (p *Partition) Today() (day float64, ok bool) {
	return float64(p.terms.Local(p.base)) / customer.DayMS, p.based
}

// MinorPerUnit is how many minor units a unit of the base currency has.
func (p *Partition) MinorPerUnit() float64 { return 1 / p.terms.Unit.Major(1) }

// ValidateParameters returns an error that names what is wrong with parameters that are to become an entry, nil if nothing is.
func ValidateParameters(v *ledger.Parameters) error { return validateParameters(v) }
