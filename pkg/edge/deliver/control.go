package deliver

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// State is the value of a record of the control topic, whose key is the name of a destination. The last record of a destination counts.
type State struct {
	Paused bool      `json:"paused"`
	At     time.Time `json:"at"`
}

// control follows the control topic. Until it has read it once, everything counts as paused: to send what an operator has stopped is worse
// than to begin a second later. When Kafka cannot be read, the last known state stays.
type control struct {
	kafka   *kafka.Client
	topic   string
	metrics *telemetry.Deliver
	log     *zap.Logger

	mu     sync.Mutex
	known  bool
	states map[string]State
}

func newControl(k *kafka.Client, topic string, metrics *telemetry.Deliver, log *zap.Logger) *control {
	return &control{kafka: k, topic: topic, metrics: metrics, log: log, states: map[string]State{}}
}

func (c *control) paused(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.known || c.states[name].Paused
}

// run follows the topic until the context ends.
func (c *control) run(ctx context.Context) {
	const again = time.Second
	for ctx.Err() == nil {
		err := c.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		c.log.Warn("the control topic cannot be read: pauses and resumptions wait", zap.String("topic", c.topic), zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (c *control) follow(ctx context.Context) error {
	bounds, err := c.kafka.ListOffsets(ctx, c.topic, []int32{0})
	if err != nil {
		return err
	}
	f := c.kafka.NewFetcher(kafka.FetcherConfig{MaxBytes: 1 << 20})
	f.Assign(c.topic, 0, bounds[0].Start)
	for {
		got, err := f.Fetch(ctx, fetchWait, 1)
		if err != nil {
			return err
		}
		for _, p := range got {
			if p.Err != nil && !kafka.Retriable(p.Err) {
				return p.Err
			}
			for _, r := range p.Records {
				c.apply(r)
			}
			if p.Err == nil && p.Next >= bounds[0].LastStable {
				c.mu.Lock()
				c.known = true
				c.mu.Unlock()
			}
		}
	}
}

func (c *control) apply(r kafka.Record) {
	var s State
	if err := json.Unmarshal(r.Value, &s); err != nil {
		c.log.Error("a record of the control topic is left out: it is not a state", zap.String("topic", c.topic), zap.Int64("offset", r.Offset))
		return
	}
	name := string(r.Key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states[name].Paused != s.Paused {
		c.log.Info("destination is paused or resumed", zap.String("destination", name), zap.Bool("paused", s.Paused), zap.Time("by_command_at", s.At))
	}
	c.states[name] = s
	value := 0.0
	if s.Paused {
		value = 1
	}
	c.metrics.Paused.WithLabelValues(name).Set(value)
}
