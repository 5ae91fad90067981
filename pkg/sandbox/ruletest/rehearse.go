// Package ruletest owns the trial of alert rules: a story of a few customers, written by hand, is folded in memory under a
// clock of its own, and the episodes that the rules make of it are told.
//
// It refuses servers, and it refuses to know better: the story goes through the same Step as everything else. Only the
// thresholds of the value tiers are the story's to state, since a few customers have none.
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
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Episode is one that opened in the story.
type Episode struct {
	AlertID       string    `json:"alert_id"`
	Customer      string    `json:"customer_id"`
	Rule          string    `json:"rule"`
	Severity      string    `json:"severity"`
	State         string    `json:"state"` // raised, baseline, initial, suppressed
	RaisedAt      time.Time `json:"raised_at"`
	ClearedAt     string    `json:"cleared_at,omitempty"`
	ClearedReason string    `json:"cleared_reason,omitempty"`
	Value         string    `json:"value,omitempty"`
	Reasons       []string  `json:"reasons,omitempty"`
}

// Told are the lines that a line of the story gives rise to.
type Told func(line string, answers []string) error

// Errors that a line of a story can have; they say which line it is.
var (
	ErrLine  = errors.New("cannot be read")
	errOrder = errors.New("time does not go back in a story; say occurred=TIME of an event that comes late")
)

// Story is a rehearsal under way.
type Story struct {
	state   *processors.Partition
	store   *memstore.MemStore
	values  *ledger.SettingsValues
	open    func(name string) ([]alert.Rule, error)
	now     int64
	offset  int64
	origin  int64
	version uint64 // of settings, parameters and thresholds
	pending []*ledger.Entry

	answers  []string
	firing   map[string]processors.OpenAlert
	episodes map[string]*Episode
	order    []string
}

// New begins a story under rules, in euros, days in UTC. Open reads the rule files that it names.
func New(rules []alert.Rule, open func(name string) ([]alert.Rule, error)) (*Story, error) {
	s := &Story{
		state: processors.NewPartition(0), store: memstore.New(), values: processors.DefaultSettings(), open: open,
		firing: map[string]processors.OpenAlert{}, episodes: map[string]*Episode{},
	}
	s.values.AlertRules = alert.Wire(rules)
	err := s.append(ledger.Kind_KIND_GENESIS, &ledger.Genesis{
		LedgerId: "rehearsal", Partitions: 1, CustomerHash: "murmur2", CustomerNormalisation: "none", Clock: ledger.Clock_CLOCK_LIVE, Currency: "EUR", Timezone: "UTC",
	})
	if err != nil {
		return nil, err
	}
	return s, s.settings()
}

// Run tells a story line by line: told hears each of them, with what it gave rise to. Lines that begin with > are left out.
func (s *Story) Run(from io.Reader, told Told) error {
	lines := bufio.NewScanner(from)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), " \t\r")
		if strings.HasPrefix(line, ">") {
			continue
		}
		s.answers = nil
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			if err := s.line(words); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
		if err := told(line, s.answers); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the story: %w", err)
	}
	return nil
}

// Episodes are those that opened, in order.
func (s *Story) Episodes() []Episode {
	all := make([]Episode, len(s.order))
	for i, id := range s.order {
		all[i] = *s.episodes[id]
	}
	return all
}

// pass lets time pass to a moment; what silence brings is told.
func (s *Story) pass(to int64) error {
	if to < s.now {
		return errOrder
	}
	s.now = to
	return s.append(ledger.Kind_KIND_TICK, &ledger.Tick{
		Revision: 1, Inputs: []*ledger.Input{{Topic: "story", Partitions: 1}},
		Readings: []*ledger.Reading{{Topic: "story", Offset: s.origin + 1, Time: to, AtEnd: true}},
	})
}

