// Package ruletest owns tests of alert rules: a scenario, which is a list of events of a few customers in a text file, is folded
// in memory under a clock of its own, and the alert episodes that the rules open and close are reported, on demand with the other
// answers.
//
// It refuses servers, and logic of its own: events go through processors.Step. Only the thresholds of the value tiers are
// stated by the scenario, since a few customers have none.
//
// scenario.go runs a scenario, parse.go reads its lines, answers.go reports answers other than alerts.
package ruletest

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/processors/memstore"
	"github.com/mainstay/mainstay/processors/settings"
	kinds "github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Episode is an alert episode that was opened.
type Episode struct {
	AlertID       string    `json:"alert_id"`
	Customer      string    `json:"customer_id"`
	Rule          string    `json:"rule"`
	Severity      string    `json:"severity"`
	State         string    `json:"state"`           // raised, baseline, initial, suppressed
	Group         string    `json:"group,omitempty"` // treated, control; absent: there are no groups
	RaisedAt      time.Time `json:"raised_at"`
	ClearedAt     string    `json:"cleared_at,omitempty"`
	ClearedReason string    `json:"cleared_reason,omitempty"`
	Value         string    `json:"value,omitempty"`
	Reasons       []string  `json:"reasons,omitempty"`
}

// Published reports whether an alert is published for the episode.
func (e *Episode) Published() bool { return e.State == "raised" || e.State == "initial" }

// Report receives each line of a scenario with its results: rejections, and episodes that it opened or closed.
type Report func(line string, results []string) error

// The errors of a line.
var (
	ErrLine  = errors.New("cannot be read")
	errOrder = errors.New("time does not go back; use occurred=TIME for a late event")
)

// Scenario is the state of a run.
type Scenario struct {
	state     *processors.Partition
	store     *memstore.MemStore
	values    *ledger.SettingsValues
	readRules func(name string) ([]alert.Rule, error)
	now       int64                 // time of the last line
	offset    int64                 // of the next entry
	origin    int64                 // of the last event, in the input topic that a scenario stands for
	version   uint64                // of settings, parameters and thresholds
	pending   []*ledger.Entry       // still to be folded
	lines     int                   // executed so far
	unit      money.Unit            // of the base currency
	reported  map[output.Topic]bool // topics whose outputs are reported, besides alerts
	drawn     bool                  // thresholds are drawn from the customers

	results  []string                        // of the current line
	firing   map[string]processors.OpenAlert // after the last entry, by alert id
	episodes map[string]*Episode             // by alert id
	order    []string                        // alert ids, as they were opened
}

// New returns a scenario under these rules, with EUR as base currency (unless its first line names another) and UTC as timezone.
// readRules reads a rule file that a line names.
func New(rules []alert.Rule, readRules func(name string) ([]alert.Rule, error)) (*Scenario, error) {
	s := &Scenario{
		store: memstore.New(), values: settings.Default(), readRules: readRules,
		firing: map[string]processors.OpenAlert{}, episodes: map[string]*Episode{},
	}
	s.values.AlertRules = alert.Wire(rules)
	return s, s.begin("EUR")
}

// Run executes a scenario line by line and reports each of them. Lines that begin with >, the expected results, are ignored.
func (s *Scenario) Run(from io.Reader, report Report) error {
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if strings.HasPrefix(line, ">") {
			continue
		}
		s.results = nil
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			s.lines++
			if err := s.execute(words); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
		if err := report(line, s.results); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the scenario: %w", err)
	}
	return nil
}

// Episodes returns the episodes in the order in which they were opened.
func (s *Scenario) Episodes() []Episode {
	all := make([]Episode, len(s.order))
	for i, id := range s.order {
		all[i] = *s.episodes[id]
	}
	return all
}

// State returns the state that the events so far have led to.
func (s *Scenario) State() (*processors.Partition, *memstore.MemStore) { return s.state, s.store }

// advanceTo appends a tick, which fires the deadlines up to it.
func (s *Scenario) advanceTo(to int64) error {
	if to < s.now {
		return errOrder
	}
	s.now = to
	return s.appendEntry(ledger.Kind_KIND_TICK, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "scenario", Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: "scenario", Offset: s.origin + 1, Time: to, AtEnd: true}},
	})
}

