package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// What several processes say of one partition is one figure: a former owner's last word may still stand beside the present
// owner's, and the greater of them is the one to look at.
const (
	waiting = "max by (group, topic, partition) (mainstay_consumer_lag_records)"
	stored  = "max by (partition) (mainstay_ledger_bytes)"
)

// none is a series of zeros where a counter has not been needed yet; its labels read "none".
func none(labels ...string) string {
	s := "vector(0)"
	for _, l := range labels {
		s = fmt.Sprintf(`label_replace(%s, %q, "none", "", "")`, s, l)
	}
	return " or " + s
}

// quantiles of a histogram of durations.
func quantiles(histogram string) []query {
	var all []query
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		all = append(all, query{fmt.Sprintf("histogram_quantile(%s, sum by (le) (rate(%s_bucket[$__rate_interval])))", q, histogram), "quantile " + q})
	}
	return all
}

func operations() *board {
	b := begin("Mainstay: Operations", "mainstay-operations", "Is everything read, folded, published and stored, and how fast?", "3h", "30s")
	b.row("Is it well?", wellStats(), nil)
	b.row("Inputs", nil, inputs())
	b.row("From the ledger to the answers", nil, folds())
	b.row("Refused and left out", nil, refusals())
	b.row("Groups, Redis", nil, stores())
	b.row("Processes", nil, processes())
	return b
}

func wellStats() []panel {
	return []panel{
		{
			title: "Halted partitions", unit: units.Short, empty: "nothing scraped", alarm: 1,
			about: "Partitions that wait for a person. 0 is healthy; anything else has a runbook, by its reason: MainstayPartitionHalted.",
			asks:  []query{{"count(max by (group, partition) (mainstay_partition_halted) == 1) or vector(0)", "halted"}},
		},
		{
			title: "Time behind", unit: units.Seconds, empty: "no input read", warn: 60, alarm: 300,
			about: "How far the input partition that is furthest behind is behind. Deadlines (churn, silence) wait for it. A few seconds are healthy.",
			asks:  []query{{"max(mainstay_time_behind_seconds)", "behind"}},
		},
		{
			title: "Records to do", unit: units.Short, empty: "nothing scraped", warn: 10_000,
			about: "Input records to read and ledger entries to fold, all together. Near 0 is healthy; a hill that shrinks is a backlog being worked off.",
			asks:  []query{{"sum(" + waiting + ")", "records"}},
		},
		{
			title: "Processes up", unit: units.Short, empty: "none known",
			about: "Processes of Mainstay that answer Prometheus.",
			asks:  []query{{`sum(up{job="mainstay"})`, "up"}},
		},
		{
			title: "Redis memory", unit: units.PercentUnit, empty: "not asked yet", warn: .8, alarm: .95,
			about: "Share of maxmemory in use, of the fullest server; 0 where no maximum is set. When it is full, commits fail and folding stands still.",
			asks:  []query{{"max(mainstay_redis_memory_ratio)", "memory"}},
		},
		{
			title: "Last clean audit", unit: units.Seconds, empty: "never", never: "never", warn: 8 * 24 * 3600,
			about: "How long ago an audit last found that all that was published and stored is what the ledger says.",
			asks:  []query{{"(time() - (max(mainstay_audit_last_success_timestamp_seconds) > 0)) or vector(-1)", "ago"}},
		},
		{
			title: "Firing alerts", unit: units.Short, empty: "no rules loaded", alarm: 1,
			about: "Operators' alerts that fire now, the watchdog left out. Each has a page in docs/runbooks.",
			asks:  []query{{`count(ALERTS{alertstate="firing", alertname=~"Mainstay.+", alertname!="MainstayWatchdog"}) or vector(0)`, "firing"}},
		},
		{
			title: "Fuses open", unit: units.Short, empty: "no rules known", alarm: 1,
			about: "Rules whose customers' alerts are held back, since there were too many at once.",
			asks:  []query{{"sum(max by (rule) (mainstay_alert_fuse_open)) or vector(0)", "open"}},
		},
	}
}

