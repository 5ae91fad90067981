package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// Several processes may export a series of one partition: the last value of a former owner may still exist next to that of the
// current owner. The greater one counts.
const (
	lagRecords  = "max by (group, topic, partition) (mainstay_consumer_lag_records)"
	ledgerBytes = "max by (partition) (mainstay_ledger_bytes)"
)

// orNone appends a series of zeros, with the value "none" for each label, for counters that have no series yet.
func orNone(labels ...string) string {
	s := "vector(0)"
	for _, l := range labels {
		s = fmt.Sprintf(`label_replace(%s, %q, "none", "", "")`, s, l)
	}
	return " or " + s
}

// quantiles returns the queries for the 50th, 95th and 99th percentile of a histogram.
func quantiles(histogram string) []query {
	var all []query
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		all = append(all, query{fmt.Sprintf("histogram_quantile(%s, sum by (le) (rate(%s_bucket[$__rate_interval])))", q, histogram), "quantile " + q})
	}
	return all
}

func operationsDashboard() *builder {
	b := newDashboard("Mainstay: Operations", "mainstay-operations", "Is everything read, folded, published and committed, and how fast?", "3h", "30s")
	b.row("Status", statusStats(), nil)
	b.row("Inputs", nil, inputs())
	b.row("Events by HTTP", nil, ingests())
	b.row("Webhooks", nil, webhooks())
	b.row("Fold", nil, folds())
	b.row("Dead letters, rejections, skips, duplicates", nil, refusals())
	b.row("Consumer groups and Redis", nil, stores())
	b.row("Processes", nil, processes())
	return b
}

func statusStats() []panel {
	return []panel{
		{
			title: "Halted partitions", unit: units.Short, noValue: "nothing scraped", alarm: 1,
			description: "Partitions that have stopped until an operator removes the cause. 0 is healthy; otherwise follow the runbook MainstayPartitionHalted.",
			queries:     []query{{"count(max by (group, partition) (mainstay_partition_halted) == 1) or vector(0)", "halted"}},
		},
		{
			title: "Time behind", unit: units.Seconds, noValue: "no input read", warn: 60, alarm: 300,
			description: "Delay of base time against the ledger's clock, caused by the slowest input partition. Deadlines wait for base time. A few seconds are healthy.",
			queries:     []query{{"max(mainstay_time_behind_seconds)", "behind"}},
		},
		{
			title: "Records not yet processed", unit: units.Short, noValue: "nothing scraped", warn: 10_000,
			description: "Input records to read and ledger entries to fold, in total. Near 0 is healthy; a falling curve is a backlog being processed.",
			queries:     []query{{"sum(" + lagRecords + ")", "records"}},
		},
		{
			title: "Processes up", unit: units.Short, noValue: "no targets",
			description: "Processes of Mainstay that Prometheus can scrape. Healthy is the number that you run.",
			queries:     []query{{`sum(up{job="mainstay"})`, "up"}},
		},
		{
			title: "Redis memory", unit: units.PercentUnit, noValue: "not measured yet", warn: .8, alarm: .95,
			description: "Share of maxmemory in use on the fullest server; 0 where no maximum is set. Below 80% is healthy; at 100% commits fail and folding stops.",
			queries:     []query{{"max(mainstay_redis_memory_ratio)", "memory"}},
		},
		{
			title: "Last clean audit", unit: units.Seconds, noValue: "never", never: "never", warn: 8 * 24 * 3600,
			description: "Time since an audit last found that outputs and state agree with the ledger. Less than 8 days is healthy.",
			queries:     []query{{"(time() - (max(mainstay_audit_last_success_timestamp_seconds) > 0)) or vector(-1)", "ago"}},
		},
		{
			title: "Firing alerts", unit: units.Short, noValue: "no rules loaded", alarm: 1,
			description: "Operational alerts that are firing, without the watchdog. 0 is healthy; each alert has a page in docs/runbooks.",
			queries:     []query{{`count(ALERTS{alertstate="firing", alertname=~"Mainstay.+", alertname!="MainstayWatchdog"}) or vector(0)`, "firing"}},
		},
		{
			title: "Fuses open", unit: units.Short, noValue: "no rules loaded", alarm: 1,
			description: "Rules whose customer alerts are suppressed because they raised too many within an hour. 0 is healthy.",
			queries:     []query{{"sum(max by (rule) (mainstay_alert_fuse_open)) or vector(0)", "open"}},
		},
	}
}

