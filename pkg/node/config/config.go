// Package config owns every setting: its name, default, bounds and documentation, and how it is read: defaults, then a YAML
// file, then the environment, then flags. A later source overrides an earlier one.
//
// It refuses unknown settings: an unknown key or variable is an error that names the nearest known one. Every error names
// the setting, the source of its value and the bound that the value breaks; all errors are reported at once. It refuses to
// open any file that the operator did not name. Secrets are redacted however they are printed.
//
// A setting of the ledger takes its default, bounds and documentation from the table of processors/settings; all others,
// which concern the process alone, from the struct tags below. docs/configuration.md is generated from both:
//
//	yaml    the key                  range   least..most, either may be missing
//	doc     its documentation        oneof   the allowed values, separated by |
package config

//go:generate go run ../../../cmd/configdoc -o ../../../docs/configuration.md

import (
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
	"github.com/mainstay/mainstay/schemas/output"
)

// Config is the configuration of a process. Durations are written as Go durations, sizes with KiB, MiB, GiB.
type Config struct {
	Namespace        string     `yaml:"namespace"`
	Roles            []string   `yaml:"roles" oneof:"intake|fold|http|ingest|deliver" range:"1.." doc:"What this process does. Processes with the same role share its work."`
	Clock            string     `yaml:"clock"`
	Timezone         string     `yaml:"timezone"`
	Locale           string     `yaml:"locale" oneof:"en|fa|auto" doc:"Language, calendar and digits of what people read: the pages, reports and lists in the terminal. fa: Persian, with Jalali dates, from right to left. auto: what the browser asks for, or LC_ALL, LC_MESSAGES and LANG of the terminal. A reader of the pages may choose another one. JSON, CSV, outputs, metrics and logs are the same in every locale."`
	SettingsRevision uint64     `yaml:"settings_revision" range:"1.." doc:"Revision number of the settings marked (revision). Those settings change answers, so their values take effect at an offset of the ledger: the first process that has a higher number appends them there. Raise the number whenever one of those settings changes, and only then. A process that has a lower number, or the same number and other values, refuses to fold, so that answers do not alternate during a rolling restart."`
	Kafka            Kafka      `yaml:"kafka"`
	Redis            Redis      `yaml:"redis"`
	Registry         Registry   `yaml:"registry"`
	Ledger           Ledger     `yaml:"ledger"`
	Outputs          Outputs    `yaml:"outputs"`
	Intake           Intake     `yaml:"intake"`
	Attributes       Attributes `yaml:"attributes" doc:"Attributes of customers beside the built-in traits, each with the path at which events state it: region=customer.region, plan=properties.plan. The latest event that states an attribute decides it, and customers are grouped by it as by a trait; docs/measures.md says which events and values count. At most eight. Attributes are kept in the ledger, for ever: name none that tells who the customer is. Empty: none."`
	Fold             Fold       `yaml:"fold"`
	Money            Money      `yaml:"money"`
	Model            Model      `yaml:"model"`
	Refit            Refit      `yaml:"refit"`
	Churn            Churn      `yaml:"churn"`
	Referral         Referral   `yaml:"referral"`
	CLV              CLV        `yaml:"clv"`
	SimpleCLV        SimpleCLV  `yaml:"simple_clv"`
	Surveys          Surveys    `yaml:"surveys"`
	Memory           Memory     `yaml:"memory"`
	Dedup            Dedup      `yaml:"dedup"`
	Tiers            Tiers      `yaml:"tiers"`
	Portfolio        Portfolio  `yaml:"portfolio"`
	Alerts           Alerts     `yaml:"alerts"`
	Today            Today      `yaml:"today"`
	HTTP             HTTP       `yaml:"http"`
	Ingest           Ingest     `yaml:"ingest"`
	Deliver          Deliver    `yaml:"deliver"`
	Admin            Admin      `yaml:"admin"`
	Log              Log        `yaml:"log"`
	Shutdown         Shutdown   `yaml:"shutdown"`
}

