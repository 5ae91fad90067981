// Package topics owns what must exist in Kafka before a process starts: the topics with their partitions and configuration, and the
// first entries of the ledger.
//
// It refuses to change an existing topic: a topic that differs from its specification is reported, and corrected by the operator.
package topics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// Config determines which topics are needed.
type Config struct {
	Namespace       string
	Inputs          []string // input topics; created if missing
	DeadLetters     []string // dead-letter topics
	InputPartitions int32    // of inputs and dead-letter topics that are created here
	Partitions      int32    // of the ledger and the outputs
	Replicas        int16
	Retention       time.Duration // of the outputs
	DeadLetterBytes int64
	Undelivered     []string // dead-letter topics of webhooks, each with one partition
	Control         string   // topic of webhooks that says which destinations are paused; "": there are no webhooks
	Replays         string   // topic of the dead letters of webhooks that are sent again; "": there are no webhooks
}

// Kind is the purpose of a topic.
type Kind string

// The kinds.
const (
	Input      Kind = "input"
	DeadLetter Kind = "dead letters"
	Ledger     Kind = "ledger"
	Output     Kind = "output"
	Imported   Kind = "imports"
	Control    Kind = "control of webhooks"
	Replays    Kind = "replays of webhooks"
)

// Imports is the topic that records which rows of which files were imported.
func Imports(namespace string) string { return namespace + ".imports.v1" }

// Wanted is the specification of a topic.
type Wanted struct {
	Kind Kind
	kafka.TopicSpec
}

// With three replicas a record is acknowledged once two brokers have it, so that one can be lost, and one can be away while records are
// accepted. With two replicas either would stop the other, so that nothing is demanded.
const (
	minInSync    = "min.insync.replicas"
	safeReplicas = 3
	safeInSync   = 2
)

// All returns the specifications of all topics: inputs, dead letters, the ledger, outputs, imports, and those of webhooks.
func (c Config) All() []Wanted {
	var all []Wanted
	add := func(kind Kind, name string, partitions int32, configs map[string]string) {
		if c.Replicas >= safeReplicas {
			configs = maps.Clone(configs)
			if configs == nil {
				configs = map[string]string{}
			}
			configs[minInSync] = strconv.Itoa(safeInSync)
		}
		all = append(all, Wanted{kind, kafka.TopicSpec{Name: name, Partitions: partitions, Replicas: c.Replicas, Configs: configs}})
	}
	for _, name := range c.Inputs {
		add(Input, name, c.InputPartitions, nil)
	}
	deadLetters := func() map[string]string {
		return map[string]string{"max.message.bytes": strconv.FormatInt(c.DeadLetterBytes, 10), "retention.ms": strconv.FormatInt(deadLetterRetention.Milliseconds(), 10), "cleanup.policy": "delete"}
	}
	for _, name := range c.DeadLetters {
		add(DeadLetter, name, c.InputPartitions, deadLetters())
	}
	// Kept forever, with timestamps from the broker: the time of the ledger is the time at which entries were appended.
	add(Ledger, ledger.Topic(c.Namespace), c.Partitions, map[string]string{
		"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime",
	})
	// Retention counts from a record's timestamp. With LogAppendTime that is when the output was published, whatever clock the ledger has,
	// however old the entry is, and whatever the clocks of machines show. The time of the answer is in the record (as_of).
	for t := range output.Topics {
		add(Output, t.Name(c.Namespace), c.Partitions, map[string]string{
			"retention.ms": strconv.FormatInt(c.Retention.Milliseconds(), 10), "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime",
		})
	}
	// Kept forever as well: importing a file again sends the rows that are not recorded here.
	add(Imported, Imports(c.Namespace), 1, map[string]string{"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete"})
	for _, name := range c.Undelivered {
		add(DeadLetter, name, 1, deadLetters())
	}
	if c.Control != "" {
		add(Control, c.Control, 1, map[string]string{"cleanup.policy": "compact"})
		add(Replays, c.Replays, 1, deadLetters())
	}
	return all
}

// Finding is a difference between a topic and its specification. Mainstay cannot run with a fatal one.
type Finding struct {
	Topic   string
	Missing bool
	Fatal   bool
	Text    string
}

// Plan compares the specifications with the existing topics. It returns the missing topics and all findings.
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
				Topic: t.Name, Missing: true, Fatal: wanted[i].Kind != Imported, Text: "does not exist: create it with `mainstay topics apply`",
			})
			continue
		}
		present = append(present, t.Name)
		if n := int32(len(t.Leaders)); n != wanted[i].Partitions && (wanted[i].Kind == Ledger || wanted[i].Kind == Output) { //nolint:gosec // a count
			findings = append(findings, Finding{Topic: t.Name, Fatal: true, Text: fmt.Sprintf(
				"has %d partitions, the ledger has %d: the number is fixed when a ledger is created; restore it, or copy the ledger with `mainstay ledger copy`", n, wanted[i].Partitions)})
		}
	}
	configs, err := k.TopicConfigs(ctx, present)
	if err != nil {
		return nil, nil, fmt.Errorf("read the topics' configuration: %w", err)
	}
	for i, w := range wanted {
		if got := configs[w.Name]; got != nil {
			findings = append(findings, differences(w, got)...)
			findings = append(findings, weakReplication(there[i], got[minInSync])...)
		}
	}
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Topic, b.Topic) })
	return missing, findings, nil
}

