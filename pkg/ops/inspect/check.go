package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/process"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/encoded"
	"github.com/mainstay/mainstay/pkg/stream/intake"
	"github.com/mainstay/mainstay/pkg/stream/topics"
	"github.com/mainstay/mainstay/processors"
)

// Severity of a finding.
type Severity string

// The severities. With a fatal finding Mainstay cannot run, or not with its guarantees.
const (
	Fatal Severity = "fatal"
	Warn  Severity = "warn"
	Note  Severity = "note"
	OK    Severity = "ok"
)

// Finding is one result of a check. Its text names the next step.
type Finding struct {
	Severity Severity `json:"severity"`
	Where    string   `json:"where"`
	Text     string   `json:"text"`
}

// Report holds the findings of all checks.
type Report struct {
	Fatal    int       `json:"fatal"`
	Warnings int       `json:"warnings"`
	Findings []Finding `json:"findings"`
}

func (r *Report) add(severity Severity, where, text string, args ...any) {
	switch severity {
	case Fatal:
		r.Fatal++
	case Warn:
		r.Warnings++
	case Note, OK:
	}
	r.Findings = append(r.Findings, Finding{severity, where, fmt.Sprintf(text, args...)})
}

// Check validates configuration, connectivity and what a user is permitted, and how long erasures have waited now. A check that depends on one that failed is left out.
func Check(ctx context.Context, a *app.App, user access.User, now time.Time) *Report {
	r := &Report{Findings: []Finding{}}
	if checkKafka(ctx, a, r) {
		checkLedgerAndTopics(ctx, a, r)
		checkPermissions(ctx, a, user, r)
	}
	if slices.Contains(a.Config.Roles, process.Intake) && a.Registry != nil {
		checkRegistry(ctx, a, r)
	}
	if slices.Contains(a.Config.Roles, process.Fold) {
		checkSchemas(ctx, a, r)
		checkRedis(ctx, a, now, r)
	}
	return r
}

// checkLedgerAndTopics repeats the two checks while what was just created is still spreading: for some seconds after `topics apply` some
// brokers know topics that others do not, and the one that is asked may be any of them.
func checkLedgerAndTopics(ctx context.Context, a *app.App, r *Report) {
	const patience, pause = 5 * time.Second, 250 * time.Millisecond
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		attempt, wanted := &Report{}, a.Config
		checkLedger(ctx, a, &wanted, attempt)
		if spreading := checkTopics(ctx, a, wanted, attempt); spreading {
			select {
			case <-waiting.Done():
			case <-time.After(pause):
				continue
			}
		}
		r.Fatal, r.Warnings = r.Fatal+attempt.Fatal, r.Warnings+attempt.Warnings
		r.Findings = append(r.Findings, attempt.Findings...)
		return
	}
}

const requestTimeout = 10 * time.Second // the clients repeat failed requests until the context ends

func withTimeout(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	return request(ctx)
}

func checkKafka(ctx context.Context, a *app.App, r *Report) bool {
	where := "kafka.brokers " + strings.Join(a.Config.Kafka.Brokers, ",")
	if err := withTimeout(ctx, a.Kafka.Ping); err != nil {
		next := "check that it is running and that the address is right"
		if errors.Is(err, kafka.ErrAuthorization) {
			next = "check kafka.tls and kafka.sasl"
		}
		r.add(Fatal, where, "no broker answers: %v; %s", err, next)
		return false
	}
	r.add(OK, where, "answers")
	return true
}

// checkRegistry warns only: a process runs with its guarantees without the registry, and reads what does not need it.
func checkRegistry(ctx context.Context, a *app.App, r *Report) {
	where := "registry.urls " + strings.Join(a.Config.Registry.URLs, ",")
	err := withTimeout(ctx, a.Registry.Check)
	switch {
	case errors.Is(err, registry.ErrDenied):
		r.add(Warn, where, "%v; check the credentials: records that name a schema wait", err)
	case err != nil:
		r.add(Warn, where, "%v; check that it is running and that the address and its path are right: records that name a schema wait", err)
	default:
		r.add(OK, where, "answers")
	}
}

