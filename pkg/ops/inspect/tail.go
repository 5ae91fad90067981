package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/output"
)

// Tail reads topics as their records arrive.
type Tail struct {
	Topics []string
	Start  bool   // from the log's start, not from its end
	Follow bool   // continue at the end
	Key    string // only records with this key; "": all
	Max    int    // records; 0: no end
}

// TailRecord is a record and its place. It is valid during the call.
type TailRecord struct {
	Topic     string
	Partition int32
	kafka.Record
}

// ErrNoSuchTopic is the error of an unknown topic name.
var ErrNoSuchTopic = errors.New("no such topic")

// TopicsNamed returns the topics of a short or whole name: clv, alerts, dlq (all dead letters), purchases.dlq. Kinds are those that have
// dead letters.
func TopicsNamed(namespace string, inputs []string, kinds []event.Kind, name string) ([]string, error) {
	known := []string{}
	for t := range output.Topics {
		if name == t.String() || name == t.Name(namespace) {
			return []string{t.Name(namespace)}, nil
		}
		known = append(known, t.String())
	}
	known = append(known, "dlq")
	var letters []string
	for _, k := range kinds {
		topic := intake.DeadLetterTopic(namespace, k)
		letters = append(letters, topic)
		if short := strings.TrimPrefix(topic, namespace+"."); name == short || name == topic {
			return []string{topic}, nil
		}
		known = append(known, strings.TrimPrefix(topic, namespace+"."))
	}
	if name == "dlq" {
		return letters, nil
	}
	if slices.Contains(inputs, name) {
		return []string{name}, nil
	}
	return nil, fmt.Errorf("%w: %q; known are %s", ErrNoSuchTopic, name, strings.Join(append(known, inputs...), ", "))
}

// Run calls each for the committed records, in order within a partition.
func (t *Tail) Run(ctx context.Context, k *kafka.Client, each func(TailRecord) error) error {
	const wait = 250 * time.Millisecond
	f := k.NewFetcher(kafka.FetcherConfig{MaxBytes: 2 << 20, PartitionMaxBytes: 256 << 10}) // for a person who reads along
	ends, err := t.assign(ctx, k, f)
	if err != nil {
		return err
	}
	for n := 0; t.Follow || len(ends) > 0; {
		fetched, err := f.Fetch(ctx, wait, 1)
		if err != nil {
			return fmt.Errorf("tail: %w", err)
		}
		for i := range fetched {
			got := &fetched[i]
			if got.Err != nil && !kafka.Retriable(got.Err) {
				return fmt.Errorf("tail %s/%d: %w", got.Topic, got.Partition, got.Err)
			}
			for _, r := range got.Records {
				if t.Key != "" && string(r.Key) != t.Key {
					continue
				}
				if err := each(TailRecord{got.Topic, got.Partition, r}); err != nil {
					return err
				}
				if n++; n == t.Max {
					return nil
				}
			}
			at := end{got.Topic, got.Partition}
			if to, ok := ends[at]; ok && got.Next >= to {
				delete(ends, at)
			}
		}
	}
	return nil
}

type end struct {
	topic     string
	partition int32
}

// assign starts at the start or the end of each partition, and returns the present ends.
func (t *Tail) assign(ctx context.Context, k *kafka.Client, f *kafka.Fetcher) (map[end]int64, error) {
	topics, err := k.Topics(ctx, t.Topics)
	if err != nil {
		return nil, fmt.Errorf("tail: %w", err)
	}
	ends := map[end]int64{}
	for _, topic := range topics {
		if !topic.Exists {
			return nil, fmt.Errorf("topic %s does not exist: create it with `mainstay topics apply`", topic.Name)
		}
		bounds, err := k.ListOffsets(ctx, topic.Name, count(len(topic.Leaders)))
		if err != nil {
			return nil, fmt.Errorf("tail: %w", err)
		}
		for _, p := range count(len(topic.Leaders)) {
			b := bounds[p]
			from := b.LastStable
			if t.Start {
				from = b.Start
			}
			if from < b.LastStable {
				ends[end{topic.Name, p}] = b.LastStable
			}
			f.Assign(topic.Name, p, from)
		}
	}
	return ends, nil
}
