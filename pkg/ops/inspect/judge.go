package inspect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
)

// sumLag adds what is left of all partitions; the sum stays unknown if one of them is.
func (l *look) sumLag() {
	var all []*int64
	for i := range l.status.Inputs {
		if l.status.Inputs[i].Cause != missingTopic {
			all = append(all, l.status.Inputs[i].Lag)
		}
	}
	for i := range l.status.Partitions {
		all = append(all, l.status.Partitions[i].Lag)
	}
	if len(all) == 0 || slices.Contains(all, nil) {
		return
	}
	var sum int64
	for _, lag := range all {
		sum += *lag
	}
	l.status.Lag = &sum
}

// judge adds the problems that the positions show, and says in one sentence how Mainstay is.
func (l *look) judge(kafkaAnswers bool) {
	s := l.status
	if kafkaAnswers {
		l.judgeOwners()
	}
	for i := range s.Inputs {
		if in := &s.Inputs[i]; in.Halted != "" {
			l.problem("input %s/%d is halted: %s", in.Topic, in.Partition, in.Halted)
		}
	}
	for i := range s.Partitions {
		if p := &s.Partitions[i]; p.Halted != "" {
			l.problem("ledger partition %d is halted: %s", p.Partition, p.Halted)
		}
	}
	switch {
	case len(s.Problems) > 0:
		s.Headline = "Not healthy: " + s.Problems[0]
		if n := len(s.Problems) - 1; n > 0 {
			s.Headline += fmt.Sprintf(" (and %d more)", n)
		}
	case s.Lag != nil && *s.Lag > 0:
		s.Healthy = true
		s.Headline = fmt.Sprintf("Healthy: %d records are not processed yet.", *s.Lag)
	default:
		s.Healthy = true
		s.Headline = "Healthy: everything is processed."
	}
}

// judgeOwners reports a group without members, and partitions that none of its members owns.
func (l *look) judgeOwners() {
	without := map[string][]string{}
	for i := range l.status.Inputs {
		if in := &l.status.Inputs[i]; in.Owner == "" && in.Cause != missingTopic {
			without[intake.Group(l.Namespace)] = append(without[intake.Group(l.Namespace)], fmt.Sprintf("%s/%d", in.Topic, in.Partition))
		}
	}
	for i := range l.status.Partitions {
		if p := &l.status.Partitions[i]; p.Owner == "" {
			without[fold.Group(l.Namespace)] = append(without[fold.Group(l.Namespace)], fmt.Sprint(p.Partition))
		}
	}
	for _, g := range l.status.Groups {
		switch partitions := without[g.Name]; {
		case len(g.Members) == 0:
			l.problem("no process is a member of group %s: start one with `mainstay run`", g.Name)
		case len(partitions) > 0:
			l.problem("no member of group %s (%s) owns %s", g.Name, g.State, strings.Join(partitions, ", "))
		}
	}
}