// checkSchemas says before a process starts whether the registry takes the schemas of the outputs. It registers none.
func checkSchemas(ctx context.Context, a *app.App, r *Report) {
	outputs, err := a.Outputs(a.Config.Genesis())
	if err != nil {
		r.add(Fatal, "outputs.encoding", "%v", err)
		return
	}
	for _, s := range outputs.Schemas() {
		registered, where := false, "subject "+s.Subject
		err := withTimeout(ctx, func(ctx context.Context) (err error) {
			registered, err = outputs.Check(ctx, s)
			return err
		})
		switch {
		case encoded.Refused(err):
			r.add(Fatal, where, "%v", err)
		case err != nil:
			r.add(Warn, where, "%v: a process starts, and publishes once the registry answers", err)
			return
		case !registered:
			r.add(Note, where, "has not this release's schema yet: the first process that folds registers it")
		default:
			r.add(OK, where, "has the schema")
		}
	}
}

// checkTopics reports whether topics look as if they were just being created: some exist and some do not, or not on every broker.
func checkTopics(ctx context.Context, a *app.App, wanted config.Config, r *Report) (spreading bool) {
	err := withTimeout(ctx, func(ctx context.Context) error {
		all := app.Topics(wanted)
		missing, found, err := topics.Plan(ctx, a.Kafka, all)
		if err != nil {
			return err
		}
		spreading = len(missing) > 0 && len(missing) < len(all.All()) || len(missing) == 0 && r.Fatal > 0 && r.Findings[0].Text == noLedger
		for _, f := range found {
			severity := Warn
			if f.Fatal {
				severity = Fatal
			}
			r.add(severity, "topic "+f.Topic, "%s", f.Text)
		}
		if len(found) == 0 {
			r.add(OK, "topics", "all exist, with the required partitions, retention and timestamps")
		}
		return nil
	})
	if err != nil {
		spreading = errors.Is(err, kafka.ErrUnknownTopic) || kafka.Retriable(err)
		r.add(Fatal, "topics", "%v; the user needs Describe and DescribeConfigs on them", err)
	}
	if a.Config.Kafka.ReplicationFactor < 2 { //nolint:mnd // below 2 there is no replica
		r.add(Note, "kafka.replication_factor", "is %d: topics that are created with it are lost with their broker; use 3 in production", a.Config.Kafka.ReplicationFactor)
	}
	return spreading
}

const noLedger = "does not exist: create it with `mainstay topics apply`"

// checkLedger compares the ledger with the settings. It replaces the settings in wanted that genesis fixes, so that the topics are
// compared with what the ledger needs.
func checkLedger(ctx context.Context, a *app.App, wanted *config.Config, r *Report) {
	err := withTimeout(ctx, func(ctx context.Context) error {
		g, err := topics.Genesis(ctx, a.Kafka, a.Config.Namespace)
		if errors.Is(err, topics.ErrNoLedger) {
			r.add(Fatal, "ledger", noLedger)
			return nil
		}
		if err != nil {
			return err
		}
		wanted.AdoptGenesis(g)
		if err := process.CheckGenesis(a.Config, g); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				r.add(Fatal, "ledger", "%s", line)
			}
			return nil
		}
		r.add(OK, "ledger", "%s, %d partitions, clock %s, currency %s, timezone %s", g.GetLedgerId(), g.GetPartitions(), a.Config.Clock, g.GetCurrency(), g.GetTimezone())
		finished, err := intake.CopyFinished(ctx, a.Kafka, a.Config.Namespace, g)
		if err == nil && !finished {
			r.add(Warn, "ledger", "is a copy of %s that is not finished: intakes wait; finish it with `mainstay ledger copy --finish`", g.GetCopiedFrom().GetNamespace())
		}
		return err
	})
	if err != nil {
		r.add(Fatal, "ledger", "%v", err)
	}
}

// checkPermissions compares what the brokers permit with what a process needs.
func checkPermissions(ctx context.Context, a *app.App, user access.User, r *Report) {
	var denied []access.Denied
	var untold []string
	err := withTimeout(ctx, func(ctx context.Context) (err error) {
		denied, untold, err = access.Check(ctx, a.Kafka, a.Config, user)
		return err
	})
	if err != nil {
		r.add(Fatal, "permissions", "%v", err)
		return
	}
	for _, d := range denied {
		name := d.Name
		if d.Prefixed {
			name += "*"
		}
		r.add(Fatal, strings.ReplaceAll(string(d.Resource), "-", " ")+" "+name, "%v", d)
	}
	switch {
	case len(untold) > 0:
		r.add(Note, "permissions", "the brokers do not tell what they permit on %s: it is not tested", strings.Join(untold, ", "))
	case len(denied) == 0:
		r.add(OK, "permissions", "the %s may do what it needs with every topic, group and transactional id", user)
	}
}