// restart replaces all state by its encoded and decoded copy, as a new process would read it.
func (s *Scenario) restart() error {
	state, err := processors.DecodePartition(s.state.Encode(nil))
	if err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	stored := memstore.New()
	s.store.Each(func(id string, c *customer.State) {
		again, wrong := customer.Decode(c.Encode(nil))
		if wrong != nil {
			err = fmt.Errorf("start again: %w", wrong)
			return
		}
		stored.Put(id, again)
	})
	s.state, s.store = state, stored
	return err
}

func (s *Scenario) appendSettings() error {
	s.version++
	return s.appendEntry(ledger.Kind_KIND_SETTINGS, &ledger.Settings{Revision: s.version, Hash: settings.Hash(s.values), Values: s.values})
}

func (s *Scenario) appendEvent(id string, e *ledger.Event) error {
	blob, err := e.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	s.origin++
	return s.fold(&ledger.Entry{
		Kind: kinds.EntryKind(e), Customer: id, Payload: blob, Origin: &ledger.Origin{Topic: "scenario", Offset: s.origin},
	})
}

func (s *Scenario) appendEntry(kind ledger.Kind, body interface{ MarshalVT() ([]byte, error) }) error {
	blob, err := body.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return s.fold(&ledger.Entry{Kind: kind, Payload: blob})
}

// fold runs Step on an entry, and on the entries that it sends; on contributions if portfolios are reported.
// Thresholds are set by the scenario, so those that follow from contributions are dropped unless it sets tiers_min_customers.
func (s *Scenario) fold(e *ledger.Entry) error {
	s.pending = append(s.pending, e)
	for len(s.pending) > 0 {
		next := s.pending[0]
		s.pending = s.pending[1:]
		next.Version = ledger.Version
		if next.GetTime() == 0 {
			next.Time = s.now
		}
		var out output.Batch
		verdict, err := processors.Step(s.state, s.offset, next, s.store, &out)
		if err != nil {
			return err
		}
		for i, sent := range out.Sends {
			k := sent.Entry.GetKind()
			if (k != ledger.Kind_KIND_THRESHOLDS || s.drawn) && (k != ledger.Kind_KIND_CONTRIBUTION || s.reported[output.Portfolio]) {
				sent.Entry.Origin = &ledger.Origin{Offset: s.offset, Ordinal: uint32(i)}
				s.pending = append(s.pending, &sent.Entry)
			}
		}
		s.offset++
		if verdict.Result == processors.Rejected || verdict.Result == processors.DuplicateEvent {
			s.results = append(s.results, strings.TrimSpace(verdict.Result.String()+" "+verdict.Reason))
		}
		if err := s.recordAnswers(&out); err != nil {
			return err
		}
		if err := s.recordAlerts(&out); err != nil {
			return err
		}
		s.recordErased(&out)
	}
	return nil
}

// recordErased adds to the results that a customer is erased, once for all topics.
func (s *Scenario) recordErased(out *output.Batch) {
	erasedKey, tombstones := "", 0
	for i := range out.Records {
		switch r := &out.Records[i]; {
		case r.Type == output.TypeErased && r.Null:
			tombstones++
		case r.Type == output.TypeErased:
			erasedKey = r.Key
		}
	}
	if erasedKey != "" {
		s.addResult("%s is erased (%d tombstones)", erasedKey, tombstones)
	}
}

// publishedAlert is the part of an alert output that is reported.
type publishedAlert struct {
	AlertID       string          `json:"alert_id"`
	Customer      string          `json:"customer_id"`
	State         string          `json:"state"`
	Rule          string          `json:"rule"`
	Severity      string          `json:"severity"`
	Group         string          `json:"group"`
	Initial       bool            `json:"initial"`
	RaisedAt      time.Time       `json:"raised_at"`
	ClearedAt     string          `json:"cleared_at"`
	ClearedReason string          `json:"cleared_reason"`
	AtStake       json.RawMessage `json:"value_at_stake"`
	Metric        string          `json:"metric"`
	Value         json.RawMessage `json:"value"`
	Reasons       []string        `json:"reasons"`
	AsOf          string          `json:"as_of"`
	Trigger       string          `json:"trigger"`
}

