package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mainstay/mainstay/pkg/audit"
	"github.com/mainstay/mainstay/pkg/inspect"
	"github.com/mainstay/mainstay/pkg/intake"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/output"
)

// Summary is what it all came to.
type Summary struct {
	Customers   int64            `json:"customers"` // who bought, and whom Mainstay knows
	Known       int64            `json:"known"`     // all whom it knows: friends who were referred and never bought, too
	Days        int              `json:"days"`
	Seed        uint64           `json:"seed"`
	From        time.Time        `json:"from"`
	To          time.Time        `json:"to"`
	Events      int64            `json:"events"` // that the shop emitted, repeated ones included
	Entries     int64            `json:"entries"`
	Outputs     map[string]int64 `json:"outputs"`    // by topic
	BySilence   int64            `json:"by_silence"` // outputs that no event caused
	DeadLetters int64            `json:"dead_letters"`
	WallSeconds float64          `json:"wall_seconds"` // until the last answer was published and stored
	Audit       Audit            `json:"audit"`
	Truth       Truth            `json:"truth"`
}

// Audit is what folding the ledger again found.
type Audit struct {
	Outputs   int64           `json:"outputs"`
	Customers int64           `json:"customers"`
	Lost      int64           `json:"lost"`
	Doubled   int64           `json:"doubled"`
	Differing int64           `json:"differing"`
	Findings  []audit.Finding `json:"findings"`
}

// Clean says that nothing was found.
func (a Audit) Clean() bool { return a.Lost == 0 && a.Doubled == 0 && a.Differing == 0 }

// Truth compares the answers with what really was.
type Truth struct {
	Buyers         int64 `json:"buyers"`
	ValueExact     int64 `json:"value_exact"`  // of them: historic value equals the sum of what their orders came to
	OrdersExact    int64 `json:"orders_exact"` // of them: the number of standing orders is right
	Referred       int64 `json:"referred"`     // who came through a friend
	ReferrersRight int64 `json:"referrers_right"`
	Gone           int64 `json:"gone"` // at the end
	Active         int64 `json:"active"`
	// Average churn probabilities of those who are gone and of those who are not; an account that was closed counts as 1.
	ChurnOfGone   float64 `json:"churn_probability_of_gone"`
	ChurnOfActive float64 `json:"churn_probability_of_active"`
	// Concordance is the share of pairs, one gone and one not, of which the one that is gone has the higher probability.
	Concordance float64 `json:"concordance"`
}

func (d *demo) summarise(ctx context.Context, events int64, wall time.Duration) (*Summary, error) {
	s := &Summary{
		Days: d.Days, Seed: d.Seed, From: d.end.Add(-time.Duration(d.Days) * day), To: d.end, Events: events,
		Outputs: map[string]int64{}, WallSeconds: wall.Seconds(),
	}
	for _, count := range []func(context.Context, *Summary) error{d.countOutputs, d.countDeadLetters, d.compare, d.audit} {
		if err := count(ctx, s); err != nil {
			return nil, fmt.Errorf("summary: %w", err)
		}
	}
	return s, nil
}

func (d *demo) countOutputs(ctx context.Context, s *Summary) error {
	names := map[string]string{}
	t := inspect.Tail{Start: true}
	for o := range output.Topics {
		name := o.Name(d.app.Config.Namespace)
		names[name] = o.String()
		s.Outputs[o.String()] = 0
		t.Topics = append(t.Topics, name)
	}
	timer := []byte(`"trigger":"` + output.TriggerTimer.String() + `"`)
	return t.Run(ctx, d.app.Kafka, func(seen inspect.Seen) error {
		s.Outputs[names[seen.Topic]]++
		if slices.Contains([]string{output.CLV.String(), output.ChurnRisk.String(), output.PromoterStatus.String()}, names[seen.Topic]) && bytes.Contains(seen.Value, timer) {
			s.BySilence++
		}
		return nil
	})
}

func (d *demo) countDeadLetters(ctx context.Context, s *Summary) error {
	t := inspect.Tail{Start: true}
	for k := range event.Kinds {
		t.Topics = append(t.Topics, intake.DeadLetterTopic(d.app.Config.Namespace, k))
	}
	return t.Run(ctx, d.app.Kafka, func(inspect.Seen) error {
		s.DeadLetters++
		return nil
	})
}

func (d *demo) audit(ctx context.Context, s *Summary) error {
	const patience = 30 * time.Second
	r, err := audit.Run(ctx, audit.Config{Namespace: d.app.Config.Namespace, Genesis: d.genesis, Patience: patience, Now: d.Now}, d.app.Kafka, d.app.Redis)
	if err != nil {
		return err
	}
	s.Entries = r.Entries
	s.Audit = Audit{Outputs: r.Outputs, Customers: r.Customers, Lost: r.Lost, Doubled: r.Doubled, Differing: r.Differing, Findings: r.Findings}
	return nil
}

// compare reads every customer's state from Redis and holds it against the truth.
func (d *demo) compare(ctx context.Context, s *Summary) error {
	known := map[string]processors.Answers{}
	for p := range d.genesis.GetPartitions() {
		at := d.app.Redis.Partition(d.app.Config.Namespace, p, d.genesis.GetPartitions())
		err := at.Scan(ctx, func(m redis.Meta, blobs []redis.Blob) error {
			partition, err := processors.DecodePartition(m.State)
			if err != nil {
				return err
			}
			for _, b := range blobs {
				state, err := customer.Decode(b.Value)
				if err != nil {
					return err
				}
				known[b.ID] = processors.Answer(partition, b.ID, state)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the customers: %w", err)
		}
	}
	s.Known = int64(len(known))
	var gone, active []float64
	for i := range d.truth.Customers {
		c := &d.truth.Customers[i]
		answers, met := known[c.ID]
		s.Truth.Buyers++
		if met {
			s.Customers++
		}
		var net, orders int64
		for _, o := range c.Orders {
			net += o.Net
			if o.Net > 0 || o.Total == 0 && !o.Cancelled {
				orders++
			}
		}
		if answers.CLV.Historic == net {
			s.Truth.ValueExact++
		}
		if answers.CLV.Orders == orders {
			s.Truth.OrdersExact++
		}
		if c.Referrer != "" {
			s.Truth.Referred++
			if answers.Referrer == c.Referrer {
				s.Truth.ReferrersRight++
			}
		}
		p := answers.Churn.Probability.Value
		switch {
		case answers.Churn.Risk == customer.Churned.String():
			p = 1
		case !answers.Churn.Probability.Known:
			continue // no order stands: nothing is claimed
		}
		if c.Alive(d.end) {
			active = append(active, p)
		} else {
			gone = append(gone, p)
		}
	}
	s.Truth.Gone, s.Truth.Active = int64(len(gone)), int64(len(active))
	s.Truth.ChurnOfGone, s.Truth.ChurnOfActive = average(gone), average(active)
	s.Truth.Concordance = concordance(gone, active)
	return nil
}

func average(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sum := 0.0
	for _, x := range all {
		sum += x
	}
	return sum / float64(len(all))
}

// concordance is the area under the ROC curve, by ranks; ties count half. 0 when there is nothing to compare.
func concordance(gone, active []float64) float64 {
	if len(gone) == 0 || len(active) == 0 {
		return 0
	}
	slices.Sort(active)
	sum := 0.0
	for _, g := range gone {
		below, _ := slices.BinarySearch(active, g)
		upTo := below
		for upTo < len(active) && active[upTo] == g {
			upTo++
		}
		sum += float64(below) + float64(upTo-below)/2
	}
	return sum / float64(len(gone)) / float64(len(active))
}