func inputs() []panel {
	return []panel{
		{
			title: "Lag in records", unit: units.Short, empty: "no partition held", stacked: true,
			about: "Records that are committed in Kafka and not yet done, by group and topic. Caught up is 0.",
			asks:  []query{{"sum by (group, topic) (" + waiting + ")", "{{group}} {{topic}}"}},
		},
		{
			title: "Lag in seconds", unit: units.Seconds, empty: "no partition held", alarm: 300,
			about: "Age of the oldest record that is not yet done, by group and topic.",
			asks:  []query{{"max by (group, topic) (mainstay_consumer_lag_seconds)", "{{group}} {{topic}}"}},
		},
		{
			title: "Time behind, by input partition", unit: units.Seconds, empty: "no input read", alarm: 300,
			about: "One line that climbs while the others lie flat is one stuck partition, and holds back every deadline.",
			asks:  []query{{"max by (input_topic, input_partition) (mainstay_time_behind_seconds)", "{{input_topic}}/{{input_partition}}"}},
		},
		{
			title: "Throughput", unit: units.RequestsPerSecond, empty: "nothing read yet", stacked: true,
			about: "Input records read a second, by topic and by what became of them.",
			asks:  []query{{"sum by (topic, result) (rate(mainstay_records_consumed_total[$__rate_interval]))", "{{topic}} {{result}}"}},
		},
		{
			title: "Unstable records", unit: units.Short, empty: "no partition held",
			about: "Offsets behind an open transaction of an emitter. They cannot be read until it ends; a plateau is a transaction that hangs.",
			asks:  []query{{"max by (topic, partition) (mainstay_unstable_records)", "{{topic}}/{{partition}}"}},
		},
		{
			title: "Halted partitions, by reason", unit: units.Short, empty: "nothing scraped", alarm: 1,
			about: "1 for a partition that waits for a person. Of an input: topic/partition.",
			asks:  []query{{"max by (group, partition, reason) (mainstay_partition_halted)" + none("group", "partition", "reason"), "{{group}} {{partition}} {{reason}}"}},
		},
	}
}

func folds() []panel {
	return []panel{
		{
			title: "Answers", unit: units.RequestsPerSecond, empty: "nothing published yet", stacked: true,
			about: "Outputs published a second, by topic and by what made them due: an event, a timer (silence), a refit or a replay.",
			asks:  []query{{"sum by (topic, trigger) (rate(mainstay_outputs_total[$__rate_interval]))", "{{topic}} {{trigger}}"}},
		},
		{
			title: "Event age", unit: units.Seconds, empty: "nothing published yet, or the clock is the events'", alarm: 30,
			about: "Age, by its own time, of the oldest event in each transaction when its answers are published. Imported history shows here too. Live clock only.",
			asks:  quantiles("mainstay_event_age_seconds"),
		},
		{
			title: "Publish duration", unit: units.Seconds, empty: "nothing published yet",
			about: "Of a Kafka transaction, from its first request to its end. Tens of milliseconds are healthy.",
			asks:  quantiles("mainstay_publish_duration_seconds"),
		},
		{
			title: "Commit duration", unit: units.Seconds, empty: "nothing committed yet",
			about: "Of a commit of state to Redis. It grows with the number of customers that changed.",
			asks:  quantiles("mainstay_commit_duration_seconds"),
		},
		{
			title: "Ledger size", unit: units.BytesIEC, empty: "not asked yet",
			about: "Of all partitions of the ledger, one copy each. It is kept for ever, so plan the brokers' disks by it.",
			asks:  []query{{"sum(" + stored + ")", "ledger"}},
		},
		{
			title: "Ledger growth", unit: units.BytesPerSecondIEC, empty: "not asked yet",
			about: "Over the last hour. It follows the shop's events; ticks alone are some hundred bytes a second.",
			asks:  []query{{"sum(max by (partition) (deriv(mainstay_ledger_bytes[1h])))", "growth"}},
		},
	}
}

func refusals() []panel {
	return []panel{
		{
			title: "Dead letters, by reason", unit: units.RequestsPerSecond, empty: "nothing read yet", stacked: true,
			about: "Input records that could not be understood, a second. `mainstay dlq list` names them.",
			asks:  []query{{"sum by (topic, reason) (rate(mainstay_dlq_records_total[$__rate_interval]))" + none("topic", "reason"), "{{topic}} {{reason}}"}},
		},
		{
			title: "Share of dead letters", unit: units.PercentUnit, empty: "nothing read yet", alarm: .05,
			about: "Of all records read from a topic. An emitter's broken release shows here first.",
			asks: []query{{
				`sum by (topic) (rate(mainstay_records_consumed_total{result="dead_letter"}[$__rate_interval])) / sum by (topic) (rate(mainstay_records_consumed_total[$__rate_interval]))` +
					none("topic"), "{{topic}}",
			}},
		},
		{
			title: "Skipped, by reason", unit: units.RequestsPerSecond, empty: "nothing read yet", stacked: true,
			about: "Input records that are neither taken nor refused, a second: tests, null values, nobody in particular, surveys of other kinds.",
			asks:  []query{{"sum by (reason) (rate(mainstay_records_skipped_total[$__rate_interval]))" + none("reason"), "{{reason}}"}},
		},
		{
			title: "Rejections, by reason", unit: units.RequestsPerSecond, empty: "nothing folded yet", stacked: true,
			about: "Events that were understood and not applied, a second. Each is an event on the rejections topic.",
			asks:  []query{{"sum by (reason) (rate(mainstay_rejections_total[$__rate_interval]))" + none("reason"), "{{reason}}"}},
		},
		{
			title: "Duplicates, by kind", unit: units.RequestsPerSecond, empty: "nothing folded yet", stacked: true,
			about: "Entries dropped since they were known. After a restart of an intake some by origin are healthy; many by event are an emitter that sends twice.",
			asks:  []query{{"sum by (kind) (rate(mainstay_duplicates_total[$__rate_interval]))" + none("kind"), "{{kind}}"}},
		},
		{
			title: "Late events, by topic", unit: units.RequestsPerSecond, empty: "nothing folded yet", stacked: true,
			about: "Under the event clock: events that came after later ones; their customers are put right all the same. Under the live clock there are none, or time was said to have passed too early.",
			asks:  []query{{"sum by (topic) (rate(mainstay_late_records_total[$__rate_interval]))" + none("topic"), "{{topic}}"}},
		},
	}
}