// Kafka configures the connection to the cluster and the input topics.
type Kafka struct {
	Brokers           []string      `yaml:"brokers" range:"1.." doc:"host:port of at least one broker; the client discovers the others."`
	ClientID          string        `yaml:"client_id" range:"1..249" doc:"Name of this process in the brokers' logs and quotas."`
	TLS               TLS           `yaml:"tls"`
	SASL              SASL          `yaml:"sasl"`
	Topics            Topics        `yaml:"topics"`
	InputsRevision    uint64        `yaml:"inputs_revision" range:"1..4294967295" doc:"Revision number of the set of input topics. Raise it whenever a topic is added or removed: ticks with a lower number are ignored, so that a process with an old list of topics can neither delay nor advance time."`
	Compression       string        `yaml:"compression" oneof:"none|lz4|zstd" doc:"Codec of the batches that are written. Compression costs this process about one CPU-second per million events; it saves the brokers about as much, and disk space. Enable it where the brokers are the bottleneck. All codecs of Kafka can be read."`
	Timeout           time.Duration `yaml:"timeout" range:"100ms..5m" doc:"Timeout of one request, including the time to connect."`
	SessionTimeout    time.Duration `yaml:"session_timeout" range:"1s..30m" doc:"A member of a consumer group that sends no heartbeat for this long loses its partitions. The brokers limit it as well (group.min.session.timeout.ms, group.max.session.timeout.ms)."`
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval" range:"50ms..10m" doc:"Interval between heartbeats, at most a third of session_timeout. Keep it short: a member learns of a rebalance only from the response to a heartbeat."`
	RebalanceTimeout  time.Duration `yaml:"rebalance_timeout" range:"1s..30m" doc:"How long a rebalance waits for a member to finish its work and rejoin."`
	ReplicationFactor int           `yaml:"replication_factor" range:"1..32767" doc:"Replication factor of the topics that mainstay topics apply creates. Use 3 in production: the guarantees depend on Kafka keeping every record that it has acknowledged."`
}

// TLS of a connection. Files are PEM, and are read again at each connection.
type TLS struct {
	Enabled    bool   `yaml:"enabled" doc:"Encrypt every connection."`
	CAFile     string `yaml:"ca_file" doc:"Certificates to trust instead of those of the system. The files of certificates and keys are read again at each connection, so that they can be rotated."`
	CertFile   string `yaml:"cert_file" doc:"Client certificate, for servers that require one; needs key_file."`
	KeyFile    string `yaml:"key_file" doc:"Private key of cert_file."`
	ServerName string `yaml:"server_name" doc:"Name that the server's certificate must carry. Empty: the host of the address."`
}

// SASL authenticates to the brokers. The mechanisms are those of pkg/kafka.
type SASL struct {
	Mechanism string `yaml:"mechanism" doc:"Authentication mechanism. Empty: no authentication. A broker that limits the lifetime of a session (connections.max.reauth.ms) gets a new authentication in time on the same connection."`
	User      string `yaml:"user" doc:"User name, for the mechanisms with a password."`
	Password  Secret `yaml:"password" doc:"Password of the user. A password from a file is read again at each authentication, so that it can be rotated."`
	OAuth     OAuth  `yaml:"oauth"`
	AWSRegion string `yaml:"aws_region" doc:"Region of the cluster, for the mechanism aws-msk-iam. The credentials are those of the environment (AWS_ACCESS_KEY_ID), of the web identity (EKS), of the container (ECS, EKS Pod Identity) or of the instance (EC2)."`
}

// OAuth configures where the tokens of the mechanism oauthbearer come from: a file or a token endpoint.
type OAuth struct {
	TokenFile    string            `yaml:"token_file" doc:"File with a token for the mechanism oauthbearer, which something else keeps up to date. It is read again at each authentication."`
	TokenURL     string            `yaml:"token_url" doc:"Token endpoint of the identity provider, from which tokens are fetched with client credentials; instead of token_file."`
	ClientID     string            `yaml:"client_id" doc:"Client id at the identity provider."`
	ClientSecret Secret            `yaml:"client_secret" doc:"Secret of the client. A secret from a file is read again for each token."`
	Scopes       []string          `yaml:"scopes" doc:"Scopes to request of the identity provider."`
	CAFile       string            `yaml:"ca_file" doc:"Certificates to trust at the identity provider instead of those of the system."`
	Extensions   map[string]string `yaml:"extensions" doc:"Extensions that accompany a token (KIP-342), such as logicalCluster and identityPoolId of Confluent Cloud."`
}

