package alert

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/mainstay/mainstay/processors/customer"
)

// groups draw the customers on whose alerts of a rule nobody acts, so that it can be measured what acting achieves.
//
// The group is a function of salt, rule and customer: a customer stays in one group of a rule, in all episodes and replays, and the draws
// of two rules are independent. It is drawn by comparing one number with the share, so that a greater share only adds to control. An
// episode keeps the group with which it fired; another share or salt is for the episodes that fire from then on.
//
// To draw for each episode was rejected: a customer would be treated once and in control the next time, and carry the effect over.
type groups struct {
	share float64  // of control; 0: there are no groups
	rules []string // that have groups; none: all
	salt  string
}

// NamesIn returns the names of rules in a text that separates them by commas.
func NamesIn(text string) []string {
	if text == "" {
		return nil
	}
	names := strings.Split(text, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

func (g *groups) of(rule, id string) customer.Group {
	if g.share == 0 || len(g.rules) > 0 && !slices.Contains(g.rules, rule) {
		return 0
	}
	//mutant:one-draw-for-all-rules if draw(g.salt, rule[:0], id) < g.share
	if draw(g.salt, rule, id) < g.share {
		return customer.Control
	}
	return customer.Treated
}

// draw returns a number from 0 to below 1.
func draw(salt, rule, id string) float64 {
	var d xxhash.Digest
	d.Reset()
	for _, part := range [...]string{salt, rule} {
		_, _ = d.WriteString(part)
		_, _ = d.Write([]byte{0})
	}
	_, _ = d.WriteString(id)
	const bits = 53 // that a float64 holds exactly
	return float64(d.Sum64()>>(64-bits)) / (1 << bits)
}
