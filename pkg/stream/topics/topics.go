// Package topics owns what must stand in Kafka before anything runs: which topics, with how many partitions and which
// configuration, and the ledger's first entries.
//
// It refuses to change what exists: a topic that differs from what is wanted is reported, and mended by a person.
package topics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Config is what decides which topics are wanted.
type Config struct {
	Namespace       string
	Inputs          []string // topics of events; made when missing
	DeadLetters     []string // their names
	InputPartitions int32    // of inputs that are made here
	Partitions      int32    // of the ledger and the outputs
	Replicas        int16
	Retention       time.Duration // of the outputs
	DeadLetterBytes int64
}

// Kind is what a topic is for.
type Kind string

// The kinds.
const (
	Input      Kind = "input"
	DeadLetter Kind = "dead letters"
	Ledger     Kind = "ledger"
	Output     Kind = "output"
	Imported   Kind = "imports"
)

// Imports is the topic that remembers which rows of which files were imported.
func Imports(namespace string) string { return namespace + ".imports.v1" }

// Wanted is a topic as it should be.
type Wanted struct {
	Kind Kind
	kafka.TopicSpec
}

// All returns the topics that are wanted: inputs, dead letters, the ledger, outputs, what was imported.
func (c Config) All() []Wanted {
	var all []Wanted
	add := func(kind Kind, name string, partitions int32, configs map[string]string) {
		all = append(all, Wanted{kind, kafka.TopicSpec{Name: name, Partitions: partitions, Replicas: c.Replicas, Configs: configs}})
	}
	for _, name := range c.Inputs {
		add(Input, name, c.InputPartitions, nil)
	}
	for _, name := range c.DeadLetters {
		add(DeadLetter, name, c.InputPartitions, map[string]string{"max.message.bytes": strconv.FormatInt(c.DeadLetterBytes, 10), "retention.ms": "-1"})
	}
	// Kept for ever, and stamped by the broker: the ledger's time is the time of appending.
	add(Ledger, ledger.Topic(c.Namespace), c.Partitions, map[string]string{
		"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime",
	})
	for t := range output.Topics {
		add(Output, t.Name(c.Namespace), c.Partitions, map[string]string{
			"retention.ms": strconv.FormatInt(c.Retention.Milliseconds(), 10), "cleanup.policy": "delete",
		})
	}
	// Kept for ever, too: importing a file again sends what it does not find here.
	add(Imported, Imports(c.Namespace), 1, map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"})
	return all
}

// Finding is what is wrong with a topic. Fatal ones keep Mainstay from running.
type Finding struct {
	Topic   string
	Missing bool
	Fatal   bool
	Text    string
}

// Plan compares what is wanted with what is there.
func Plan(ctx context.Context, k *kafka.Client, c Config) ([]Wanted, []Finding, error) {
	wanted := c.All()
	names := make([]string, len(wanted))
	for i, w := range wanted {
		names[i] = w.Name
	}
	there, err := k.Topics(ctx, names)
	if err != nil {
		return nil, nil, fmt.Errorf("read the topics: %w", err)
	}
	var missing []Wanted
	var findings []Finding
	var present []string
	for i, t := range there {
		if !t.Exists {
			missing = append(missing, wanted[i])
			findings = append(findings, Finding{
				Topic: t.Name, Missing: true, Fatal: wanted[i].Kind != Imported, Text: "does not exist: `mainstay topics apply` makes it",
			})
			continue
		}
		present = append(present, t.Name)
		if n := int32(len(t.Leaders)); n != wanted[i].Partitions && wanted[i].Kind != Input && wanted[i].Kind != DeadLetter && wanted[i].Kind != Imported { //nolint:gosec // a count
			findings = append(findings, Finding{Topic: t.Name, Fatal: true, Text: fmt.Sprintf(
				"has %d partitions, the ledger has %d: partitions of a ledger are fixed for its life; restore the count, or start another namespace", n, wanted[i].Partitions)})
		}
	}
	configs, err := k.TopicConfigs(ctx, present)
	if err != nil {
		return nil, nil, fmt.Errorf("read the topics' configuration: %w", err)
	}
	for _, w := range wanted {
		if got := configs[w.Name]; got != nil {
			findings = append(findings, differences(w, got)...)
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Topic, b.Topic) })
	return missing, findings, nil
}

// differences names what is worse than wanted; what is merely more (a longer retention, say) is left alone.
func differences(w Wanted, got map[string]string) []Finding {
	var all []Finding
	say := func(fatal bool, text string, args ...any) {
		all = append(all, Finding{Topic: w.Name, Fatal: fatal, Text: fmt.Sprintf(text, args...)})
	}
	number := func(key string) int64 {
		n, err := strconv.ParseInt(got[key], 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	switch w.Kind {
	case Ledger:
		if n := number("retention.ms"); n != -1 {
			say(true, "retention.ms is %d, must be -1: state is folded from the ledger's start", n)
		}
		if n := number("retention.bytes"); n != -1 {
			say(true, "retention.bytes is %d, must be -1: state is folded from the ledger's start", n)
		}
		if p := got["cleanup.policy"]; p != "delete" {
			say(true, "cleanup.policy is %s, must be delete (with retention -1): compaction would take entries away", p)
		}
		if t := got["message.timestamp.type"]; t != "LogAppendTime" {
			say(true, "message.timestamp.type is %s, must be LogAppendTime: an intake takes its clock from it", t)
		}
	case Output:
		want, _ := strconv.ParseInt(w.Configs["retention.ms"], 10, 64)
		if n := number("retention.ms"); n != -1 && n < want {
			say(n < int64(24*time.Hour/time.Millisecond), "retention.ms is %d, wanted at least %d: a claim may need to find its last outputs", n, want)
		}
		if p := got["cleanup.policy"]; p != "delete" {
			say(false, "cleanup.policy is %s, wanted delete: `audit` compares from the log start, and compaction leaves gaps", p)
		}
	case DeadLetter:
		want, _ := strconv.ParseInt(w.Configs["max.message.bytes"], 10, 64)
		if n := number("max.message.bytes"); n < want {
			say(false, "max.message.bytes is %d, wanted %d: larger dead letters are cut", n, want)
		}
	case Imported:
		if ms, size := number("retention.ms"), number("retention.bytes"); ms != -1 || size != -1 {
			say(false, "retention.ms is %d and retention.bytes %d, wanted -1: a file that is imported again later would count twice", ms, size)
		}
	case Input:
	}
	return all
}

// Apply makes what is missing, and creates the ledger if it does not exist.
func Apply(ctx context.Context, k *kafka.Client, c Config, g *ledger.Genesis, s *ledger.Settings, logic uint32, random func() uint64) ([]Wanted, *ledger.Genesis, error) {
	missing, _, err := Plan(ctx, k, c)
	if err != nil {
		return nil, nil, err
	}
	specs := make([]kafka.TopicSpec, len(missing))
	for i, w := range missing {
		specs[i] = w.TopicSpec
	}
	if err := k.CreateTopics(ctx, specs); err != nil {
		return nil, nil, fmt.Errorf("create topics: %w", err)
	}
	genesis, err := createLedger(ctx, k, c.Namespace, g, s, logic, random)
	return missing, genesis, err
}