// Topics are the input topics by kind of event, each as TOPIC or TOPIC=FORMAT. A topic is in one list only.
type Topics [event.Kinds][]string

// SplitInput returns the topic and the format of an entry of Topics; an empty format is Mainstay's own.
func SplitInput(entry string) (topic, format string) {
	topic, format, _ = strings.Cut(entry, "=")
	return topic, format
}

// Names returns the topics of a kind, without their formats.
func (t *Topics) Names(kind event.Kind) []string {
	var names []string
	for _, entry := range t[kind] {
		topic, _ := SplitInput(entry)
		names = append(names, topic)
	}
	return names
}

// defaultTopics are the topics that the kinds of event declare; an optional kind has none.
func defaultTopics() (t Topics) {
	for kind := range event.Kinds {
		t[kind] = []string{}
		if d := kind.Descriptor(); !d.Optional {
			t[kind] = append(t[kind], d.Topic)
		}
	}
	return t
}

// Redis configures the connection to the store of the committed state.
type Redis struct {
	Addresses        []string      `yaml:"addresses" range:"1.." doc:"host:port of the server, of the sentinels, or of some nodes of the cluster."`
	Mode             string        `yaml:"mode" oneof:"single|sentinel|cluster" doc:"How Redis is deployed, which determines what the addresses are."`
	MasterName       string        `yaml:"master_name" doc:"Name of the master, which the sentinels require."`
	Username         string        `yaml:"username" doc:"ACL user; empty for the default user."`
	Password         Secret        `yaml:"password" doc:"Password of the user. A password from a file is read again at each connection, so that it can be rotated."`
	SentinelUsername string        `yaml:"sentinel_username" doc:"ACL user of the sentinels themselves; empty for their default user."`
	SentinelPassword Secret        `yaml:"sentinel_password" doc:"Password of the sentinels themselves, where they have one (requirepass or an ACL user). It is read once, at start."`
	DB               int           `yaml:"db" range:"0..65535" doc:"Database number; a cluster has only database 0."`
	TLS              TLS           `yaml:"tls"`
	Timeout          time.Duration `yaml:"timeout" range:"50ms..5m" doc:"Timeout of connecting, and of one command or pipeline."`
	PoolSize         int           `yaml:"pool_size" range:"1..10000" doc:"Maximum number of connections. Each partition that this process folds needs one."`
}

// Registry configures the schema registry of the input records, and of the outputs.
type Registry struct {
	URLs     []string      `yaml:"urls" doc:"Addresses of the schema registry by which input records in Avro and Protobuf are read, as http:// or https:// URLs; of Apicurio with the path of its Confluent API, such as https://registry.example.com/apis/ccompat/v7. If one does not answer, the next one is asked. Empty: no registry; records with a JSON Schema can be read without."`
	Username string        `yaml:"username" doc:"User name; with Confluent Cloud, the API key."`
	Password Secret        `yaml:"password" doc:"Password of the user. A password from a file is read again at each request, so that it can be rotated."`
	Token    Secret        `yaml:"token" doc:"Bearer token, instead of a user and a password. A token from a file is read again at each request."`
	Headers  Headers       `yaml:"headers" doc:"Further headers of each request, each with the file that has its value: X-Tenant=/run/secrets/tenant. The files are read again at each request. Empty: none."`
	CAFile   string        `yaml:"ca_file" doc:"Certificates to trust instead of those of the system."`
	CertFile string        `yaml:"cert_file" doc:"Client certificate, for servers that require one; needs key_file."`
	KeyFile  string        `yaml:"key_file" doc:"Private key of cert_file."`
	Timeout  time.Duration `yaml:"timeout" range:"100ms..1m" doc:"Timeout of one request. Nothing but the partitions whose records need the schema waits for it."`
	LongIDs  bool          `yaml:"long_ids" doc:"The ids in the records have 8 bytes instead of 4: the default of Apicurio's serializers before version 3."`
}

// Ledger holds the settings that are fixed when a ledger is created. To change one, start another namespace and import the events
// into it.
type Ledger struct {
	Partitions            int    `yaml:"partitions"`
	CustomerNormalisation string `yaml:"customer_normalisation"`
}

