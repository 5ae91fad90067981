package process

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/stream/failure"
)

// A partition that fails is reported once it has made no progress for failingAfter, so that a rebalance is not; one that hangs, without
// an error, after hangingAfter.
const (
	failingAfter = 10 * time.Second
	hangingAfter = time.Minute
)

// partitionProblems is an error that names the halted partitions of this process, and counts by cause those that make no progress; nil
// if all is well.
func (p *Process) partitionProblems() error {
	return errors.Join(append(p.halts(), p.stalls()...)...)
}

// problems are the texts of what is wrong, but for halts, which the status of the partition has.
func (p *Process) problems() []string {
	texts := []string{}
	add := func(name string, err error) {
		if err != nil {
			texts = append(texts, name+err.Error())
		}
	}
	add("kafka: ", p.kafkaWatch.failing())
	if p.redisWatch != nil {
		add("redis: ", p.redisWatch.failing())
	}
	for _, err := range p.stalls() {
		add("", err)
	}
	return texts
}

func (p *Process) halts() (all []error) {
	if p.intake != nil {
		for _, s := range p.intake.Status() {
			if s.Halted != "" {
				all = append(all, fmt.Errorf("input %s/%d is halted: %s", s.Topic, s.Partition, s.Halted))
			}
		}
	}
	if p.fold != nil {
		for _, s := range p.fold.Status() {
			if s.Halted != "" {
				all = append(all, fmt.Errorf("ledger partition %d is halted: %s", s.Partition, s.Halted))
			}
		}
	}
	return all
}

func (p *Process) stalls() (all []error) {
	if p.intake != nil {
		var inputs stalls
		for _, s := range p.intake.Status() {
			if s.Halted == "" {
				inputs.add(s.Stalled, s.Failing, s.Cause)
			}
		}
		all = inputs.errors("input", p.intake.NotJoined())
	}
	if p.fold != nil {
		var partitions stalls
		for _, s := range p.fold.Status() {
			if s.Halted == "" {
				partitions.add(s.Stalled, s.Failing, s.Cause)
			}
		}
		all = append(all, partitions.errors("ledger", p.fold.NotJoined())...)
	}
	return all
}

// stalls counts the partitions of a role that make no progress.
type stalls struct {
	partitions int
	byCause    map[failure.Cause]stall
}

type stall struct {
	partitions int
	longest    time.Duration
	detail     string // of one of them
}

func (s *stalls) add(since time.Duration, cause failure.Cause, detail string) {
	s.partitions++
	//mutant:hanging-is-ready if since < failingAfter || cause == ""
	if since < failingAfter || cause == "" && since < hangingAfter {
		return
	}
	if s.byCause == nil {
		s.byCause = map[failure.Cause]stall{}
	}
	one := s.byCause[cause]
	one.partitions++
	if since > one.longest {
		one.longest, one.detail = since, detail
	}
	s.byCause[cause] = one
}

// errors has one error per cause. A process that is no member of its group owns nothing, whatever its partitions failed of before.
func (s *stalls) errors(kind string, notJoined error) []error {
	if notJoined != nil {
		return []error{fmt.Errorf("%d %s partitions wait: %w", s.partitions, kind, notJoined)}
	}
	var all []error
	for _, cause := range slices.Sorted(maps.Keys(s.byCause)) {
		one := s.byCause[cause]
		why := "no error was returned: the process hangs, or its requests do"
		if cause != "" {
			why = string(cause) + ": " + one.detail
		}
		all = append(all, fmt.Errorf("%d of %d %s partitions have made no progress for %s: %s", one.partitions, s.partitions, kind, one.longest.Round(time.Second), why))
	}
	return all
}
