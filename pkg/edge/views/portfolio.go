package views

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/output"
)

// Reader reads a topic; *kafka.Client is one.
type Reader interface {
	ListOffsets(ctx context.Context, topic string, partitions []int32) (map[int32]kafka.Offsets, error)
	ReadCommitted(ctx context.Context, topic string, partition int32, from, to int64, each func(kafka.Record) error) (int64, error)
}

// Portfolio reads the figures of all customers together as they were published: the last ones, and those of each closed day that the topic
// still holds. It remembers what it has read, so that it reads each output once.
type Portfolio struct {
	kafka Reader
	topic string
	now   func() time.Time

	mu      sync.Mutex
	next    int64 // offset
	began   bool
	checked time.Time
	failed  error // of the last check
	latest  json.RawMessage
	closes  map[string]json.RawMessage // by as_of
}

const (
	// portfolioPartition is that of ledger partition 0, which publishes the portfolio.
	portfolioPartition = 0
	// mostPortfolios bounds the first read; at the default interval it is half a year.
	mostPortfolios = 20_000
	mostCloses     = 400
	checkEvery     = time.Second
	kafkaPatience  = 5 * time.Second
)

// NewPortfolio returns a reader of a namespace's portfolio.
func NewPortfolio(k Reader, namespace string, now func() time.Time) *Portfolio {
	return &Portfolio{kafka: k, topic: output.Portfolio.Name(namespace), now: now, closes: map[string]json.RawMessage{}}
}

// Figures are outputs of the portfolio.
type Figures struct {
	Latest json.RawMessage   // published last, provisional or final; nil: nothing was published yet
	Closes []json.RawMessage // final, in the order of time
}

// Read returns the figures. While it is called often, it asks Kafka once a second.
func (p *Portfolio) Read(ctx context.Context) (Figures, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); p.checked.IsZero() || now.Sub(p.checked) >= checkEvery {
		p.failed = p.readOn(ctx)
		p.checked = p.now()
	}
	if p.failed != nil {
		return Figures{}, fmt.Errorf("read the portfolio: %w", p.failed)
	}
	f := Figures{Latest: p.latest}
	times := make([]string, 0, len(p.closes))
	for at := range p.closes {
		times = append(times, at)
	}
	slices.SortFunc(times, cmp.Compare[string])
	for _, at := range times {
		f.Closes = append(f.Closes, p.closes[at])
	}
	return f, nil
}

func (p *Portfolio) readOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kafkaPatience)
	defer cancel()
	bounds, err := p.kafka.ListOffsets(ctx, p.topic, []int32{portfolioPartition})
	if err != nil {
		return err
	}
	b := bounds[portfolioPartition]
	if p.began && (p.next < b.Start || p.next > b.LastStable) { // expired meanwhile, or another topic of this name
		p.began, p.latest = false, nil
		clear(p.closes)
	}
	if !p.began {
		p.next, p.began = max(b.Start, b.LastStable-mostPortfolios), true
	}
	p.next, err = p.kafka.ReadCommitted(ctx, p.topic, portfolioPartition, p.next, b.LastStable, func(r kafka.Record) error {
		return p.add(r.Value)
	})
	return err
}

func (p *Portfolio) add(value []byte) error {
	var about struct {
		AsOf  string `json:"as_of"`
		State string `json:"state"`
	}
	if err := json.Unmarshal(value, &about); err != nil {
		return fmt.Errorf("decode an output: %w", err)
	}
	p.latest = slices.Clone(value)
	if about.State == output.PortfolioFinal {
		p.closes[about.AsOf] = p.latest
	}
	if len(p.closes) > mostCloses {
		oldest := about.AsOf
		for at := range p.closes {
			oldest = min(oldest, at)
		}
		delete(p.closes, oldest)
	}
	return nil
}