// Outputs are the topics that are written.
type Outputs struct {
	Retention       time.Duration `yaml:"retention" range:"24h..87600h" doc:"Retention of the output topics that mainstay topics apply creates, and the minimum that mainstay check accepts. A claim reads the last outputs of its partition, so they must still exist."`
	Encoding        string        `yaml:"encoding" oneof:"json|connect-json|avro" doc:"Form of the outputs: json; connect-json, Kafka Connect's JSON with the schema in each record; or avro, with the id of a schema in the registry of registry.urls. In the last two an output is one flat row, see docs/outputs.md. Outputs that are published already stay as they are. All processes should have the same value: what one publishes, it publishes in its own."`
	RegisterSchemas bool          `yaml:"register_schemas" doc:"Register the schemas of the outputs that the registry does not have, with outputs.encoding avro. Without, somebody else registers what mainstay schemas export writes, and a process that folds does not start before."`
}

// Attributes are the paths at which events state attributes of their customer, by the names of these.
type Attributes map[string]string

// Names are the names of the attributes, sorted.
func (a Attributes) Names() []string { return slices.Sorted(maps.Keys(a)) }

// Intake configures how input records become entries of the ledger.
type Intake struct {
	TickInterval    time.Duration `yaml:"tick_interval" range:"10ms..1m" doc:"How often a tick is appended to the ledger. The ledger is kept forever; with 32 input partitions a tick takes about 1.5 KB in each ledger partition. Under the event clock only events advance time, and a tick follows within a second."`
	CommitInterval  time.Duration `yaml:"commit_interval" range:"10ms..1m" doc:"How often input offsets are committed. A restart reads the records since the last commit again."`
	FetchMaxBytes   Bytes         `yaml:"fetch_max_bytes" range:"64KiB..1GiB" doc:"Maximum size of one fetch."`
	Anonymous       []string      `yaml:"anonymous" doc:"Customer ids that stand for an unidentified customer; compared without regard to case."`
	AnonymousPolicy string        `yaml:"anonymous_policy" oneof:"skip|dead_letter" doc:"Whether events of unidentified customers are skipped or become dead letters. Both are counted."`
	PassHeaders     []string      `yaml:"pass_headers" doc:"Headers of an input record that the outputs that it causes bear, too, such as those of a trace. They are kept in the ledger, for ever: at most eight, each of at most 512 bytes; a longer one is left out. Empty: none."`
	DLQMaxBytes     Bytes         `yaml:"dlq_max_bytes" range:"64KiB..1GiB" doc:"Maximum size of a record in the dead-letter topics (max.message.bytes of those that mainstay topics apply creates). It should exceed that of the input topics, since headers are added; a record that does not fit into it, or into what its topic allows, is truncated and marked."`
}

// Fold configures how the ledger becomes state and outputs.
type Fold struct {
	PublishInterval          time.Duration `yaml:"publish_interval" range:"5ms..10s" doc:"How often outputs are published. A longer interval costs less CPU and adds latency."`
	MaxTransactionsPerSecond int           `yaml:"max_transactions_per_second" range:"1..10000" doc:"Maximum number of transactions per second of this process, over all its partitions; publish_interval is extended to stay within it. A transaction costs about 1.4 ms of CPU."`
	CommitInterval           time.Duration `yaml:"commit_interval" range:"10ms..1m" doc:"How often state is committed to Redis while entries arrive. The next owner of the partition folds the entries since the last commit again. An idle partition commits within a second."`
	CacheBytes               Bytes         `yaml:"cache_bytes" range:"1MiB..1TiB" doc:"Memory for the states of customers in this process, over all its partitions, a quarter of it as room for the garbage collector. Other states are read from Redis when needed. The whole process takes at most 150 MB more."`
	TransactionTimeout       time.Duration `yaml:"transaction_timeout" range:"1s..15m" doc:"Timeout after which the broker aborts the transaction of an owner that has died. Until then read-committed consumers wait."`
	CheckpointInterval       time.Duration `yaml:"checkpoint_interval" range:"1s..10m" doc:"How often the fold records in the ledger the offset up to which it has published."`
	WakeLimit                int           `yaml:"wake_limit"`
}