func stores() []panel {
	return []panel{
		{
			title: "Partitions held", unit: units.Short, empty: "nothing scraped", stacked: true,
			about: "By group and process. The sum of a group is constant; processes of one group hold about the same.",
			asks:  []query{{"sum by (group, instance) (mainstay_assigned_partitions)", "{{group}} {{instance}}"}},
		},
		{
			title: "Rebalances", unit: units.Short, empty: "nothing scraped",
			about: "Generations of a group that a process has joined within 5 minutes. Some at a rollout are healthy.",
			asks:  []query{{"max by (group) (increase(mainstay_rebalances_total[5m]))", "{{group}}"}},
		},
		{
			title: "Redis memory", unit: units.PercentUnit, empty: "not asked yet", warn: .8, alarm: .95,
			about: "Share of maxmemory in use, of the fullest server; 0 where no maximum is set.",
			asks:  []query{{"max(mainstay_redis_memory_ratio)", "memory"}},
		},
		{
			title: "Redis connections", unit: units.Short, empty: "nothing scraped",
			about: "Open and idle, of all processes. Each partition that is folded needs one.",
			asks:  []query{{"sum(mainstay_redis_pool_connections)", "open"}, {"sum(mainstay_redis_pool_idle_connections)", "idle"}},
		},
		{
			title: "Redis pool", unit: units.RequestsPerSecond, empty: "nothing scraped",
			about: "How often a free connection was found (hits), had to be made (misses), or had gone bad (stale).",
			asks: []query{
				{"sum(rate(mainstay_redis_pool_hits_total[$__rate_interval]))", "hits"},
				{"sum(rate(mainstay_redis_pool_misses_total[$__rate_interval]))", "misses"},
				{"sum(rate(mainstay_redis_pool_stale_connections_total[$__rate_interval]))", "stale"},
			},
		},
		{
			title: "Redis errors and time-outs", unit: units.Short, empty: "nothing scraped",
			about: "Within 5 minutes: looks at Redis that failed, and waits for a connection that took too long. 0 is healthy.",
			asks: []query{
				{"sum(increase(mainstay_redis_errors_total[5m]))", "errors"},
				{"sum(increase(mainstay_redis_pool_timeouts_total[5m]))", "pool time-outs"},
			},
		},
	}
}

func processes() []panel {
	return []panel{
		{
			title: "CPU", unit: units.Short, empty: "nothing scraped", stacked: true,
			about: "Cores in use, by process.",
			asks:  []query{{`sum by (instance) (rate(process_cpu_seconds_total{job="mainstay"}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			title: "Memory", unit: units.BytesIEC, empty: "nothing scraped",
			about: "Resident, and of that what the Go heap has in use. fold.cache_bytes bounds the customers kept in it.",
			asks: []query{
				{`process_resident_memory_bytes{job="mainstay"}`, "{{instance}} resident"},
				{`go_memstats_heap_inuse_bytes{job="mainstay"}`, "{{instance}} heap"},
			},
		},
		{
			title: "Goroutines", unit: units.Short, empty: "nothing scraped",
			about: "By process. A line that only climbs is a leak.",
			asks:  []query{{`go_goroutines{job="mainstay"}`, "{{instance}}"}},
		},
		{
			title: "Garbage collection", unit: units.PercentUnit, empty: "nothing scraped",
			about: "Share of time in which the world was stopped for it.",
			asks:  []query{{`sum by (instance) (rate(go_gc_duration_seconds_sum{job="mainstay"}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			title: "Uptime", unit: units.Seconds, empty: "nothing scraped",
			about: "Since the process started. Saw teeth are a process that dies again and again.",
			asks:  []query{{`time() - process_start_time_seconds{job="mainstay"}`, "{{instance}}"}},
		},
		{
			title: "Releases and settings", unit: units.Short, empty: "nothing scraped", stacked: true,
			about: "Processes by release and by revision of their settings. More than one of either for long is a rollout that got stuck.",
			asks: []query{
				{"count by (version, revision) (mainstay_build_info)", "release {{version}} {{revision}}"},
				{"count by (settings_revision) (mainstay_config_info)", "settings {{settings_revision}}"},
			},
		},
	}
}
