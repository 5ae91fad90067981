// Package config owns every setting: its name, default, bounds and meaning, and how it is read: defaults, then a YAML
// file, then the environment, then flags, each over the one before.
//
// It refuses what it does not know: an unknown key or variable is an error that names the nearest known one, and every
// error names the setting, where its value came from and the bound that it breaks. All errors are reported at once.
// It refuses to open anything but the files that it is told of; secrets are redacted however they are printed.
//
// A setting of the ledger takes its default, bounds and documentation from the table of processors/settings; all others,
// which concern the process alone, from the struct tags below. Both together are the one source of docs/configuration.md:
//
//	yaml    the key                  range   least..most, either may be missing
//	doc     its documentation        oneof   the values allowed, separated by |
package config

//go:generate go run ../../../cmd/configdoc -o ../../../docs/configuration.md

import (
	"reflect"
	"time"

	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Config is what a process of Mainstay is told. Durations are written as Go durations, sizes with KiB, MiB, GiB.
type Config struct {
	Namespace        string    `yaml:"namespace"`
	Roles            []string  `yaml:"roles" oneof:"intake|fold|http" range:"1.." doc:"What this process does. Several processes share the work of a role."`
	Clock            string    `yaml:"clock"`
	Timezone         string    `yaml:"timezone"`
	SettingsRevision uint64    `yaml:"settings_revision" range:"1.." doc:"Number of this set of the settings marked (revision). They change answers, so they hold from a place in the ledger on, which the first process with a higher number appends: raise it with every change of one of them, and only then. A process with a lower number, or the same number and other values, refuses to fold, so that a rolling restart cannot flip answers to and fro."`
	Kafka            Kafka     `yaml:"kafka"`
	Redis            Redis     `yaml:"redis"`
	Ledger           Ledger    `yaml:"ledger"`
	Outputs          Outputs   `yaml:"outputs"`
	Intake           Intake    `yaml:"intake"`
	Fold             Fold      `yaml:"fold"`
	Money            Money     `yaml:"money"`
	Model            Model     `yaml:"model"`
	Refit            Refit     `yaml:"refit"`
	Churn            Churn     `yaml:"churn"`
	CLV              CLV       `yaml:"clv"`
	SimpleCLV        SimpleCLV `yaml:"simple_clv"`
	Surveys          Surveys   `yaml:"surveys"`
	Memory           Memory    `yaml:"memory"`
	Dedup            Dedup     `yaml:"dedup"`
	Tiers            Tiers     `yaml:"tiers"`
	Portfolio        Portfolio `yaml:"portfolio"`
	Alerts           Alerts    `yaml:"alerts"`
	HTTP             HTTP      `yaml:"http"`
	Admin            Admin     `yaml:"admin"`
	Log              Log       `yaml:"log"`
	Shutdown         Shutdown  `yaml:"shutdown"`
}

// Kafka says how to reach the cluster and which topics are read.
type Kafka struct {
	Brokers           []string      `yaml:"brokers" range:"1.." doc:"host:port of some brokers; the others are found through them."`
	ClientID          string        `yaml:"client_id" range:"1..249" doc:"Name of this process in the brokers' logs and quotas."`
	TLS               TLS           `yaml:"tls"`
	SASL              SASL          `yaml:"sasl"`
	Topics            Topics        `yaml:"topics"`
	InputsRevision    uint64        `yaml:"inputs_revision" range:"1..4294967295" doc:"Number of the set of input topics. Raise it whenever a topic is added or removed: ticks of a lower number are ignored, so that a process with an old list cannot hold back time or hurry it."`
	Compression       string        `yaml:"compression" oneof:"none|lz4|zstd" doc:"Of the batches that are written. It costs this process about a CPU-second per million events and saves the brokers as much, and disk: worth it where they are the bottleneck. Reading understands every codec of Kafka."`
	Timeout           time.Duration `yaml:"timeout" range:"100ms..5m" doc:"Of one request, connecting included."`
	SessionTimeout    time.Duration `yaml:"session_timeout" range:"1s..30m" doc:"A member of a consumer group that is silent for this long loses its partitions. The brokers bound it too (group.min.session.timeout.ms, group.max.session.timeout.ms)."`
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval" range:"50ms..10m" doc:"At most a third of session_timeout. Short, since a member learns of a rebalance only by its heartbeat."`
	RebalanceTimeout  time.Duration `yaml:"rebalance_timeout" range:"1s..30m" doc:"How long a rebalance waits for a member to finish what it has begun."`
	ReplicationFactor int           `yaml:"replication_factor" range:"1..32767" doc:"Of the topics that topics apply makes. 3 for anything that matters; the guarantee rests on Kafka keeping what it acknowledged."`
}

// TLS of a connection. Files are PEM.
type TLS struct {
	Enabled    bool   `yaml:"enabled" doc:"Encrypt every connection."`
	CAFile     string `yaml:"ca_file" doc:"Certificates to trust instead of the system's."`
	CertFile   string `yaml:"cert_file" doc:"Own certificate, with key_file, where the server asks for one."`
	KeyFile    string `yaml:"key_file" doc:"Key of cert_file."`
	ServerName string `yaml:"server_name" doc:"Name that the server's certificate must bear, if not the host's."`
}

// SASL authenticates to the brokers.
type SASL struct {
	Mechanism string `yaml:"mechanism" oneof:"|plain|scram-sha-256|scram-sha-512" doc:"Empty: no authentication."`
	User      string `yaml:"user" doc:"Who we are."`
	Password  Secret `yaml:"password" doc:"Read again from its file, if it has one, at each connection, so that it can be rotated."`
}

// Topics are the inputs by kind of event. A topic stands in one list only.
type Topics [event.Kinds][]string

// defaultTopics are the topics that the kinds of event declare.
func defaultTopics() (t Topics) {
	for kind := range event.Kinds {
		t[kind] = []string{kind.Descriptor().Topic}
	}
	return t
}

// Redis holds the state of customers.
type Redis struct {
	Addresses  []string      `yaml:"addresses" range:"1.." doc:"host:port of the server, of the sentinels, or of some nodes of the cluster."`
	Mode       string        `yaml:"mode" oneof:"single|sentinel|cluster" doc:"What the addresses are."`
	MasterName string        `yaml:"master_name" doc:"The master's name, which sentinels ask for."`
	Username   string        `yaml:"username" doc:"ACL user; empty for the default user."`
	Password   Secret        `yaml:"password" doc:"Of that user. Read again from its file, if it has one, at each connection."`
	DB         int           `yaml:"db" range:"0..65535" doc:"Number of the database; a cluster has only 0."`
	TLS        TLS           `yaml:"tls"`
	Timeout    time.Duration `yaml:"timeout" range:"50ms..5m" doc:"Of connecting, and of one command or pipeline."`
	PoolSize   int           `yaml:"pool_size" range:"1..10000" doc:"Connections at most. Each partition folded here needs one."`
}

// Ledger is what may never change in the life of a ledger: to change it, start another namespace and import again.
type Ledger struct {
	Partitions            int    `yaml:"partitions"`
	CustomerNormalisation string `yaml:"customer_normalisation"`
}

// Outputs are the topics that are written.
type Outputs struct {
	Retention time.Duration `yaml:"retention" range:"24h..87600h" doc:"Of the output topics that topics apply makes, and the least that check accepts. A claim may need to find its last outputs."`
}

// Intake turns inputs into entries of the ledger.
type Intake struct {
	TickInterval    time.Duration `yaml:"tick_interval" range:"10ms..1m" doc:"How often the passing of time enters the ledger, which is kept for ever: with 32 input partitions a tick takes about 1.5 KB in each of its partitions. Under the event clock time passes with events alone, within a second."`
	CommitInterval  time.Duration `yaml:"commit_interval" range:"10ms..1m" doc:"How often input offsets are committed: what a restart reads again."`
	FetchMaxBytes   Bytes         `yaml:"fetch_max_bytes" range:"64KiB..1GiB" doc:"Most bytes that one fetch brings."`
	Anonymous       []string      `yaml:"anonymous" doc:"Customer ids that mean nobody in particular, in any case of letters."`
	AnonymousPolicy string        `yaml:"anonymous_policy" oneof:"skip|dead_letter" doc:"What is done with events of nobody in particular. Both are counted."`
	DLQMaxBytes     Bytes         `yaml:"dlq_max_bytes" range:"64KiB..1GiB" doc:"Largest record of the dead-letter topics (max.message.bytes of those that topics apply makes). Above what the inputs allow, since headers are added; a record that still does not fit is cut and marked."`
}

// Fold turns the ledger into state and outputs.
type Fold struct {
	PublishInterval          time.Duration `yaml:"publish_interval" range:"5ms..10s" doc:"How often outputs are published. Longer is cheaper and later."`
	MaxTransactionsPerSecond int           `yaml:"max_transactions_per_second" range:"1..10000" doc:"Of this process, over all its partitions; publish_interval is stretched to keep to it. A transaction costs about 1.4 ms of CPU."`
	CommitInterval           time.Duration `yaml:"commit_interval" range:"10ms..1m" doc:"How often state is committed to Redis while entries come in: what a takeover folds again. A partition that has nothing to do commits within a second."`
	CacheBytes               Bytes         `yaml:"cache_bytes" range:"1MiB..1TiB" doc:"Memory for customers' states in this process, over all its partitions. The rest is read from Redis when needed."`
	TransactionTimeout       time.Duration `yaml:"transaction_timeout" range:"1s..15m" doc:"After which the broker aborts a transaction whose owner is gone. Until then readers of committed data wait."`
	CheckpointInterval       time.Duration `yaml:"checkpoint_interval" range:"1s..10m" doc:"How often a publishing fold writes into the ledger what it has published."`
	WakeLimit                int           `yaml:"wake_limit"`
}

// Money says which amounts count and in what currency.
type Money struct {
	Currency        string                 `yaml:"currency"`
	DefaultCurrency string                 `yaml:"default_currency" doc:"Of events that state none. Empty: such events are dead letters."`
	Total           string                 `yaml:"total" oneof:"total|subtotal|total_without_tax|total_without_shipping|total_without_tax_and_shipping" doc:"Which amount of a purchase counts. Tax and shipping that are not stated are 0."`
	Currencies      map[string]money.Alias `yaml:"currencies" doc:"Codes outside ISO 4217, each as a multiple (a power of ten) of one that is in it. Adds to those shipped, which cannot be redefined."`
	Rates           map[string]string      `yaml:"rates"`
}

// Model is where the models' parameters come from at first.
type Model struct {
	ParametersFile string `yaml:"parameters_file" doc:"File of parameters that mainstay fit has written. Its parameters enter the ledger when their version is higher than that in force. Empty: the prior's, until a refit."`
}

// Refit learns the models' parameters from the live customers.
type Refit struct {
	Interval time.Duration `yaml:"interval" range:"0s..8760h" doc:"How often the process that holds partition 0 of the ledger refits, the first time after a tenth of it, at most five minutes. 0: never; mainstay refit does it once."`
}

// Churn classes the probability that a customer is gone.
type Churn struct {
	Medium              float64 `yaml:"medium"`
	High                float64 `yaml:"high"`
	GraceDays           int     `yaml:"grace_days"`
	PurchaseHorizonDays int     `yaml:"purchase_horizon_days"`
	Material            float64 `yaml:"material"`
}

// CLV is customer lifetime value by model.
type CLV struct {
	PredictionHorizonDays int     `yaml:"prediction_horizon_days"`
	DiscountRateAnnual    float64 `yaml:"discount_rate_annual"`
	Margin                float64 `yaml:"margin"`
	Material              float64 `yaml:"material"`
}

// SimpleCLV is the articles' formula.
type SimpleCLV struct {
	LifespanYears float64 `yaml:"lifespan_years"`
}

// Surveys are the customers' own words.
type Surveys struct {
	WindowDays   int  `yaml:"window_days"`
	KeepComments bool `yaml:"keep_comments"`
}

// Memory bounds the state of a customer. Purchase days are kept for ever, whatever stands here.
type Memory struct {
	Days   int `yaml:"days"`
	Orders int `yaml:"orders"`
}

// Dedup bounds the memory of event ids, by which a repeated event is known.
type Dedup struct {
	Days   int `yaml:"days"`
	Events int `yaml:"events"`
}

// Tiers are top_10, top_20 and rest, by total CLV.
type Tiers struct {
	MinCustomers int `yaml:"min_customers"`
}

// Portfolio is the customer base as a whole.
type Portfolio struct {
	ContributionInterval time.Duration `yaml:"contribution_interval"`
}

// Alerts are raised and cleared by rules.
type Alerts struct {
	Rules           Rules   `yaml:"rules"`
	RulesFile       string  `yaml:"rules_file" doc:"YAML file that holds the rules instead, under the key rules. Its content goes into the ledger: raise settings_revision when it changes."`
	PublishBaseline bool    `yaml:"publish_baseline"`
	LateHours       int     `yaml:"late_hours"`
	FuseRaises      int     `yaml:"fuse_raises"`
	FuseShare       float64 `yaml:"fuse_share"`
}

// HTTP serves health and metrics.
type HTTP struct {
	Listen string `yaml:"listen" doc:"host:port of health, metrics and the status page; port 0 takes a free one. Empty: none."`
}

// Admin serves profiles.
type Admin struct {
	Listen      string `yaml:"listen" doc:"host:port of pprof. Empty: none."`
	AllowRemote bool   `yaml:"allow_remote" doc:"Let admin.listen be other than loopback. Profiles show what is in memory, customers included."`
}

// Log is what the process says of itself.
type Log struct {
	Level       string `yaml:"level" oneof:"debug|info|warn|error" doc:"Least severity that is logged."`
	Format      string `yaml:"format" oneof:"json|console" doc:"json for machines, console for eyes."`
	CustomerKey Secret `yaml:"customer_key" doc:"Key of the hash that stands for a customer id in logs. Empty: a random one per process, so that hashes of two runs do not compare."`
}

// Shutdown is the end.
type Shutdown struct {
	Deadline time.Duration `yaml:"deadline" range:"100ms..10m" doc:"Time to finish what has begun after SIGTERM. A second signal stops at once."`
}

// Default returns the settings that hold where no source gives a value.
func Default() Config {
	c := Config{
		Roles:            []string{"intake", "fold", "http"},
		SettingsRevision: 1,
		Kafka: Kafka{
			Brokers:           []string{"127.0.0.1:9092"},
			ClientID:          "mainstay",
			Topics:            defaultTopics(),
			InputsRevision:    1,
			Compression:       "none",
			Timeout:           10 * time.Second,
			SessionTimeout:    6 * time.Second,
			HeartbeatInterval: 300 * time.Millisecond,
			RebalanceTimeout:  10 * time.Second,
			ReplicationFactor: 1,
		},
		Redis: Redis{
			Addresses: []string{"127.0.0.1:6379"},
			Mode:      "single",
			Timeout:   3 * time.Second,
			PoolSize:  32,
		},
		Outputs: Outputs{Retention: 720 * time.Hour},
		Intake: Intake{
			TickInterval:    5 * time.Second,
			CommitInterval:  time.Second,
			FetchMaxBytes:   16 * MiB,
			Anonymous:       []string{"0", "null", "undefined", "anonymous", "guest"},
			AnonymousPolicy: "skip",
			DLQMaxBytes:     4 * MiB,
		},
		Fold: Fold{
			PublishInterval:          100 * time.Millisecond,
			MaxTransactionsPerSecond: 80,
			CommitInterval:           3 * time.Second,
			CacheBytes:               256 * MiB,
			TransactionTimeout:       10 * time.Second,
			CheckpointInterval:       10 * time.Minute,
		},
		Money: Money{
			Total:      "total",
			Currencies: money.Shipped(),
			Rates:      map[string]string{},
		},
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		Log:      Log{Level: "info", Format: "json"},
		Shutdown: Shutdown{Deadline: 30 * time.Second},
	}
	for _, s := range fields() {
		if row := s.row; row != nil && row.Default != nil {
			field := s.field(&c)
			field.Set(reflect.ValueOf(row.Default).Convert(field.Type()))
		}
	}
	return c
}