// Money configures which amounts count and in which currency.
type Money struct {
	Currency        string                 `yaml:"currency"`
	DefaultCurrency string                 `yaml:"default_currency" doc:"Currency of events that state none. Empty: such events become dead letters."`
	Total           string                 `yaml:"total" oneof:"total|subtotal|total_without_tax|total_without_shipping|total_without_tax_and_shipping" doc:"Which amount of a purchase counts. Tax and shipping count as 0 where a purchase does not state them."`
	Currencies      map[string]money.Alias `yaml:"currencies" doc:"Currency codes outside ISO 4217, each defined as a multiple (a power of ten) of an ISO 4217 currency. They extend the predefined codes, which cannot be redefined."`
	Rates           map[string]string      `yaml:"rates"`
}

// Model configures the initial parameters of the models, and which model a refit fits.
type Model struct {
	Choice         string   `yaml:"choice" oneof:"auto|mbg_nbd|bg_nbd|pareto_nbd|blended" doc:"Model that mainstay fit and refits put in force. auto: the one that predicted the last purchase horizon best, BG/NBD left out, since by it one-time buyers never become a churn risk; the model in force is kept unless another is better by more than chance."`
	Season         string   `yaml:"season" oneof:"auto|off" doc:"Whether mainstay fit and refits put a season in force. auto: where the model predicts the last purchase horizon better with one, by more than chance."`
	Campaigns      []string `yaml:"campaigns" doc:"Campaigns of the shop, past and planned, each as name=2026-05-01..2026-05-07 (first and last day). How much more customers buy is estimated from past campaigns of the same name, or stated: name=2026-05-01..2026-05-07*1.8. Campaigns must not overlap."`
	ParametersFile string   `yaml:"parameters_file" doc:"File of parameters written by mainstay fit. The parameters are appended to the ledger if their version is higher than the version in force. Empty: the parameters of the prior, until a refit."`
}

// Seasons reports whether a season is fitted.
func (m Model) Seasons() bool { return m.Season != "off" }

// Refit configures when the models' parameters are fitted to the current customers.
type Refit struct {
	Interval time.Duration `yaml:"interval" range:"0s..8760h" doc:"Interval between refits, which the process that owns ledger partition 0 runs. The first refit runs after a tenth of the interval, at most five minutes. 0: no scheduled refits; mainstay refit runs one."`
}

// Churn configures how the probability of churn is classified.
type Churn struct {
	Medium              float64 `yaml:"medium"`
	High                float64 `yaml:"high"`
	GraceDays           int     `yaml:"grace_days"`
	PurchaseHorizonDays int     `yaml:"purchase_horizon_days"`
	Material            float64 `yaml:"material"`
	SubscriptionEnd     string  `yaml:"subscription_end"`
}

// Referral configures the credits of referrers.
type Referral struct {
	Credit string `yaml:"credit"`
}

// CLV configures the customer lifetime value that the models predict.
type CLV struct {
	PredictionHorizonDays int     `yaml:"prediction_horizon_days"`
	DiscountRateAnnual    float64 `yaml:"discount_rate_annual"`
	Margin                float64 `yaml:"margin"`
	Material              float64 `yaml:"material"`
}

// SimpleCLV configures the formula of average purchase value, frequency and lifespan.
type SimpleCLV struct {
	LifespanYears float64 `yaml:"lifespan_years"`
}

// Surveys configures how survey responses count.
type Surveys struct {
	WindowDays   int    `yaml:"window_days"`
	KeepComments bool   `yaml:"keep_comments"`
	NPSBenchmark string `yaml:"nps_benchmark" doc:"Net promoter score with which the report nps compares those of the shop, from -100 to 100: that of its market, or a goal. Of the commands and the processes that show the report: no entry of the ledger depends on it. Empty: none."`
}

// Benchmark is the net promoter score that scores are compared with, if one is set.
func (s Surveys) Benchmark() output.Opt[float64] {
	points, err := strconv.ParseFloat(s.NPSBenchmark, 64)
	return output.Opt[float64]{Value: points, Known: err == nil}
}