func checkRedis(ctx context.Context, a *app.App, now time.Time, r *Report) {
	where := "redis.addresses " + strings.Join(a.Config.Redis.Addresses, ",")
	var found []redis.Finding
	err := withTimeout(ctx, func(ctx context.Context) (err error) {
		found, err = a.Redis.Check(ctx)
		return err
	})
	if err != nil {
		next := "check that it is running and that the address is right"
		if errors.Is(err, redis.ErrDenied) {
			next = "check redis.username and redis.password"
		}
		r.add(Fatal, where, "%v; %s", err, next)
		return
	}
	r.add(OK, where, "answers")
	addRedis(found, r)
	err = withTimeout(ctx, func(ctx context.Context) error {
		found, err := a.Redis.CheckPermissions(ctx, a.Config.Namespace)
		addRedis(found, r)
		return err
	})
	if err != nil {
		r.add(Fatal, where, "%v", err)
		return
	}
	err = withTimeout(ctx, func(ctx context.Context) error {
		return a.Redis.Probe(ctx, a.Config.Namespace, int32(a.Config.Ledger.Partitions)) //nolint:gosec // bounded by validation
	})
	if err != nil {
		next := "the user needs to write keys that begin with \"" + a.Config.Namespace + ":\""
		switch {
		case errors.Is(err, redis.ErrFull):
			next = "raise maxmemory; nothing can be folded until then"
		case errors.Is(err, redis.ErrRefusesWrites):
			next = "look at INFO replication and INFO persistence: it is a replica, or it cannot write to its disk"
		}
		r.add(Fatal, where, "%v; %s", err, next)
		return
	}
	err = withTimeout(ctx, func(ctx context.Context) error {
		_, err := a.Redis.Partition(a.Config.Namespace, 0, int32(a.Config.Ledger.Partitions)).ReadMeta(ctx) //nolint:gosec // bounded by validation
		return err
	})
	if err != nil {
		r.add(Fatal, where, "%v; the user needs access to keys that begin with %q", err, a.Config.Namespace+":")
		return
	}
	checkErasures(ctx, a, where, now, r)
}

// erasureDue is the age of a request to forget a customer from which the check warns: the European data protection law gives a month.
const erasureDue = 21 * 24 * time.Hour

// checkErasures reports customers who were forgotten, and whose entries the ledger still holds.
func checkErasures(ctx context.Context, a *app.App, where string, now time.Time, r *Report) {
	var erasures, oldest int64
	err := withTimeout(ctx, func(ctx context.Context) error {
		partitions := int32(a.Config.Ledger.Partitions) //nolint:gosec // bounded by validation
		for p := range partitions {
			meta, err := a.Redis.Partition(a.Config.Namespace, p, partitions).ReadMeta(ctx)
			if err != nil {
				return err
			}
			if !meta.Exists || meta.Offset == 0 {
				continue
			}
			state, err := processors.DecodePartition(meta.State)
			if err != nil {
				return fmt.Errorf("decode the state of partition %d: %w; another release may have written it", p, err)
			}
			n, at := state.Erasures()
			if erasures += n; n > 0 && (oldest == 0 || at < oldest) {
				oldest = at
			}
		}
		return nil
	})
	switch age := now.Sub(time.UnixMilli(oldest)); {
	case err != nil:
		r.add(Warn, where, "how old the oldest erasure is cannot be read: %v", err)
	case erasures == 0:
	case age >= erasureDue:
		r.add(Warn, "erasures", erasuresText, erasures, age.Hours()/24)
	default:
		r.add(Note, "erasures", erasuresText, erasures, age.Hours()/24)
	}
}

const erasuresText = "the ledger still holds entries of customers who were forgotten (%d requests, the oldest %.0f days ago): `mainstay ledger copy` makes one without them, see docs/privacy.md"

func addRedis(found []redis.Finding, r *Report) {
	for _, f := range found {
		severity := map[redis.Severity]Severity{redis.SeverityRefuse: Fatal, redis.SeverityWarn: Warn, redis.SeverityNote: Note}[f.Severity]
		r.add(severity, "redis "+f.Server, "%s", f.Text)
	}
}
