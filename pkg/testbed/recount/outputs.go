package recount

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// Published is the result of CompareOutputs. Clean is all zero but the counts of what was read.
type Published struct {
	Outputs, Customers int
	Purchases          int      // of the recount, with a known id and not cancelled
	Lost               int      // purchases that were not answered, and sequence numbers that are missing
	Doubled            int      // purchases that were answered more than once, and sequence numbers that came more than once
	Differences        []string // the first of them
}

// CompareOutputs reads all outputs of customers. The sequence numbers of each customer must run from 1 without a gap or repetition,
// every purchase that was not cancelled must be answered once, and no milestone of a customer may come again.
func (r *Recount) CompareOutputs(ctx context.Context, k *kafka.Client, namespace string, partitions int32) (Published, error) {
	var found Published
	sequences := map[string]*sequence{}
	answered := map[string]uint8{}
	for _, name := range []string{"clv", "churn-risk", "promoter-status", "alerts", "milestones"} {
		topic := namespace + "." + name + ".v1"
		for p := range partitions {
			ends, err := k.ListOffsets(ctx, topic, []int32{p})
			if err != nil {
				return found, fmt.Errorf("recount outputs: %w", err)
			}
			_, err = k.ReadCommitted(ctx, topic, p, 0, ends[p].LastStable, func(record kafka.Record) error {
				var o struct {
					Customer string  `json:"customer_id"`
					Sequence uint64  `json:"sequence"`
					Trigger  string  `json:"trigger"`
					Cause    *string `json:"cause_event_id"`

					Milestone string `json:"milestone_id"`
				}
				if err := json.Unmarshal(record.Value, &o); err != nil {
					return fmt.Errorf("read an output of %s: %w", topic, err)
				}
				if o.Sequence == 0 {
					return fmt.Errorf("output %d of %s/%d has no sequence number", record.Offset, topic, p)
				}
				of := sequences[o.Customer]
				if of == nil {
					of = &sequence{}
					sequences[o.Customer] = of
				}
				of.add(o.Sequence)
				if o.Milestone != "" {
					of.reach(o.Milestone)
				}
				if name == "clv" && o.Trigger == "event" && o.Cause != nil {
					answered[*o.Cause] = uint8(min(2, int(answered[*o.Cause])+1))
				}
				found.Outputs++
				return nil
			})
			if err != nil {
				return found, fmt.Errorf("recount outputs of %s/%d: %w", topic, p, err)
			}
		}
	}
	found.Customers = len(sequences)
	for id, s := range sequences {
		if lost := s.missing(); lost > 0 {
			found.Lost += lost
			found.describe("customer %s: %d sequence numbers are missing", id, lost)
		}
		if s.doubled > 0 {
			found.Doubled += s.doubled
			found.describe("customer %s: %d sequence numbers or milestones were published again", id, s.doubled)
		}
	}
	r.eachPurchase(func(event string) {
		found.Purchases++
		switch answered[event] {
		case 0:
			found.Lost++
			found.describe("purchase %s was not answered", event)
		case 1:
		default:
			found.Doubled++
			found.describe("purchase %s was answered more than once", event)
		}
	})
	return found, nil
}

func (p *Published) describe(text string, args ...any) {
	if len(p.Differences) < differencesKept {
		p.Differences = append(p.Differences, fmt.Sprintf(text, args...))
	}
}

// eachPurchase walks the purchases that must be answered: one that arrives after its cancellation changes nothing, and causes no
// output.
func (r *Recount) eachPurchase(each func(event string)) {
	for _, c := range r.customers {
		for order, p := range c.purchases {
			if p.event != "" && !c.cancelled[order] {
				each(p.event)
			}
		}
	}
}

// sequence is the set of a customer's sequence numbers, a bit each.
type sequence struct {
	bits    []uint64
	seen    int // distinct numbers
	highest uint64
	doubled int

	milestones map[string]bool
}

func (s *sequence) add(n uint64) {
	word, bit := n/64, uint64(1)<<(n%64)
	for uint64(len(s.bits)) <= word {
		s.bits = append(s.bits, 0)
	}
	if s.bits[word]&bit != 0 {
		s.doubled++
		return
	}
	s.bits[word] |= bit
	s.seen++
	s.highest = max(s.highest, n)
}

// reach notes a milestone, of which each comes once.
func (s *sequence) reach(milestone string) {
	if s.milestones == nil {
		s.milestones = map[string]bool{}
	}
	if s.milestones[milestone] {
		s.doubled++
	}
	s.milestones[milestone] = true
}

// missing counts the numbers from 1 to the highest that did not come.
func (s *sequence) missing() int { return int(s.highest) - s.seen }