// restart lets a process end and another one go on from what the first has stored.
func (s *Story) restart() error {
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

func (s *Story) settings() error {
	s.version++
	return s.append(ledger.Kind_KIND_SETTINGS, &ledger.Settings{Revision: s.version, Hash: processors.HashSettings(s.values), Values: s.values})
}

func (s *Story) happens(id string, e *ledger.Event) error {
	blob, err := e.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	s.origin++
	return s.fold(&ledger.Entry{
		Kind: ledger.Kind_KIND_EVENT, Customer: id, Payload: blob, Origin: &ledger.Origin{Topic: "story", Offset: s.origin},
	})
}

func (s *Story) append(kind ledger.Kind, body interface{ MarshalVT() ([]byte, error) }) error {
	blob, err := body.MarshalVT()
	if err != nil {
		return fmt.Errorf("encode an entry: %w", err)
	}
	return s.fold(&ledger.Entry{Kind: kind, Payload: blob})
}

// fold steps an entry, and what it sends. Contributions and their thresholds are left out.
func (s *Story) fold(e *ledger.Entry) error {
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
			if k := sent.Entry.GetKind(); k == ledger.Kind_KIND_CREDIT || k == ledger.Kind_KIND_CONTINUE {
				sent.Entry.Origin = &ledger.Origin{Offset: s.offset, Ordinal: uint32(i)}
				s.pending = append(s.pending, &sent.Entry)
			}
		}
		s.offset++
		if verdict.Result == processors.Rejected || verdict.Result == processors.DuplicateEvent {
			s.answers = append(s.answers, strings.TrimSpace(verdict.Result.String()+" "+verdict.Reason))
		}
		if err := s.hear(&out); err != nil {
			return err
		}
	}
	return nil
}

// published is what a story tells of an alert.
type published struct {
	AlertID       string          `json:"alert_id"`
	Customer      string          `json:"customer_id"`
	State         string          `json:"state"`
	Rule          string          `json:"rule"`
	Severity      string          `json:"severity"`
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

// hear tells what is published, then what opened or closed in silence.
func (s *Story) hear(out *output.Batch) error {
	told := map[string]bool{}
	for i := range out.Records {
		if out.Records[i].Topic != output.Alerts {
			continue
		}
		var a published
		if err := json.Unmarshal(out.Value(&out.Records[i]), &a); err != nil {
			return fmt.Errorf("decode an alert: %w", err)
		}
		told[a.AlertID+a.State] = true
		if a.State == "raised" {
			e := s.episode(processors.OpenAlert{AlertID: a.AlertID, Customer: a.Customer, Rule: a.Rule, Severity: a.Severity, State: "raised"}, a.RaisedAt)
			if a.Initial {
				e.State = "initial"
			}
			e.Value, e.Reasons = string(a.Value), a.Reasons
			s.answer("%s %s %s %s since %s by %s: %s %s, at stake %s (%s)", a.Customer, e.State, a.Severity, a.Rule,
				a.RaisedAt.Format(time.RFC3339Nano), a.Trigger, a.Metric, a.Value, a.AtStake, strings.Join(a.Reasons, "; "))
			continue
		}
		if e := s.episodes[a.AlertID]; e != nil {
			e.ClearedAt, e.ClearedReason = a.ClearedAt, a.ClearedReason
		}
		s.answer("%s cleared %s at %s for %s: %s %s (%s)", a.Customer, a.Rule, a.ClearedAt, a.ClearedReason, a.Metric, a.Value, strings.Join(a.Reasons, "; "))
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
			if !told[a.AlertID+"raised"] {
				s.answer("%s silently opened %s (%s) since %s", a.Customer, a.Rule, a.State, e.RaisedAt.Format(time.RFC3339Nano))
			}
		}
	}
	for _, a := range sorted(s.firing) {
		if _, is := now[a.AlertID]; !is && !told[a.AlertID+"cleared"] {
			s.episodes[a.AlertID].ClearedAt = time.UnixMilli(s.now).UTC().Format(time.RFC3339Nano)
			s.answer("%s silently closed %s (%s)", a.Customer, a.Rule, a.State)
		}
	}
	s.firing = now
	return nil
}

func (s *Story) episode(a processors.OpenAlert, at time.Time) *Episode {
	if e := s.episodes[a.AlertID]; e != nil {
		return e
	}
	e := &Episode{AlertID: a.AlertID, Customer: a.Customer, Rule: a.Rule, Severity: a.Severity, State: a.State, RaisedAt: at}
	s.episodes[a.AlertID] = e
	s.order = append(s.order, a.AlertID)
	return e
}

func (s *Story) answer(format string, args ...any) {
	s.answers = append(s.answers, fmt.Sprintf(format, args...))
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