// Memory bounds the state of a customer. It does not bound the days of purchase, which are kept forever.
type Memory struct {
	Days   int `yaml:"days"`
	Orders int `yaml:"orders"`
}

// Dedup bounds the remembered event ids, by which a repeated event is recognised.
type Dedup struct {
	Days   int `yaml:"days"`
	Events int `yaml:"events"`
}

// Tiers are top_10, top_20 and rest, by total CLV.
type Tiers struct {
	MinCustomers int     `yaml:"min_customers"`
	RedrawShare  float64 `yaml:"redraw_share"`
}

// Portfolio configures the sums over all customers.
type Portfolio struct {
	ContributionInterval time.Duration `yaml:"contribution_interval"`
	Close                string        `yaml:"close"`
}

// Alerts configures the rules that raise and clear alerts.
type Alerts struct {
	Rules           Rules   `yaml:"rules"`
	RulesFile       string  `yaml:"rules_file" doc:"YAML file that holds the rules under the key rules, instead of alerts.rules. Its content is appended to the ledger: raise settings_revision whenever it changes."`
	PublishBaseline bool    `yaml:"publish_baseline"`
	LateHours       int     `yaml:"late_hours"`
	FuseRaises      int     `yaml:"fuse_raises"`
	FuseShare       float64 `yaml:"fuse_share"`
	ControlShare    float64 `yaml:"control_share"`
	ControlRules    string  `yaml:"control_rules"`
	ControlSalt     string  `yaml:"control_salt"`
}

// Today configures the list of customers to call. It shows what the ledger has, and changes none of it.
type Today struct {
	DoneDays int `yaml:"done_days" range:"0..3660" doc:"For how many days of the ledger's time a customer is left out of the list of customers to call after somebody has marked them as done. They are listed again before if an alert is raised after the mark. 0: who is done is not left out. Of the commands and the processes that show the list: no entry of the ledger depends on it."`
}

// DoneFor is DoneDays as a duration.
func (t *Today) DoneFor() time.Duration { return time.Duration(t.DoneDays) * 24 * time.Hour }

// HTTP configures the listener of health, metrics and the status page.
type HTTP struct {
	Listen            string `yaml:"listen" doc:"host:port of health, metrics and the status page; port 0 takes a free port. Empty: not served. On an address other than loopback, only /livez and /readyz are served unless tokens_file or allow_anonymous is set."`
	TokensFile        string `yaml:"tokens_file" doc:"YAML file of the hashes of bearer tokens, as mainstay token prints them. If it is set, every request but /livez and /readyz needs a token, on loopback and for admin.listen too. The file is read again when it changes."`
	RequestsPerSecond int    `yaml:"requests_per_second" range:"0..1000000" doc:"Requests for customers, to the API and the pages, that are answered per second and token; twice as many may come at once. Further ones are answered with 429 and Retry-After. Without tokens all clients share the number. 0: unlimited."`
	AllowAnonymous    bool   `yaml:"allow_anonymous" doc:"Serve everything of http.listen without tokens on an address other than loopback. Only for a network that nobody else can reach."`
}

// Ingest configures the intake of events over HTTP.
type Ingest struct {
	Listen        string         `yaml:"listen" doc:"host:port at which the role ingest takes events by HTTP; port 0 takes a free port. On an address other than loopback a request needs a token of http.tokens_file with the scope events, or a signature (secrets)."`
	BodyMaxBytes  Bytes          `yaml:"body_max_bytes" range:"1KiB..64MiB" doc:"Maximum size of the body of a request with events, as it is sent and after decompression. Each event must also fit into max.message.bytes of its topic."`
	Secrets       WebhookSecrets `yaml:"secrets"`
	InFlightBytes Bytes          `yaml:"in_flight_bytes" range:"1MiB..64GiB" doc:"Memory for the bodies of requests that are not answered yet, each counted with 16 KiB besides, and at most twice its size while it is read. Further requests are answered with 429. The process takes up to three times as much."`
}

