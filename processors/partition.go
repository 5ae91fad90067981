package processors

import (
	"fmt"
	"time"
	_ "time/tzdata" // days are civil days, also where the machine has no time zones

	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/calendar"
	"github.com/mainstay/mainstay/processors/calibration"
	"github.com/mainstay/mainstay/processors/cost"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/model"
	"github.com/mainstay/mainstay/processors/portfolio"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/processors/trait"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
	"github.com/mainstay/mainstay/schemas/state"
)

// Partition is a ledger partition as Step folds it: all that Step reads and that belongs to no single customer. It is not safe
// for use by several goroutines.
type Partition struct {
	state partitionState

	terms    customer.Terms     // derived from state by deriveTerms
	rules    alert.Rules        // likewise
	predicts *ledger.Parameters // those that terms.Purchases has

	scratch scratch // memory of the step under way
}

// NewPartition returns a partition before its first entry, which must be genesis.
func NewPartition(number int32) *Partition {
	p := &Partition{state: newPartitionState(number)}
	p.scratch.writer.init()
	p.deriveTerms()
	return p
}

// DecodePartition decodes a state that Encode wrote. Its errors wrap ErrState.
func DecodePartition(blob []byte) (*Partition, error) {
	s, err := decodePartitionState(blob)
	if err != nil {
		return nil, err
	}
	p := &Partition{state: s}
	p.scratch.writer.init()
	if s.genesis != nil {
		if err := p.adoptGenesis(s.genesis); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	p.deriveTerms()
	return p, nil
}

// Encode appends the state in its canonical form: equal states are equal bytes.
func (p *Partition) Encode(dst []byte) []byte {
	w := p.state.encode()
	start, n := len(dst), w.SizeVT()
	dst = append(dst, make([]byte, n)...)
	if _, err := w.MarshalToSizedBufferVT(dst[start:]); err != nil {
		panic(fmt.Sprintf("marshal into %d bytes of its own size: %v", n, err)) // nothing in it can fail
	}
	return dst
}

// adoptGenesis takes over what never changes in the life of a ledger.
func (p *Partition) adoptGenesis(g *ledger.Genesis) error {
	if err := settings.ValidateGenesis(g); err != nil {
		return fmt.Errorf("%w: %w", ErrGenesis, err)
	}
	if p.state.number >= g.GetPartitions() {
		return fmt.Errorf("%w: partition %d of %d", ErrGenesis, p.state.number, g.GetPartitions())
	}
	unit, _ := settings.BaseCurrency(g.GetCurrency())
	zone, err := time.LoadLocation(g.GetTimezone())
	if err != nil {
		return fmt.Errorf("%w: timezone: %w", ErrGenesis, err)
	}
	p.state.genesis, p.terms.Unit, p.terms.Zone = g, unit, nil
	if zone.String() != "UTC" {
		p.terms.Zone = zone
	}
	return nil
}

// deriveTerms makes what is derived of settings, parameters, thresholds and genesis agree with them again.
func (p *Partition) deriveTerms() {
	s := &p.state
	p.terms.Settings = s.settings
	p.rules = alert.Compile(s.settings, s.retiredRules, originOf(s.genesis), p.terms.Unit)
	s.fuses.Keep(&p.rules)
	p.terms.Thresholds = s.thresholds
	if p.predicts != s.parameters {
		p.terms.Purchases, p.predicts = model.New(s.parameters), s.parameters
		p.terms.Season = model.Clock(s.parameters)
	}
	p.terms.Spend = model.Spend(s.parameters)
	p.terms.OrdersError, p.terms.SpendError = s.parameters.GetOrdersError(), s.parameters.GetSpendError()
	p.deriveClosingTerms()
	p.terms.Model = output.Model{Name: s.parameters.GetModel(), Version: s.parameters.GetVersion(), Status: s.parameters.GetStatus()}
}

// originOf returns the id of the ledger from which a copy descends, or its own: a copy draws the groups that the first one drew.
func originOf(g *ledger.Genesis) string {
	//mutant:copy-draws-again if false && $
	if former := g.GetCopiedFrom().GetLedgerIds(); len(former) > 0 {
		return former[len(former)-1]
	}
	return g.GetLedgerId()
}

// currentMoment is the moment as of which a customer is scored outside of an entry of their own: base time (the latest event's
// time, while base time is undefined), or their last order where that is later.
func (p *Partition) currentMoment(c *customer.State) customer.Moment {
	now := p.state.base
	if !p.state.baseKnown {
		now = p.state.latest
	}
	if at, ok := c.LastOrderAt(); ok {
		now = max(now, at)
	}
	return p.terms.At(now, p.state.base, p.state.baseKnown)
}

// Number returns the number of the partition.
func (p *Partition) Number() int32 { return p.state.number }

// BaseTime returns the time (ms) up to which all inputs are read; false until a tick has reported every input partition.
func (p *Partition) BaseTime() (ms int64, ok bool) { return p.state.base, p.state.baseKnown }

// Genesis returns entry 0 of the ledger, nil before it is folded. It must not be changed.
func (p *Partition) Genesis() *ledger.Genesis { return p.state.genesis }

// Copying reports whether the ledger is a copy that is not finished: its time is that of the ledger that is copied, and no intake
// has taken over.
func (p *Partition) Copying() bool { return p.state.copying() }

// SettingsRevision returns the revision of the settings in force and their hash; 0, 0 for the defaults.
func (p *Partition) SettingsRevision() (revision, hash uint64) {
	return p.state.settingsRevision, p.state.settingsHash
}

// Settings returns the settings in force. They must not be changed.
func (p *Partition) Settings() *ledger.SettingsValues { return p.state.settings }

// RefusedSettings is the settings entry that was skipped last, since a value in it is out of bounds. It is kept until an entry
// with at least its revision is applied.
type RefusedSettings struct {
	Offset         int64  // of the entry
	Revision, Hash uint64 // as the entry states them
	Reason         error  // names the settings and their bounds
}

// RefusedSettings returns nil when no settings entry above the revision in force was skipped.
func (p *Partition) RefusedSettings() *RefusedSettings {
	refused := p.state.refused
	if refused == nil {
		return nil
	}
	s := refused.GetSettings()
	return &RefusedSettings{
		Offset: refused.GetOffset(), Revision: s.GetRevision(), Hash: s.GetHash(),
		Reason: settings.Validate(s.GetValues()),
	}
}

// Parameters returns the models' parameters in force. They must not be changed.
func (p *Partition) Parameters() *ledger.Parameters { return p.state.parameters }

// Thresholds returns the thresholds of the value tiers in force, nil before the first. They must not be changed.
func (p *Partition) Thresholds() *ledger.Thresholds { return p.state.thresholds }

// Logic returns the highest logic version that took the ledger over; 0: none yet.
func (p *Partition) Logic() uint32 { return p.state.logic }

// Checkpoint returns the offset below which the outputs are published, by the last checkpoint entry; 0: none.
func (p *Partition) Checkpoint() int64 { return p.state.checkpoint }

// Totals returns the sums over the partition's customers, each as last published.
func (p *Partition) Totals() portfolio.Totals { return p.state.totals.Clone() }

// Calendar returns what the partition's customers did month by month.
func (p *Partition) Calendar() calendar.Table { return p.state.calendar.Clone() }

// Costs returns what the shop says that it spent; empty in other partitions than 0.
func (p *Partition) Costs() cost.Table { return p.state.costs.Clone() }

// AcquisitionCost returns what was spent on winning customers in a month, minor units; false if it is not stated, and in other partitions than 0.
func (p *Partition) AcquisitionCost(month calendar.Month) (minor int64, stated bool) {
	return p.state.costs.Sum(month, ledger.CostKind_COST_KIND_ACQUISITION)
}

// Convert converts an amount into the base currency by the rates in force, as that of an order; false if there is no rate for the currency.
func (p *Partition) Convert(currency string, minor int64) (int64, bool) {
	return p.terms.Convert(currency, minor)
}

// Calibration returns how far promises to the partition's customers were kept.
func (p *Partition) Calibration() calibration.Totals { return p.state.calibration }

// PublishedPortfolio returns the sums over the whole base that partition 0 published last; nil: none, or another partition. They
// must not be changed.
func (p *Partition) PublishedPortfolio() *ledger.Contribution {
	return p.state.contributions.Published()
}

// FinalPortfolio returns the sums of the last closed day that partition 0 published; nil: none, or another partition. They must not be
// changed.
func (p *Partition) FinalPortfolio() *ledger.Contribution {
	return p.state.contributions.PublishedFinal()
}

// Closing returns the end of the day (ms) that is being closed; false when no close is under way.
func (p *Partition) Closing() (at int64, ok bool) {
	if p.state.closing == nil {
		return 0, false
	}
	return p.state.closing.at, true
}

// Rescoring returns how many of all hash classes are rescored under new terms; false when no rescoring is under way.
func (p *Partition) Rescoring() (done, classes uint32, ok bool) {
	r := p.state.rescoring
	return r.GetClass(), r.GetClasses(), r != nil
}

// Erasures returns how many customers were erased whose entries the ledger still holds, and the time of the oldest request among
// these, ms; 0: there is none. Only a copy of the ledger is without them.
func (p *Partition) Erasures() (n, oldest int64) { return p.state.erasures, p.state.oldestErasure }

// TrippedFuses calls each for every rule whose alerts are suppressed in the hour of base time.
func (p *Partition) TrippedFuses(each func(rule string)) {
	at := p.state.base
	if !p.state.baseKnown {
		at = p.state.latest
	}
	p.state.fuses.Tripped(at, func(rule uint32) { each(p.rules.Name(rule)) })
}

// Unit returns the base currency's unit; meaningless before genesis.
func (p *Partition) Unit() money.Unit { return p.terms.Unit }

// MinorPerUnit returns how many minor units a unit of the base currency has.
func (p *Partition) MinorPerUnit() float64 { return 1 / p.terms.Unit.Major(1) }

// Trait returns the text of a trait of a customer of the partition; empty if no purchase of theirs has stated it.
func (p *Partition) Trait(c *customer.State, t trait.Trait) string { return c.Trait(&p.state.texts, t) }

// Category returns the name of a category of customers of the partition.
func (p *Partition) Category(n trait.Number) string { return p.state.texts.Text(trait.Category, n) }

// Attribute returns the text of an attribute of a customer of the partition; empty if no event of theirs has stated it.
func (p *Partition) Attribute(c *customer.State, name string) string {
	t, known := p.state.texts.KnownAttribute(name)
	if !known {
		return ""
	}
	return c.Trait(&p.state.texts, t)
}

// Attributes returns the texts of all attributes of a customer of the partition, by name; nil: no event of theirs has stated any.
func (p *Partition) Attributes(c *customer.State) map[string]string {
	return c.Attributes(&p.state.texts)
}

// Today returns base time as a civil day of the ledger's timezone, with its fraction; false while base time is undefined.
func (p *Partition) Today() (day float64, ok bool) {
	return float64(p.terms.Local(p.state.base)) / customer.DayMS, p.state.baseKnown
}

// Month returns the civil month of base time, which is not over; false while base time is undefined.
func (p *Partition) Month() (month calendar.Month, ok bool) {
	return calendar.MonthOf(p.terms.Day(p.state.base)), p.state.baseKnown
}

// CivilDay returns the civil day of a time (ms) in the ledger's timezone, counted from 1970-01-01.
func (p *Partition) CivilDay(ms int64) int32 { return p.terms.Day(ms) }

// DayBegins returns the time (ms) at which a civil day begins.
func (p *Partition) DayBegins(day int32) int64 {
	return p.terms.Until(int64(day) * customer.DayMS)
}

// Input is an input partition as the ledger knows it.
type Input struct {
	Topic       string
	Incarnation uint32
	Partition   int32
	Reported    bool  // by a tick
	Position    int64 // everything below it is in the ledger
	Time        int64 // ms: its time is known up to here
	AtEnd       bool
	Mark        int64 // offset of the latest event folded from it, -1: none
}

// Inputs returns the members of the input set, those that no tick has reported included.
func (p *Partition) Inputs() []Input {
	var all []Input
	p.state.eachInput(func(k sourceKey, s *state.Source) {
		in := Input{Topic: k.topic, Incarnation: k.incarnation, Partition: k.partition, Mark: -1}
		if s != nil {
			in.Reported, in.Position, in.Time, in.AtEnd = s.GetReported(), s.GetPosition(), s.GetTime(), s.GetAtEnd()
			if s.GetMarked() {
				in.Mark = s.GetOffset()
			}
		}
		all = append(all, in)
	})
	return all
}
