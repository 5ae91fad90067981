package output

import (
	"strconv"

	"github.com/mainstay/mainstay/schemas/money"
)

// Types of outputs, as event_type and ce_type state them.
const (
	TypeCLV            = "mainstay.customer.clv.updated.v1"
	TypeChurnRisk      = "mainstay.customer.churn_risk.updated.v1"
	TypePromoterStatus = "mainstay.customer.promoter_status.updated.v1"
	TypeAlertRaised    = "mainstay.alert.raised.v1"
	TypeAlertCleared   = "mainstay.alert.cleared.v1"
	TypeMilestone      = "mainstay.customer.milestone.reached.v1"
	TypePortfolio      = "mainstay.portfolio.updated.v1"
	TypeSegment        = "mainstay.segment.updated.v1"
	TypeRejection      = "mainstay.rejection.v1"
	TypeErased         = "mainstay.customer.erased.v1"
	TypeMerged         = "mainstay.customer.merged.v1"
)

// Ends reports whether outputs of a type say that the customer is no more: erased, or merged into another.
func Ends(outputType string) bool { return outputType == TypeErased || outputType == TypeMerged }

// PortfolioKey is the record key of portfolio outputs. The key of a segment is SegmentUpdated.Key, that of all other outputs the customer id.
const PortfolioKey = "portfolio"

// ID identifies an output: the ledger entry that caused it and its place among that entry's outputs. A replay gives the same ID.
type ID struct {
	Partition int32  // of the ledger
	Offset    int64  // of the entry
	Ordinal   uint32 // among the outputs of the entry
}

// Append writes <ledger partition>-<offset>-<ordinal>.
func (id ID) Append(dst []byte) []byte {
	dst = strconv.AppendInt(dst, int64(id.Partition), 10)
	dst = append(dst, '-')
	dst = strconv.AppendInt(dst, id.Offset, 10)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, uint64(id.Ordinal), 10)
}

// About holds the fields that all outputs have in common.
type About struct {
	ID       ID
	Customer string      // id
	AsOf     int64       // time of the ledger as of which the output is computed, ms
	Sequence uint64      // number of the output among those of the customer, from 1
	Trigger  Trigger     // what caused the output
	Cause    Opt[string] // event_id of the event that caused it, of a credit that of the referred customer; unknown for timers and new terms
	Currency money.Unit  // the base currency, in which all amounts are stated
}

// Model identifies the parameters that a score was computed with.
type Model struct {
	Name    string // mbg_nbd
	Version uint64
	Status  string // prior, provisional or fitted
}

// begin writes the fields that all outputs with a sequence have in common.
func (a *About) begin(dst []byte, eventType string) line {
	l := a.identify(dst, eventType)
	l.text(`,"customer_id":`, a.Customer)
	l.time(`,"as_of":`, a.AsOf)
	l.key(`,"sequence":`)
	l.dst = strconv.AppendUint(l.dst, a.Sequence, 10)
	a.attribute(&l)
	return l
}

func (a *About) identify(dst []byte, eventType string) line {
	l := line{dst: dst, unit: a.Currency}
	l.key(`{"event_id":"`)
	l.dst = a.ID.Append(l.dst)
	l.key(`","event_type":"`)
	l.key(eventType)
	l.key(`"`)
	return l
}

func (a *About) attribute(l *line) {
	l.key(`,"trigger":"`)
	l.key(a.Trigger.String())
	l.key(`"`)
	l.optText(`,"cause_event_id":`, a.Cause)
	l.text(`,"currency":`, a.Currency.Code)
}

func (m *Model) append(l *line) {
	l.key(`,"model":{`)
	l.text(`"name":`, m.Name)
	l.key(`,"version":`)
	l.dst = strconv.AppendUint(l.dst, m.Version, 10)
	l.text(`,"status":`, m.Status)
	l.close()
}