// WebhookSecrets are the secrets with which vendors sign their webhooks, by format. Each is read again for every request.
type WebhookSecrets struct {
	Shopify     Secret `yaml:"shopify" doc:"Client secret of the Shopify app, or the secret that the shop's notification settings show. With it, requests in the format shopify are checked by their signature (X-Shopify-Hmac-Sha256), on loopback too, unless they bear a token. A secret from a file is read again for each request, so that it can be rotated."`
	WooCommerce Secret `yaml:"woocommerce" doc:"Secret of the WooCommerce webhook, for requests in the format woocommerce (X-WC-Webhook-Signature)."`
	Stripe      Secret `yaml:"stripe" doc:"Signing secret (whsec_...) of the Stripe endpoint, for requests in the format stripe (Stripe-Signature). A signature is valid for 5 minutes."`
	Segment     Secret `yaml:"segment" doc:"Shared secret of Segment's Webhooks destination, for requests in the format segment (X-Signature). Turn batching off: of a batch, Segment signs the first event only."`
	Delighted   Secret `yaml:"delighted" doc:"Private API key of Delighted, for requests in the format delighted (X-Delighted-Webhook-Signature)."`
	Typeform    Secret `yaml:"typeform" doc:"Secret of the Typeform webhook, for requests in the format typeform (Typeform-Signature)."`
	Friendbuy   Secret `yaml:"friendbuy" doc:"Secret key of the Friendbuy account, for requests in the format friendbuy (X-Friendbuy-Hmac-SHA256)."`
}

// Deliver configures webhooks.
type Deliver struct {
	DestinationsFile string                    `yaml:"destinations_file" doc:"YAML file of the destinations of webhooks, for the role deliver; docs/webhooks.md describes it. Commands that create or check topics and permissions read it as well. Empty: there are none."`
	Destinations     []destination.Destination `yaml:"-"` // of the file
}

// Admin configures the listener of pprof.
type Admin struct {
	Listen      string `yaml:"listen" doc:"host:port of pprof. Empty: not served."`
	AllowRemote bool   `yaml:"allow_remote" doc:"Allow an admin.listen address other than loopback. Profiles show the content of memory, which includes customers."`
}

// Log configures the log of the process.
type Log struct {
	Level       string `yaml:"level" oneof:"debug|info|warn|error" doc:"Minimum severity that is logged."`
	Format      string `yaml:"format" oneof:"json|console" doc:"Format of log lines: json is machine-readable, console is human-readable."`
	CustomerKey Secret `yaml:"customer_key" doc:"Key of the hash that replaces a customer id in logs. Empty: a random key per process, so the hashes of two runs cannot be compared."`
}

// Shutdown configures the end of a process.
type Shutdown struct {
	Deadline time.Duration `yaml:"deadline" range:"100ms..10m" doc:"Time to finish work in progress after SIGTERM. A second signal stops the process at once."`
}

// Default returns the values of the settings for which no source gives one.
func Default() Config {
	c := Config{
		Roles:            []string{"intake", "fold", "http"},
		Locale:           "en",
		SettingsRevision: 1,
		Kafka: Kafka{
			Brokers:           []string{"127.0.0.1:9092"},
			ClientID:          "mainstay",
			SASL:              SASL{OAuth: OAuth{Scopes: []string{}, Extensions: map[string]string{}}},
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
		Registry:   Registry{URLs: []string{}, Headers: Headers{}, Timeout: 2 * time.Second},
		Outputs:    Outputs{Retention: 720 * time.Hour, Encoding: string(encoding.JSON), RegisterSchemas: true},
		Attributes: Attributes{},
		Intake: Intake{
			TickInterval:    5 * time.Second,
			CommitInterval:  time.Second,
			FetchMaxBytes:   4 * MiB,
			Anonymous:       []string{"0", "0.0", "null", "undefined", "anonymous", "guest", "nan", "none", "nil", "n/a", "<na>", "\\N", "-"},
			AnonymousPolicy: "skip",
			PassHeaders:     []string{"traceparent", "tracestate"},
			DLQMaxBytes:     4 * MiB,
		},
		Model: Model{Choice: "auto", Season: "auto", Campaigns: []string{}},
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
		Today:    Today{DoneDays: 14},
		HTTP:     HTTP{Listen: "127.0.0.1:8080", RequestsPerSecond: 1000},
		Ingest:   Ingest{Listen: "127.0.0.1:8081", BodyMaxBytes: MiB, InFlightBytes: 64 * MiB},
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