func webhooks() []panel {
	const none = "no process has the role deliver"
	return []panel{
		{
			title: "Oldest undelivered output", unit: units.Seconds, noValue: none, warn: 900,
			description: "Age of the oldest output that a destination has not got. A few seconds are healthy; it grows while the receiver does not answer, and while the destination is paused.",
			queries:     []query{{"max by (destination) (mainstay_deliver_oldest_undelivered_seconds) or vector(0)", "{{destination}}"}, {"max by (destination) (mainstay_deliver_paused) == 1" + orNone("destination"), "{{destination}} is paused"}},
		},
		{
			title: "Outputs, by destination and outcome", unit: units.Short, noValue: none, stacked: true,
			description: "Outputs per second, by what became of them. dead_letter and lost are not tried again: see the runbook MainstayDeliveriesFailed.",
			queries:     []query{{"sum by (destination, outcome) (rate(mainstay_deliver_outputs_total[$__rate_interval])) > 0" + orNone("destination", "outcome"), "{{destination}} {{outcome}}"}},
		},
		{
			title: "Requests to destinations, by result", unit: units.RequestsPerSecond, noValue: none, stacked: true,
			description: "Attempts per second, by destination and result. All but ok and refused are tried again.",
			queries:     []query{{"sum by (destination, result) (rate(mainstay_deliver_attempts_total[$__rate_interval])) > 0" + orNone("destination", "result"), "{{destination}} {{result}}"}},
		},
		{
			title: "Duration of a request to a destination", unit: units.Seconds, noValue: none,
			description: "Time until a receiver answers, of all destinations. It should be far below their timeout.",
			queries:     []query{{"histogram_quantile(0.99, sum by (le) (rate(mainstay_deliver_request_duration_seconds_bucket[$__rate_interval]))) or vector(0)", "quantile 0.99"}},
		},
		{
			title: "Outputs to deliver", unit: units.Short, noValue: none,
			description: "Records between a destination's position and the end of its topics. Near 0 is healthy; a falling curve is a backlog being sent.",
			queries:     []query{{"sum by (destination) (mainstay_deliver_undelivered_records) or vector(0)", "{{destination}}"}},
		},
	}
}

func ingests() []panel {
	return []panel{
		{
			title: "Requests with events", unit: units.RequestsPerSecond, noValue: "no process has the role ingest", stacked: true,
			description: "Requests per second with events, by outcome: accepted, or the problem that was answered. busy and unavailable are sent again; signature and events_refused are the sender's.",
			queries:     []query{{"sum by (outcome) (rate(mainstay_ingest_requests_total[$__rate_interval])) > 0" + orNone("outcome"), "{{outcome}}"}},
		},
		{
			title: "Events in requests", unit: units.Short, noValue: "no process has the role ingest", stacked: true,
			description: "Events per second, by kind and result. Refused ones are in requests of which nothing is accepted; skipped ones do not count, such as tests and guests.",
			queries:     []query{{"sum by (kind, result) (rate(mainstay_ingest_events_total[$__rate_interval])) > 0" + orNone("kind", "result"), "{{kind}} {{result}}"}},
		},
		{
			title: "Memory of requests", unit: units.BytesIEC, noValue: "no process has the role ingest",
			description: "Memory of the requests with events that are not answered yet, of the fullest process. At ingest.in_flight_bytes further requests are answered with 429.",
			queries:     []query{{"max(mainstay_ingest_in_flight_bytes) or vector(0)", "bytes"}},
		},
		{
			title: "Duration of a request", unit: units.Seconds, noValue: "no process has the role ingest",
			description: "Time until a request with events is answered: for accepted ones that is after Kafka has acknowledged them. Below 0.1 s is healthy.",
			queries:     []query{{"histogram_quantile(0.99, sum by (le) (rate(mainstay_ingest_request_duration_seconds_bucket[$__rate_interval]))) or vector(0)", "quantile 0.99"}},
		},
	}
}

