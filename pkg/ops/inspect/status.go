package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/views"
	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/stream/fold"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// Status holds the positions of all partitions, from Kafka and Redis, with the halts that running processes report. What is not known,
// because a server does not answer, is null.
type Status struct {
	Healthy    bool             `json:"healthy"`
	Headline   string           `json:"headline"` // one sentence
	Problems   []string         `json:"problems"`
	Namespace  string           `json:"namespace"`
	LedgerID   string           `json:"ledger_id"`
	Clock      string           `json:"clock"`
	At         time.Time        `json:"at"`
	Lag        *int64           `json:"lag"` // unprocessed records of inputs and ledger; caught up is 0
	Groups     []Group          `json:"groups"`
	Inputs     []Input          `json:"inputs"`
	Partitions []Partition      `json:"partitions"`
	Processes  []QueriedProcess `json:"processes"` // that were queried
}

// Group is a consumer group.
type Group struct {
	Name    string   `json:"name"`
	State   string   `json:"state"`
	Members []string `json:"members"`
}

// QueriedProcess is a process that was asked.
type QueriedProcess struct {
	Address string   `json:"address"`
	Roles   []string `json:"roles,omitempty"`
	Version string   `json:"version,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// Input is an input partition. Times are null while unknown.
type Input struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Owner     string     `json:"owner"`     // empty: none
	Committed *int64     `json:"committed"` // everything below it is in the ledger
	End       *int64     `json:"end"`       // last stable offset
	Lag       *int64     `json:"lag"`       // records in between
	Unstable  *int64     `json:"unstable"`  // records after it, of open transactions
	Time      *time.Time `json:"time"`      // it is known to be read up to this time
	Behind    *float64   `json:"time_behind_seconds"`
	Halted    string     `json:"halted"`
	Cause     string     `json:"cause"`
}

// Partition is a ledger partition.
type Partition struct {
	Partition  int32      `json:"partition"`
	Owner      string     `json:"owner"`
	Published  *int64     `json:"published"` // ledger offset up to which outputs are out
	Committed  *int64     `json:"committed"` // ledger offset up to which Redis holds state
	End        *int64     `json:"end"`
	Lag        *int64     `json:"lag"`
	Time       *time.Time `json:"time"` // the customer base's
	Behind     *float64   `json:"time_behind_seconds"`
	LastCommit *time.Time `json:"last_commit"`
	Customers  *int64     `json:"customers"`
	// RefusedRevision is that of a settings entry that was skipped, with the reason; 0: none above the revision in force.
	RefusedRevision uint64 `json:"settings_refused_revision,omitempty"`
	RefusedReason   string `json:"settings_refused_reason,omitempty"`
	Halted          string `json:"halted"`
	Cause           string `json:"cause"`
}

// StatusConfig parameterises ReadStatus.
type StatusConfig struct {
	Namespace string
	Genesis   *ledger.Genesis
	Inputs    []string // topics
	HTTP      []string // addresses of processes to query
	Quiet     bool     // a process that does not answer is not reported: its address is a default
	KafkaDown error    // Kafka did not answer before: it is not asked again
	CatchUp   time.Duration
	InRedis   bool // what is published must be in Redis, too
	Now       func() time.Time
}

// ReadStatus queries Kafka, Redis and the processes. It reads the ends first and then the positions, repeatedly until they have
// reached the ends or CatchUp is over: offsets are committed once a second, and would otherwise always be behind. With InRedis it then waits
// until Redis holds what was published by then: state is committed after the outputs, and commands that read Redis would lack the
// latest answers. A server that does not answer is a problem in the status and no error.
func ReadStatus(ctx context.Context, c StatusConfig, k *kafka.Client, r *redis.Client) (*Status, error) {
	l := look{StatusConfig: c, kafka: k, redis: r, clock: "live", status: &Status{
		Namespace: c.Namespace, LedgerID: c.Genesis.GetLedgerId(), At: c.Now().UTC(), Problems: []string{},
		Groups: []Group{}, Inputs: []Input{}, Partitions: []Partition{}, Processes: []QueriedProcess{},
	}}
	if c.Genesis.GetClock() == ledger.Clock_CLOCK_EVENT {
		l.clock = "event"
	}
	l.status.Clock = l.clock
	for _, p := range count(int(c.Genesis.GetPartitions())) {
		l.status.Partitions = append(l.status.Partitions, Partition{Partition: p})
	}
	kafkaDown := c.KafkaDown
	for _, step := range []func(context.Context) error{l.groups, l.inputs, l.partitions} {
		if kafkaDown == nil {
			kafkaDown = withTimeout(ctx, step)
		}
	}
	if kafkaDown == nil {
		kafkaDown = l.waitCaughtUp(ctx)
	}
	if kafkaDown == nil && c.InRedis {
		l.waitInRedis(ctx)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the status: %w", context.Cause(ctx))
	}
	if kafkaDown != nil {
		l.problem("Kafka does not answer: %v", kafkaDown)
	}
	l.states(ctx)
	l.queryProcesses(ctx)
	l.sumLag()
	l.judge(kafkaDown == nil)
	return l.status, nil
}

type look struct {
	StatusConfig
	kafka  *kafka.Client
	redis  *redis.Client
	clock  string
	status *Status
	owners map[string]string // "group topic/partition"
}

const missingTopic = "the topic does not exist: create it with `mainstay topics apply`"

func (l *look) problem(format string, args ...any) {
	l.status.Problems = append(l.status.Problems, fmt.Sprintf(format, args...))
}

func (l *look) groups(ctx context.Context) error {
	l.owners = map[string]string{}
	for _, name := range []string{intake.Group(l.Namespace), fold.Group(l.Namespace)} {
		members, state, err := l.kafka.GroupMembers(ctx, name)
		if err != nil {
			return fmt.Errorf("ask for the owners: %w", err)
		}
		g := Group{Name: name, State: state, Members: []string{}}
		for _, m := range members {
			who := m.ClientID + "@" + strings.TrimPrefix(m.Host, "/")
			g.Members = append(g.Members, who)
			for topic, partitions := range m.Assignments {
				for _, p := range partitions {
					l.owners[place(name, topic, p)] = who
				}
			}
		}
		slices.Sort(g.Members)
		l.status.Groups = append(l.status.Groups, g)
	}
	return nil
}

func place(group, topic string, partition int32) string {
	return fmt.Sprintf("%s %s/%d", group, topic, partition)
}

func (l *look) inputs(ctx context.Context) error {
	topics, err := l.kafka.Topics(ctx, l.Inputs)
	if err != nil {
		return fmt.Errorf("look up the inputs: %w", err)
	}
	for _, t := range topics {
		if !t.Exists {
			l.status.Inputs = append(l.status.Inputs, Input{Topic: t.Name, Cause: missingTopic})
			l.problem("input topic %s does not exist: create it with `mainstay topics apply`", t.Name)
			continue
		}
		bounds, err := l.kafka.ListOffsets(ctx, t.Name, count(len(t.Leaders)))
		if err != nil {
			return fmt.Errorf("read the ends of %s: %w", t.Name, err)
		}
		for _, p := range count(len(t.Leaders)) {
			b := bounds[p]
			l.status.Inputs = append(l.status.Inputs, Input{
				Topic: t.Name, Partition: p, Owner: l.owners[place(intake.Group(l.Namespace), t.Name, p)],
				Committed: &b.Start, End: &b.LastStable, Unstable: new(b.HighWatermark - b.LastStable),
			})
		}
	}
	return nil
}

func (l *look) partitions(ctx context.Context) error {
	topic := ledger.Topic(l.Namespace)
	all := count(int(l.Genesis.GetPartitions()))
	bounds, err := l.kafka.ListOffsets(ctx, topic, all)
	if err != nil {
		return fmt.Errorf("read the ends of the ledger: %w", err)
	}
	for i := range l.status.Partitions {
		p := &l.status.Partitions[i]
		p.Owner, p.End = l.owners[place(fold.Group(l.Namespace), topic, p.Partition)], new(bounds[p.Partition].LastStable)
	}
	return nil
}

// states reads the state in Redis.
func (l *look) states(ctx context.Context) {
	now := l.Now()
	if l.Genesis == nil { // Kafka does not answer, and Redis does not say either how many partitions there are
		err := withTimeout(ctx, func(ctx context.Context) error {
			_, err := l.redis.Partition(l.Namespace, 0, 1).ReadMeta(ctx)
			return err
		})
		if err != nil {
			l.problem("Redis does not answer: %v", err)
		} else {
			l.problem("Redis holds no state of namespace %s", l.Namespace)
		}
		return
	}
	for i := range l.status.Partitions {
		p := &l.status.Partitions[i]
		var meta redis.Meta
		err := withTimeout(ctx, func(ctx context.Context) (err error) {
			meta, err = l.redis.Partition(l.Namespace, p.Partition, l.Genesis.GetPartitions()).ReadMeta(ctx)
			return err
		})
		switch {
		case errors.Is(err, redis.ErrUnavailable), errors.Is(err, redis.ErrDenied):
			l.problem("Redis does not answer: %v", err)
			return // the others would be waited for as long
		case err != nil:
			p.Cause = err.Error()
			l.problem("ledger partition %d: %v", p.Partition, err)
			continue
		case !meta.Exists || meta.Offset == 0:
			p.Committed, p.Customers = new(int64(0)), new(int64(0))
			continue
		case meta.LedgerID != l.Genesis.GetLedgerId():
			p.Cause = "Redis holds the state of another ledger: " + meta.LedgerID
			l.problem("ledger partition %d: %s", p.Partition, p.Cause)
			continue
		}
		p.Committed, p.LastCommit = &meta.Offset, moment(meta.UpdatedAt)
		state, err := processors.DecodePartition(meta.State)
		if err != nil { // of another release: its fold folds the ledger again
			p.Cause = err.Error()
			continue
		}
		p.Customers = new(state.Totals().Known)
		if r := state.RefusedSettings(); r != nil {
			p.RefusedRevision, p.RefusedReason = r.Revision, r.Reason.Error()
			l.problem("ledger partition %d: settings_revision %d is not in force: %s", p.Partition, r.Revision, p.RefusedReason)
		}
		if base, ok := state.BaseTime(); ok {
			p.Time, p.Behind = l.behind(base, now)
		}
		l.inputTimes(state, now)
	}
}

// inputTimes takes the greatest time that any partition of the ledger knows of each input.
func (l *look) inputTimes(state *processors.Partition, now time.Time) {
	for _, known := range state.Inputs() {
		i := slices.IndexFunc(l.status.Inputs, func(in Input) bool { return in.Topic == known.Topic && in.Partition == known.Partition })
		if !known.Reported || known.Time == 0 {
			continue
		}
		if i < 0 { // Kafka did not say that it exists
			if len(l.status.Groups) > 0 {
				continue
			}
			i = len(l.status.Inputs)
			l.status.Inputs = append(l.status.Inputs, Input{Topic: known.Topic, Partition: known.Partition})
		}
		in := &l.status.Inputs[i]
		if in.Time == nil || in.Time.UnixMilli() < known.Time {
			in.Time, in.Behind = l.behind(known.Time, now)
		}
	}
}

// behind is known under the live clock only: the event clock is not comparable with the machine's.
func (l *look) behind(ms int64, now time.Time) (*time.Time, *float64) {
	t := moment(ms)
	if l.clock != "live" {
		return t, nil
	}
	seconds := max(0, float64(now.UnixMilli()-ms)/1000)
	return t, &seconds
}

// queryProcesses adds what only the processes know: which partitions are halted, and why.
func (l *look) queryProcesses(ctx context.Context) {
	for _, address := range l.HTTP {
		s, err := queryProcess(ctx, address)
		if err == nil && (s.LedgerID != l.Genesis.GetLedgerId() || s.Namespace != l.Namespace) {
			err = fmt.Errorf("it serves namespace %s, ledger %s", s.Namespace, s.LedgerID)
		}
		if err != nil {
			if !l.Quiet {
				l.status.Processes = append(l.status.Processes, QueriedProcess{Address: address, Error: err.Error()})
				l.problem("process %s does not answer: %v", address, err)
			}
			continue
		}
		l.status.Processes = append(l.status.Processes, QueriedProcess{Address: address, Roles: s.Roles, Version: s.Build.Version})
		for _, problem := range s.Problems {
			l.problem("process %s: %s", address, problem)
		}
		for _, reported := range s.Inputs {
			for i := range l.status.Inputs {
				if in := &l.status.Inputs[i]; in.Topic == reported.Topic && in.Partition == reported.Partition {
					in.Halted, in.Cause = reported.Halted, reported.Cause
				}
			}
		}
		for _, reported := range s.Partitions {
			if int(reported.Partition) < len(l.status.Partitions) {
				p := &l.status.Partitions[reported.Partition]
				p.Halted, p.Cause = reported.Halted, reported.Cause
			}
		}
	}
}

func queryProcess(ctx context.Context, address string) (s views.Status, err error) {
	const patience = 2 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if strings.HasPrefix(address, ":") {
		address = "localhost" + address
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/status", nil)
	if err != nil {
		return s, fmt.Errorf("query %s: %w", address, err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return s, fmt.Errorf("query %s: %w", address, err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or its error is returned
	if answer.StatusCode != http.StatusOK {
		return s, fmt.Errorf("query %s: unexpected answer %s", address, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, 16<<20)).Decode(&s); err != nil {
		return s, fmt.Errorf("query %s: it is not a Mainstay process: %w", address, err)
	}
	return s, nil
}

func count(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

func moment(ms int64) *time.Time {
	t := time.UnixMilli(ms).UTC()
	return &t
}