// recordAlerts adds the published alerts to the results, then the episodes that opened or closed without an output.
func (s *Scenario) recordAlerts(out *output.Batch) error {
	published := map[string]bool{}
	for i := range out.Records {
		if out.Records[i].Topic != output.Alerts || output.Ends(out.Records[i].Type) {
			continue
		}
		var a publishedAlert
		if err := json.Unmarshal(out.Value(&out.Records[i]), &a); err != nil {
			return fmt.Errorf("decode an alert: %w", err)
		}
		published[a.AlertID+a.State] = true
		group := ""
		if a.Group != "" {
			group = " (" + a.Group + ")"
		}
		if a.State == "raised" {
			e := s.episode(processors.OpenAlert{AlertID: a.AlertID, Customer: a.Customer, Rule: a.Rule, Severity: a.Severity, State: "raised", Group: a.Group}, a.RaisedAt)
			if a.Initial {
				e.State = "initial"
			}
			e.Value, e.Reasons = string(a.Value), a.Reasons
			s.addResult("%s %s %s %s%s since %s by %s: %s %s, at stake %s (%s)", a.Customer, e.State, a.Severity, a.Rule, group,
				a.RaisedAt.Format(time.RFC3339Nano), a.Trigger, a.Metric, a.Value, a.AtStake, strings.Join(a.Reasons, "; "))
			continue
		}
		if e := s.episodes[a.AlertID]; e != nil {
			e.ClearedAt, e.ClearedReason = a.ClearedAt, a.ClearedReason
		}
		s.addResult("%s cleared %s%s at %s for %s: %s %s (%s)", a.Customer, a.Rule, group, a.ClearedAt, a.ClearedReason, a.Metric, a.Value, strings.Join(a.Reasons, "; "))
	}
	now := map[string]processors.OpenAlert{}
	s.store.Each(func(id string, c *customer.State) {
		for _, a := range processors.OpenAlerts(s.state, id, c) {
			now[a.AlertID] = a
		}
	})
	for _, a := range sorted(now) {
		if _, was := s.firing[a.AlertID]; !was {
			e := s.episode(a, time.UnixMilli(a.RaisedAt).UTC())
			if !published[a.AlertID+"raised"] {
				s.addResult("%s silently opened %s (%s) since %s", a.Customer, a.Rule, a.State, e.RaisedAt.Format(time.RFC3339Nano))
			}
		}
	}
	for _, a := range sorted(s.firing) {
		if _, is := now[a.AlertID]; !is && !published[a.AlertID+"cleared"] {
			s.episodes[a.AlertID].ClearedAt = time.UnixMilli(s.now).UTC().Format(time.RFC3339Nano)
			s.addResult("%s silently closed %s (%s)", a.Customer, a.Rule, a.State)
		}
	}
	s.firing = now
	return nil
}

func (s *Scenario) episode(a processors.OpenAlert, at time.Time) *Episode {
	if e := s.episodes[a.AlertID]; e != nil {
		return e
	}
	e := &Episode{AlertID: a.AlertID, Customer: a.Customer, Rule: a.Rule, Severity: a.Severity, State: a.State, Group: a.Group, RaisedAt: at}
	s.episodes[a.AlertID] = e
	s.order = append(s.order, a.AlertID)
	return e
}

func (s *Scenario) addResult(format string, args ...any) {
	s.results = append(s.results, fmt.Sprintf(format, args...))
}

func sorted(open map[string]processors.OpenAlert) []processors.OpenAlert {
	all := make([]processors.OpenAlert, 0, len(open))
	for _, a := range open {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b processors.OpenAlert) int {
		return cmp.Or(strings.Compare(a.Customer, b.Customer), strings.Compare(a.Rule, b.Rule), strings.Compare(a.AlertID, b.AlertID))
	})
	return all
}