func inputs() []panel {
	return []panel{
		{
			title: "Lag in records", unit: units.Short, noValue: "no partition assigned", stacked: true,
			description: "Committed records that are not yet processed, by group and topic. Near 0 is healthy.",
			queries:     []query{{"sum by (group, topic) (" + lagRecords + ")", "{{group}} {{topic}}"}},
		},
		{
			title: "Lag in seconds", unit: units.Seconds, noValue: "no partition assigned", alarm: 300,
			description: "Age of the oldest record that is not yet processed, by group and topic. A few seconds are healthy.",
			queries:     []query{{"max by (group, topic) (mainstay_consumer_lag_seconds)", "{{group}} {{topic}}"}},
		},
		{
			title: "Time behind, by input partition", unit: units.Seconds, noValue: "no input read", alarm: 300,
			description: "Delay of the time up to which each input partition was read, against the ledger's clock. A single rising line is a partition that is stuck; it delays every deadline.",
			queries:     []query{{"max by (input_topic, input_partition) (mainstay_time_behind_seconds)", "{{input_topic}}/{{input_partition}}"}},
		},
		{
			title: "Time without progress", unit: units.Seconds, noValue: "no partition assigned", alarm: 300,
			description: "Time since the partition of each topic that has waited longest was last read and acknowledged (inputs) or committed (ledger), or had nothing left to do. A few seconds are healthy.",
			queries:     []query{{"max by (group, topic) (mainstay_partition_stalled_seconds)", "{{group}} {{topic}}"}},
		},
		{
			title: "Failed claims and runs, by cause", unit: units.Short, noValue: "nothing scraped", stacked: true,
			description: "Claims of ledger partitions and runs of the intake within 5 minutes that ended with an error and began again. A few after a restart or a rebalance are healthy.",
			queries: []query{
				{"sum by (cause) (increase(mainstay_claims_failed_total[5m]))", "claims {{cause}}"},
				{"sum by (cause) (increase(mainstay_intake_runs_failed_total[5m]))", "runs {{cause}}"},
			},
		},
		{
			title: "Throughput", unit: units.RequestsPerSecond, noValue: "nothing read yet", stacked: true,
			description: "Input records read per second, by topic and result.",
			queries:     []query{{"sum by (topic, result) (rate(mainstay_records_consumed_total[$__rate_interval]))", "{{topic}} {{result}}"}},
		},
		{
			title: "Unstable records", unit: units.Short, noValue: "no partition assigned",
			description: "Offsets after the start of a producer's open transaction. They cannot be read until it ends. Short peaks are healthy; a plateau is a transaction that hangs.",
			queries:     []query{{"max by (topic, partition) (mainstay_unstable_records)", "{{topic}}/{{partition}}"}},
		},
		{
			title: "Schema registry: failed requests", unit: units.Short, noValue: "no registry configured",
			description: "Requests for a schema that the registry has not answered within 5 minutes, by cause. 0 is healthy; otherwise input partitions wait: follow MainstayRegistryDown.",
			queries:     []query{{"sum by (cause) (increase(mainstay_registry_errors_total[5m]))" + orNone("cause"), "{{cause}}"}},
		},
		{
			title: "Halted partitions, by reason", unit: units.Short, noValue: "nothing scraped", alarm: 1,
			description: "1 for each halted partition; for an input the partition is topic/partition. No series but zero is healthy.",
			queries:     []query{{"max by (group, partition, reason) (mainstay_partition_halted)" + orNone("group", "partition", "reason"), "{{group}} {{partition}} {{reason}}"}},
		},
	}
}

func folds() []panel {
	return []panel{
		{
			title: "Outputs", unit: units.RequestsPerSecond, noValue: "nothing published yet", stacked: true,
			description: "Outputs published per second, by topic and trigger: an event, a credit, a timer, thresholds, parameters, settings or a replay.",
			queries:     []query{{"sum by (topic, trigger) (rate(mainstay_outputs_total[$__rate_interval]))", "{{topic}} {{trigger}}"}},
		},
		{
			title: "Event age", unit: units.Seconds, noValue: "nothing published yet, or event clock", alarm: 30,
			description: "Age, from its own time, of the oldest event in each transaction when the transaction is published. Below 30 s is healthy, except while history is imported. Live clock only.",
			queries:     quantiles("mainstay_event_age_seconds"),
		},
		{
			title: "Publish duration", unit: units.Seconds, noValue: "nothing published yet",
			description: "Duration of a Kafka transaction, from its first request to its end. Tens of milliseconds are healthy.",
			queries:     quantiles("mainstay_publish_duration_seconds"),
		},
		{
			title: "Commit duration", unit: units.Seconds, noValue: "nothing committed yet",
			description: "Duration of a commit of state to Redis. It grows with the number of customers that changed; tens of milliseconds are healthy.",
			queries:     quantiles("mainstay_commit_duration_seconds"),
		},
		{
			title: "Ledger size", unit: units.BytesIEC, noValue: "not measured yet",
			description: "Size of all ledger partitions, without replicas. The ledger is kept forever, so it determines the disk space of the brokers.",
			queries:     []query{{"sum(" + ledgerBytes + ")", "ledger"}},
		},
		{
			title: "Ledger growth", unit: units.BytesPerSecondIEC, noValue: "not measured yet",
			description: "Growth of the ledger over the last hour. It follows the rate of events; ticks alone add a few hundred bytes per second.",
			queries:     []query{{"sum(max by (partition) (deriv(mainstay_ledger_bytes[1h])))", "growth"}},
		},
		{
			title: "Oldest erasure", unit: units.Seconds, noValue: "unknown",
			description: "Time since the oldest request to forget a customer of whom the ledger still holds entries; 0 if there is none. Only a copy of the ledger is without them (docs/privacy.md).",
			queries:     []query{{"max(mainstay_oldest_erasure_seconds) or vector(0)", "oldest"}},
		},
	}
}

