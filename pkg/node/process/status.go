package process

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Status returns the status at a time.
func (p *Process) Status(now time.Time) views.Status {
	s := views.Status{
		Build: p.build, Namespace: p.app.Config.Namespace, LedgerID: p.genesis.GetLedgerId(), Clock: "live",
		Roles: p.app.Config.Roles, StartedAt: p.started.UTC(), At: now.UTC(), Inputs: []views.Input{}, Partitions: []views.Partition{},
		Problems: p.problems(),
	}
	if p.genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		s.Clock = "event"
	}
	if p.intake != nil {
		for _, in := range p.intake.Status() {
			s.Inputs = append(s.Inputs, views.Input{
				Topic: in.Topic, Partition: in.Partition, Read: in.Read, Committed: in.Committed, Lag: max(in.Lag, 0),
				Unstable: max(in.Unstable, 0), Time: timeOrNil(in.Time), Halted: string(in.Halted), Cause: in.Cause,
			})
		}
	}
	if p.fold != nil {
		for _, f := range p.fold.Status() {
			one := views.Partition{
				Partition: f.Partition, Folded: f.Folded, Published: f.Published, Committed: f.Committed, Lag: max(f.LagRecords, 0),
				Time: timeOrNil(f.BaseTime), Halted: string(f.Halted), Cause: f.Cause,
			}
			if !f.Commit.IsZero() {
				at := f.Commit.UTC()
				one.LastCommit = &at
			}
			s.Partitions = append(s.Partitions, one)
		}
	}
	slices.SortFunc(s.Partitions, func(a, b views.Partition) int { return cmp.Compare(a.Partition, b.Partition) })
	return s
}

func timeOrNil(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

func join(all []string) string { return strings.Join(all, ",") }
