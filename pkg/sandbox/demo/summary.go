package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/ops/audit"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/sandbox/groundtruth"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/processors/customer"
	"github.com/mainstay/mainstay/schemas/output"
)

// Summary compares the answers with the ground truth.
type Summary struct {
	Customers int64            `json:"customers"` // with purchases, as far as Mainstay knows them
	Known     int64            `json:"known"`     // with state, including referred customers without a purchase
	Days      int              `json:"days"`
	Seed      uint64           `json:"seed"`
	From      time.Time        `json:"from"`
	To        time.Time        `json:"to"`
	Events    int64            `json:"events"` // that the shop sent, duplicates included
	Entries   int64            `json:"entries"`
	Outputs   map[string]int64 `json:"outputs"`    // by topic
	BySilence int64            `json:"by_silence"` // outputs that a timer caused
	// ByTrigger counts outputs by topic, then by what caused them.
	ByTrigger   map[string]map[string]int64 `json:"by_trigger"`
	OpenAlerts  OpenAlerts                  `json:"open_alerts"`
	DeadLetters int64                       `json:"dead_letters"`
	WallSeconds float64                     `json:"wall_seconds"` // until the last answer was published and committed
	Audit       Audit                       `json:"audit"`
	Model       Model                       `json:"model"`
	GroundTruth groundtruth.Comparison      `json:"truth"`
}

// OpenAlerts compares the alerts that are open in the customers' state with those that are raised and not cleared in the alerts
// topic, which is what its subscribers hold.
type OpenAlerts struct {
	State     int64 `json:"state"` // published ones
	Topic     int64 `json:"topic"`
	Differing int64 `json:"differing"` // open in one of the two alone

	topicOnly map[string]bool // alert ids that the topic holds and the state was not found to have yet
}

func (o *OpenAlerts) read(value []byte) error {
	var a struct {
		ID    string `json:"alert_id"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(value, &a); err != nil {
		return fmt.Errorf("decode an alert: %w", err)
	}
	if o.topicOnly == nil {
		o.topicOnly = map[string]bool{}
	}
	if a.State == "raised" {
		o.topicOnly[a.ID] = true
	} else {
		delete(o.topicOnly, a.ID)
	}
	o.Topic = int64(len(o.topicOnly))
	o.Differing = o.Topic
	return nil
}

func (o *OpenAlerts) compare(all []processors.OpenAlert) {
	for _, a := range all {
		if a.State != customer.Published.String() && a.State != customer.Initial.String() {
			continue
		}
		if o.State++; o.topicOnly[a.AlertID] {
			o.Differing--
		} else {
			o.Differing++
		}
	}
}

// Audit is the result of the audit.
type Audit struct {
	Outputs      int64           `json:"outputs"`
	Customers    int64           `json:"customers"`
	Lost         int64           `json:"lost"`
	Doubled      int64           `json:"doubled"`
	Differing    int64           `json:"differing"`
	StateMissing int64           `json:"state_missing"`
	Findings     []audit.Finding `json:"findings"`
	Final        *audit.Final    `json:"final"` // of the last closed day; null: no day was closed
}

// Clean reports whether the audit found nothing.
func (a Audit) Clean() bool {
	return a.Lost == 0 && a.Doubled == 0 && a.Differing == 0 && a.StateMissing == 0
}

func (d *demo) summarise(ctx context.Context, events int64, model Model, wall time.Duration) (*Summary, error) {
	s := &Summary{
		Days: d.Days, Seed: d.Seed, From: d.end.Add(-time.Duration(d.Days) * day), To: d.end, Events: events,
		Outputs: map[string]int64{}, ByTrigger: map[string]map[string]int64{}, WallSeconds: wall.Seconds(), Model: model,
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
		s.Outputs[o.String()], s.ByTrigger[o.String()] = 0, map[string]int64{}
		t.Topics = append(t.Topics, name)
	}
	return t.Run(ctx, d.app.Kafka, func(seen inspect.TailRecord) error {
		var e struct {
			Trigger string `json:"trigger"`
		}
		if err := json.Unmarshal(seen.Value, &e); err != nil {
			return fmt.Errorf("decode an output: %w", err)
		}
		topic := names[seen.Topic]
		s.Outputs[topic]++
		s.ByTrigger[topic][e.Trigger]++
		if topic == output.Alerts.String() {
			return s.OpenAlerts.read(seen.Value)
		}
		if topic != output.Portfolio.String() && e.Trigger == output.TriggerTimer.String() {
			s.BySilence++
		}
		return nil
	})
}

func (d *demo) countDeadLetters(ctx context.Context, s *Summary) error {
	t := inspect.Tail{Start: true}
	for _, k := range app.Kinds(d.app.Config) {
		t.Topics = append(t.Topics, intake.DeadLetterTopic(d.app.Config.Namespace, k))
	}
	return t.Run(ctx, d.app.Kafka, func(inspect.TailRecord) error {
		s.DeadLetters++
		return nil
	})
}

func (d *demo) audit(ctx context.Context, s *Summary) error {
	const patience = 30 * time.Second
	r, err := audit.Run(ctx, audit.Config{Namespace: d.app.Config.Namespace, Genesis: d.genesis, Patience: patience, Now: d.now}, d.app.Kafka, d.app.Redis)
	if err != nil {
		return err
	}
	s.Entries = r.Entries
	s.Audit = Audit{Outputs: r.Outputs, Customers: r.Customers, Lost: r.Lost, Doubled: r.Doubled, Differing: r.Differing, StateMissing: r.StateMissing, Findings: r.Findings, Final: r.Final}
	return nil
}

// compare reads every customer from Redis and compares them with the ground truth.
func (d *demo) compare(ctx context.Context, s *Summary) error {
	known := map[string]processors.CustomerScores{}
	for p := range d.genesis.GetPartitions() {
		at := d.app.Redis.Partition(d.app.Config.Namespace, p, d.genesis.GetPartitions())
		err := at.ScanCustomers(ctx, func(m redis.Meta, blobs []redis.Blob) error {
			partition, err := processors.DecodePartition(m.State)
			if err != nil {
				return err
			}
			for _, b := range blobs {
				state, err := customer.Decode(b.Value)
				if err != nil {
					return err
				}
				if state.MergedInto() != "" {
					continue
				}
				known[b.ID] = processors.ScoreCustomer(partition, b.ID, state)
				s.OpenAlerts.compare(processors.OpenAlerts(partition, b.ID, state))
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the customers: %w", err)
		}
	}
	s.Known = int64(len(known))
	for i := range d.groundTruth.Customers {
		if _, met := known[d.groundTruth.Customers[i].ID]; met {
			s.Customers++
		}
	}
	horizon := time.Duration(d.app.Config.CLV.PredictionHorizonDays) * day
	s.GroundTruth = groundtruth.Compare(d.groundTruth, d.end, horizon, func(id string) (processors.CustomerScores, bool) {
		a, met := known[id]
		return a, met
	})
	return nil
}