func refusals() []panel {
	return []panel{
		{
			title: "Dead letters, by reason", unit: units.RequestsPerSecond, noValue: "nothing read yet", stacked: true,
			description: "Input records written to the dead letters per second. `mainstay dlq list` shows them. 0 is healthy.",
			queries:     []query{{"sum by (topic, reason) (rate(mainstay_dlq_records_total[$__rate_interval]))" + orNone("topic", "reason"), "{{topic}} {{reason}}"}},
		},
		{
			title: "Share of dead letters", unit: units.PercentUnit, noValue: "nothing read yet", alarm: .05,
			description: "Share of the records of a topic that are dead letters. A defective release of a producer shows here first. Below 5% is tolerated.",
			queries: []query{{
				`sum by (topic) (rate(mainstay_records_consumed_total{result="dead_letter"}[$__rate_interval])) / sum by (topic) (rate(mainstay_records_consumed_total[$__rate_interval]))` +
					orNone("topic"), "{{topic}}",
			}},
		},
		{
			title: "Skipped, by reason", unit: units.RequestsPerSecond, noValue: "nothing read yet", stacked: true,
			description: "Input records skipped per second: test events, null values, anonymous events, surveys of kinds that are not evaluated.",
			queries:     []query{{"sum by (reason) (rate(mainstay_records_skipped_total[$__rate_interval]))" + orNone("reason"), "{{reason}}"}},
		},
		{
			title: "Rejections, by reason", unit: units.RequestsPerSecond, noValue: "nothing folded yet", stacked: true,
			description: "Valid events per second that contradict what is known and are not applied. Each is published on the rejections topic.",
			queries:     []query{{"sum by (reason) (rate(mainstay_rejections_total[$__rate_interval]))" + orNone("reason"), "{{reason}}"}},
		},
		{
			title: "Refused settings", unit: units.Short, noValue: "nothing folded yet", alarm: 1,
			description: "Settings entries of the ledger within an hour that were refused because a value is out of bounds. 0 is healthy; otherwise `mainstay status` shows the revision and the reason, and a higher settings_revision with corrected values replaces it.",
			queries:     []query{{"sum(increase(mainstay_settings_refused_total[1h]))", "refused"}},
		},
		{
			title: "Duplicates, by kind", unit: units.RequestsPerSecond, noValue: "nothing folded yet", stacked: true,
			description: "Ledger entries per second that were dropped as duplicates. Some by origin after a restart of an intake are healthy; many by event mean that a producer sends events twice.",
			queries:     []query{{"sum by (kind) (rate(mainstay_duplicates_total[$__rate_interval]))" + orNone("kind"), "{{kind}}"}},
		},
		{
			title: "Late events, by topic", unit: units.RequestsPerSecond, noValue: "nothing folded yet", stacked: true,
			description: "Events per second that are older than base time. Under the event clock they are events that arrived out of order, and the answers are corrected. Under the live clock 0 is expected: any other value means that base time advanced too early.",
			queries:     []query{{"sum by (topic) (rate(mainstay_late_records_total[$__rate_interval]))" + orNone("topic"), "{{topic}}"}},
		},
	}
}