// weakReplication reports a topic that acknowledges a record as soon as one of several replicas has it.
func weakReplication(t kafka.Topic, inSync string) []Finding {
	n, err := strconv.Atoi(inSync)
	if t.Replicas < safeReplicas || err != nil || n >= safeInSync {
		return nil
	}
	return []Finding{{Topic: t.Name, Text: fmt.Sprintf(
		"%s is %d with %d replicas, wanted %d: a record that a single broker has is acknowledged, and lost with that broker; set it with `kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%d`",
		minInSync, n, t.Replicas, safeInSync, t.Name, minInSync, safeInSync)}}
}

// deadLetterRetention is long enough to find out why records were refused, and to replay them. Without a limit, whatever personal data
// records held would be kept for ever, and no one would know.
const deadLetterRetention = 30 * 24 * time.Hour

// leastMessageBytes is the max.message.bytes below which not even a tick of many inputs, or a dead letter that is cut, fits.
const leastMessageBytes = 16 << 10

// differences reports configuration that is weaker than specified. Stronger configuration, such as a longer retention, is accepted.
func differences(w Wanted, got map[string]string) []Finding {
	var all []Finding
	report := func(fatal bool, text string, args ...any) {
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
			report(true, "retention.ms is %d, must be -1: state is folded from the ledger's start", n)
		}
		if n := number("retention.bytes"); n != -1 {
			report(true, "retention.bytes is %d, must be -1: state is folded from the ledger's start", n)
		}
		if p := got["cleanup.policy"]; p != "delete" {
			report(true, "cleanup.policy is %s, must be delete (with retention -1): compaction would delete entries", p)
		}
		if n := number("max.message.bytes"); n < kafka.MaxBatchBytes {
			report(n < leastMessageBytes, "max.message.bytes is %d, wanted at least %d (the default is 1048588): larger entries become dead letters", n, kafka.MaxBatchBytes)
		}
		if t := got["message.timestamp.type"]; t != "LogAppendTime" {
			report(true, "message.timestamp.type is %s, must be LogAppendTime: intakes read the clock of the ledger from it", t)
		}
	case Output:
		want, _ := strconv.ParseInt(w.Configs["retention.ms"], 10, 64)
		if n := number("retention.ms"); n != -1 && n < want {
			report(n < int64(24*time.Hour/time.Millisecond), "retention.ms is %d, wanted at least %d: a claim reads the last outputs of its partition, so they must still exist", n, want)
		}
		if p := got["cleanup.policy"]; p != "delete" {
			report(false, "cleanup.policy is %s, wanted delete: `audit` compares from the log start, and compaction leaves gaps", p)
		}
		if n := number("max.message.bytes"); n < kafka.MaxBatchBytes {
			report(true, "max.message.bytes is %d, must be at least %d (the default is 1048588): a batch of outputs that is refused halts its ledger partition", n, kafka.MaxBatchBytes)
		}
		if t := got["message.timestamp.type"]; t != "LogAppendTime" {
			report(false, "message.timestamp.type is %s, wanted LogAppendTime: retention then counts from when an output is published, and not from when its entry was appended, which after an outage is earlier", t)
		}
	case DeadLetter:
		want, _ := strconv.ParseInt(w.Configs["max.message.bytes"], 10, 64)
		if n := number("max.message.bytes"); n < want {
			report(n < leastMessageBytes, "max.message.bytes is %d, wanted %d: larger dead letters are truncated", n, want)
		}
		if n := number("retention.ms"); n < 0 {
			report(false, "retention.ms is %d, wanted %d: dead letters hold records as they were sent, personal data included", n, deadLetterRetention.Milliseconds())
		}
		if p := got["cleanup.policy"]; p != "delete" {
			report(false, "cleanup.policy is %s, wanted delete: compaction keeps one dead letter for each key, and records without a key get their origin as key", p)
		}
	case Imported:
		if ms, size := number("retention.ms"), number("retention.bytes"); ms != -1 || size != -1 {
			report(false, "retention.ms is %d and retention.bytes %d, wanted -1: a file that is imported again after that would count twice", ms, size)
		}
	case Control:
		if p := got["cleanup.policy"]; p != "compact" {
			report(false, "cleanup.policy is %s, wanted compact: a destination that is paused would be resumed when retention deletes the record that says so", p)
		}
	case Input, Replays:
	}
	return all
}

// Apply creates missing topics, and the ledger if it does not exist.
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