func stores() []panel {
	return []panel{
		{
			title: "Partitions assigned", unit: units.Short, noValue: "nothing scraped", stacked: true,
			description: "Assigned partitions by group and process. The sum of a group is constant, and its processes own about the same number.",
			queries:     []query{{"sum by (group, instance) (mainstay_assigned_partitions)", "{{group}} {{instance}}"}},
		},
		{
			title: "Rebalances", unit: units.Short, noValue: "nothing scraped",
			description: "Group generations that a process joined within 5 minutes. A few during a rollout are healthy.",
			queries:     []query{{"max by (group) (increase(mainstay_rebalances_total[5m]))", "{{group}}"}},
		},
		{
			title: "Redis memory", unit: units.PercentUnit, noValue: "not measured yet", warn: .8, alarm: .95,
			description: "Share of maxmemory in use on the fullest server; 0 where no maximum is set. Below 80% is healthy.",
			queries:     []query{{"max(mainstay_redis_memory_ratio)", "memory"}},
		},
		{
			title: "Redis connections", unit: units.Short, noValue: "nothing scraped",
			description: "Open and idle connections of all processes. Each folded partition needs one.",
			queries:     []query{{"sum(mainstay_redis_pool_connections)", "open"}, {"sum(mainstay_redis_pool_idle_connections)", "idle"}},
		},
		{
			title: "Redis pool", unit: units.RequestsPerSecond, noValue: "nothing scraped",
			description: "Requests per second that found a free connection (hits) or had to open one (misses), and connections closed because they were stale. Few misses are healthy.",
			queries: []query{
				{"sum(rate(mainstay_redis_pool_hits_total[$__rate_interval]))", "hits"},
				{"sum(rate(mainstay_redis_pool_misses_total[$__rate_interval]))", "misses"},
				{"sum(rate(mainstay_redis_pool_stale_connections_total[$__rate_interval]))", "stale"},
			},
		},
		{
			title: "Failed probes and time-outs", unit: units.Short, noValue: "nothing scraped",
			description: "Failed probes of Kafka and Redis by cause, and time-outs while waiting for a connection to Redis, within 5 minutes. 0 is healthy.",
			queries: []query{
				{"sum by (cause) (increase(mainstay_kafka_errors_total[5m]))", "{{cause}}"},
				{"sum by (cause) (increase(mainstay_redis_errors_total[5m]))", "{{cause}}"},
				{"sum(increase(mainstay_redis_pool_timeouts_total[5m]))", "pool time-outs"},
			},
		},
		{
			title: "Kafka and Redis reached", unit: units.PercentUnit, noValue: "nothing scraped",
			description: "Share of the processes whose last probe of the server succeeded. 100% is healthy; otherwise follow MainstayKafkaDown or MainstayRedisErrors.",
			queries:     []query{{"avg(mainstay_kafka_up)", "Kafka"}, {"avg(mainstay_redis_up)", "Redis"}},
		},
	}
}

func processes() []panel {
	return []panel{
		{
			title: "CPU", unit: units.Short, noValue: "nothing scraped", stacked: true,
			description: "CPU cores in use, by process. A process at its limit is the reason for a growing lag.",
			queries:     []query{{`sum by (instance) (rate(process_cpu_seconds_total{job="mainstay"}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			title: "Memory", unit: units.BytesIEC, noValue: "nothing scraped",
			description: "Resident memory, and the part of it in use by the Go heap. fold.cache_bytes bounds the cached customers.",
			queries: []query{
				{`process_resident_memory_bytes{job="mainstay"}`, "{{instance}} resident"},
				{`go_memstats_heap_inuse_bytes{job="mainstay"}`, "{{instance}} heap"},
			},
		},
		{
			title: "Goroutines", unit: units.Short, noValue: "nothing scraped",
			description: "Goroutines by process. A line that only rises is a leak.",
			queries:     []query{{`go_goroutines{job="mainstay"}`, "{{instance}}"}},
		},
		{
			title: "Garbage collection", unit: units.PercentUnit, noValue: "nothing scraped",
			description: "Share of time in stop-the-world pauses. Well below 1% is healthy.",
			queries:     []query{{`sum by (instance) (rate(go_gc_duration_seconds_sum{job="mainstay"}[$__rate_interval]))`, "{{instance}}"}},
		},
		{
			title: "Uptime", unit: units.Seconds, noValue: "nothing scraped",
			description: "Time since the process started. A sawtooth is a process that restarts repeatedly.",
			queries:     []query{{`time() - process_start_time_seconds{job="mainstay"}`, "{{instance}}"}},
		},
		{
			title: "Releases and settings", unit: units.Short, noValue: "nothing scraped", stacked: true,
			description: "Processes by release and by settings revision. More than one of either for long is a rollout that is stuck.",
			queries: []query{
				{"count by (version, revision) (mainstay_build_info)", "release {{version}} {{revision}}"},
				{"count by (settings_revision) (mainstay_config_info)", "settings {{settings_revision}}"},
			},
		},
	}
}
