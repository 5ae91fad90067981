package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mainstay/mainstay/pkg/format"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/alert"
	"github.com/mainstay/mainstay/processors/season"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/encoding"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/money"
)

// Validate returns an *Error, joined, for every setting that is out of bounds or contradicts others.
func (c Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// problems checks each setting by itself, then the rules that relate several settings.
func (c Config) problems() []*Error {
	v := validator{Config: c}
	for _, s := range Settings() {
		if message := s.check(s.field(&v.Config)); message != "" {
			v.wrong(s.Path, "%s", message)
		}
	}
	v.identity()
	v.kafka()
	v.redis()
	v.registry()
	v.timing()
	v.money()
	v.answers()
	if _, err := season.ParseCampaigns(v.Model.Campaigns); err != nil {
		v.wrong("model.campaigns", "%v", err)
	}
	v.passedHeaders()
	v.attributes()
	v.listeners()
	return v.problems
}

type validator struct {
	Config

	problems []*Error
}

// wrong keeps the first problem of each setting: a value that breaks a bound may break a rule among several settings as well.
func (v *validator) wrong(path, format string, args ...any) {
	if !slices.ContainsFunc(v.problems, func(p *Error) bool { return p.Path == path }) {
		v.problems = append(v.problems, &Error{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

var (
	namespaceForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
	topicForm     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	rateForm      = regexp.MustCompile(`^\d{1,12}(\.\d{1,12})?$`)
)

// passedHeaders refuses names of headers that outputs have of their own: subscribers would find two of a name.
func (v *validator) passedHeaders() {
	const most = 8
	if n := len(v.Intake.PassHeaders); n > most {
		v.wrong("intake.pass_headers", "must name at most %d headers; there are %d", most, n)
	}
	for i, name := range v.Intake.PassHeaders {
		switch lower := strings.ToLower(name); {
		case name == "" || len(name) > 100:
			v.wrong("intake.pass_headers", "a name must have 1 to 100 bytes; one is %q", name)
		case slices.Contains(v.Intake.PassHeaders[:i], name):
			v.wrong("intake.pass_headers", "%s is listed twice", name)
		case strings.HasPrefix(lower, "ce_"), strings.HasPrefix(lower, "mainstay_"), lower == "content-type":
			v.wrong("intake.pass_headers", "%s is a header that every output has of its own", name)
		}
	}
}

// attributes refuses what nobody could ask for by its name, or read at its path.
func (v *validator) attributes() {
	const path = "attributes"
	if n := len(v.Attributes); n > event.MaxAttributes {
		v.wrong(path, "must be at most %d; there are %d", event.MaxAttributes, n)
	}
	at := map[string]string{}
	for _, name := range v.Attributes.Names() {
		where := v.Attributes[name]
		switch _, err := event.SplitPath(where); {
		case !alert.IsName(name):
			v.wrong(path, "a name must be small letters, digits and underscores, a letter first, at most 64 bytes; one is %q", name)
		case lookup.IsTaken(name):
			v.wrong(path, "%s is the name of a built-in dimension, of a figure of segments, or of a column of lists; choose another", name)
		case err != nil:
			v.wrong(path, "%s: %v", name, err)
		case at[where] != "":
			v.wrong(path, "%s and %s have the same path; list it once", at[where], name)
		}
		at[where] = name
	}
}

func (v *validator) identity() {
	if b := v.Surveys.Benchmark(); v.Surveys.NPSBenchmark != "" && (!b.Known || math.IsNaN(b.Value) || math.Abs(b.Value) > 100) {
		v.wrong("surveys.nps_benchmark", "must be a number from -100 to 100, or empty; it is %q", v.Surveys.NPSBenchmark)
	}
	if !namespaceForm.MatchString(v.Namespace) {
		v.wrong("namespace", "must be 1 to 100 letters, digits, dots, dashes or underscores; it is %q", v.Namespace)
	}
	for i, role := range v.Roles {
		if slices.Contains(v.Roles[:i], role) {
			v.wrong("roles", "%s is listed twice", role)
		}
	}
	if slices.Contains(v.Roles, "deliver") && v.Deliver.DestinationsFile == "" {
		v.wrong("deliver.destinations_file", "is needed with the role deliver")
	}
	if n := len(v.Log.CustomerKey.Reveal()); n > 0 && n < 16 {
		v.wrong("log.customer_key", "must have at least 16 bytes; it has %d", n)
	}
}

func (v *validator) kafka() {
	v.addresses("kafka.brokers", v.Kafka.Brokers)
	v.tls("kafka.tls", v.Kafka.TLS)
	v.sasl()
	listed := map[string]string{}
	for kind, topics := range v.Kafka.Topics {
		path := "kafka.topics." + event.Kind(kind).Descriptor().Topic
		for _, entry := range topics {
			topic, name := SplitInput(entry)
			if _, err := format.Open(name); err != nil {
				v.wrong(path, "topic %s: %s", topic, err)
			}
			switch before, twice := listed[topic]; {
			case !topicForm.MatchString(topic) || topic == "." || topic == "..":
				v.wrong(path, "%q is not a valid topic name: 1 to 249 letters, digits, dots, dashes or underscores", topic)
			case twice:
				v.wrong(path, "the topic %s is listed in %s too; list it once", topic, before)
			case strings.HasPrefix(topic, v.Namespace+".") && (strings.HasSuffix(topic, ".v1") || strings.HasSuffix(topic, ".dlq")):
				v.wrong(path, "Mainstay writes the topic %s itself; it cannot be an input", topic)
			}
			listed[topic] = path
		}
	}
	if len(listed) == 0 {
		v.wrong("kafka.topics.purchases", "kafka.topics must list at least 1 input topic")
	}
}

func (v *validator) redis() {
	r := v.Redis
	v.addresses("redis.addresses", r.Addresses)
	v.tls("redis.tls", r.TLS)
	switch {
	case r.Mode == "single" && len(r.Addresses) > 1:
		v.wrong("redis.addresses", "must be 1 address in mode single; there are %d", len(r.Addresses))
	case r.Mode == "sentinel" && r.MasterName == "":
		v.wrong("redis.master_name", "is needed in mode sentinel")
	case r.Mode != "sentinel" && r.MasterName != "":
		v.wrong("redis.master_name", "applies only in mode sentinel; the mode is %s", r.Mode)
	case r.Mode == "cluster" && r.DB != 0:
		v.wrong("redis.db", "must be 0 in mode cluster; it is %d", r.DB)
	}
	switch sentinel := r.SentinelUsername != "" || r.SentinelPassword.IsSet(); {
	case sentinel && r.Mode != "sentinel":
		path := "redis.sentinel_password"
		if !r.SentinelPassword.IsSet() {
			path = "redis.sentinel_username"
		}
		v.wrong(path, "applies only in mode sentinel; the mode is %s", r.Mode)
	case r.SentinelUsername != "" && !r.SentinelPassword.IsSet():
		v.wrong("redis.sentinel_password", "is needed with redis.sentinel_username")
	}
	if r.Username != "" && !r.Password.IsSet() {
		v.wrong("redis.password", "is needed with redis.username")
	}
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

func (v *validator) registry() {
	r := v.Registry
	secure := len(r.URLs) > 0
	for _, text := range r.URLs {
		at, err := url.Parse(text)
		if err != nil || at.Host == "" || at.User != nil || at.Scheme != "https" && at.Scheme != "http" {
			v.wrong("registry.urls", "must be URLs like https://registry.example.com:8081, without a user")
			return
		}
		secure = secure && at.Scheme == "https"
	}
	for _, one := range []struct {
		name  string
		given bool
	}{
		{"username", r.Username != ""},
		{"password", r.Password.IsSet()},
		{"token", r.Token.IsSet()},
		{"headers", len(r.Headers) > 0},
		{"ca_file", r.CAFile != ""},
		{"cert_file", r.CertFile != ""},
		{"long_ids", r.LongIDs},
	} {
		if one.given && len(r.URLs) == 0 {
			v.wrong("registry.urls", "is needed with registry.%s", one.name)
		}
	}
	for name := range r.Headers {
		if !headerName.MatchString(name) || slices.Contains([]string{"accept", "authorization", "content-length", "content-type", "host"}, strings.ToLower(name)) {
			v.wrong("registry.headers", "%q cannot be set here", name)
		}
	}
	if e := v.Outputs.Encoding; encoding.Encoding(e).NeedsRegistry() && len(r.URLs) == 0 {
		v.wrong("registry.urls", "is needed with outputs.encoding %s", e)
	}
	if (r.Username == "") == r.Password.IsSet() {
		v.wrong("registry.username", "must be set together with registry.password")
	}
	if r.Username != "" && r.Token.IsSet() {
		v.wrong("registry.token", "cannot be set together with registry.username")
	}
	if (r.CertFile == "") != (r.KeyFile == "") {
		v.wrong("registry.cert_file", "must be set together with key_file")
	}
	if !secure && (r.CAFile != "" || r.CertFile != "") {
		v.wrong("registry.urls", "must be https:// with certificates")
	}
}

func (v *validator) tls(path string, t TLS) {
	if !t.Enabled && (t.CAFile != "" || t.CertFile != "" || t.KeyFile != "" || t.ServerName != "") {
		v.wrong(path+".enabled", "must be true if other settings of %s are set", path)
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		v.wrong(path+".cert_file", "must be set together with key_file")
	}
}

func (v *validator) timing() {
	if k := v.Kafka; k.HeartbeatInterval > k.SessionTimeout/3 {
		v.wrong("kafka.heartbeat_interval", "must be at most a third of kafka.session_timeout (%s); it is %s", settings.Duration(k.SessionTimeout), settings.Duration(k.HeartbeatInterval))
	}
	if f := v.Fold; f.PublishInterval > f.TransactionTimeout/2 {
		v.wrong("fold.publish_interval", "must be at most half of fold.transaction_timeout (%s); it is %s", settings.Duration(f.TransactionTimeout), settings.Duration(f.PublishInterval))
	}
}

func (v *validator) money() {
	m := v.Money
	table, err := money.NewTable(m.Currencies)
	if err != nil {
		v.wrong("money.currencies", "%s", strings.TrimPrefix(err.Error(), "money.currencies."))
		return
	}
	base, ok := settings.BaseCurrency(m.Currency)
	if !ok {
		return // reported by the check of money.currency
	}
	if _, ok := known(table, m.DefaultCurrency); !ok && m.DefaultCurrency != "" {
		v.wrong("money.default_currency", "must be empty, an ISO 4217 code in capitals, or a code of money.currencies; it is %q", m.DefaultCurrency)
	}
	for _, code := range slices.Sorted(maps.Keys(m.Rates)) {
		unit, ok := known(table, code)
		switch {
		case !ok:
			v.wrong("money.rates", "%q is not an ISO 4217 code in capitals", code)
		case unit.Currency == base.Currency:
			v.wrong("money.rates", "base amounts are counted in %s; it has no rate", code)
		case unit.Currency != code:
			v.wrong("money.rates", "%s is counted as %s; give the rate of %s", code, unit.Currency, unit.Currency)
		default:
			if _, err := rate(m.Rates[code], unit, base); err != nil {
				v.wrong("money.rates", "%s: %s", code, err)
			}
		}
	}
}

// known returns the unit of a code; the code must be written as it is in outputs.
func known(table *money.Table, code string) (money.Unit, bool) {
	unit, ok := table.Lookup([]byte(code))
	return unit, ok && unit.Code == code
}

// answers checks the rules that relate several settings of the ledger; Step checks the same rules, but for names of rules: a what-if is
// under other ones.
func (v *validator) answers() {
	for _, invalid := range settings.Problems(v.StepSettings()) {
		v.wrong(invalid.Path, "%s", invalid.Message)
	}
	for _, name := range alert.NamesIn(v.Alerts.ControlRules) {
		if !slices.ContainsFunc(v.Alerts.Rules, func(r alert.Rule) bool { return r.Name == name }) {
			v.wrong("alerts.control_rules", "no rule of alerts.rules is named %q", name)
		}
	}
}

func (v *validator) listeners() {
	for _, l := range []struct{ path, address string }{{"http.listen", v.HTTP.Listen}, {"ingest.listen", v.Ingest.Listen}, {"admin.listen", v.Admin.Listen}} {
		if l.address == "" {
			continue
		}
		if problem := addressProblem(l.address, true); problem != "" {
			v.wrong(l.path, "%s", problem)
		}
	}
	admin := v.Admin.Listen
	if host, _, err := net.SplitHostPort(admin); err == nil && !v.Admin.AllowRemote && !loopback(host) {
		v.wrong("admin.listen", "must be a loopback address like 127.0.0.1:6060 unless admin.allow_remote is true; it is %q", admin)
	}
	if host, _, err := net.SplitHostPort(admin); err == nil && v.Admin.AllowRemote && !loopback(host) && v.HTTP.TokensFile == "" {
		v.wrong("http.tokens_file", "is needed with admin.listen %s, which is not a loopback address", admin)
	}
	if v.HTTP.TokensFile != "" && v.HTTP.AllowAnonymous {
		v.wrong("http.allow_anonymous", "contradicts http.tokens_file")
	}
	if at := v.Ingest.Listen; slices.Contains(v.Roles, "ingest") {
		switch {
		case at == "":
			v.wrong("ingest.listen", "is needed with the role ingest")
		case (at == v.HTTP.Listen || at == admin) && !strings.HasSuffix(at, ":0"):
			v.wrong("ingest.listen", "must differ from http.listen and admin.listen; it is %q", at)
		}
		if v.Ingest.InFlightBytes < 4*v.Ingest.BodyMaxBytes {
			v.wrong("ingest.in_flight_bytes", "must be at least four times ingest.body_max_bytes (%s); it is %s", v.Ingest.BodyMaxBytes, v.Ingest.InFlightBytes)
		}
	}
	if admin != "" && admin == v.HTTP.Listen && !strings.HasSuffix(admin, ":0") {
		v.wrong("admin.listen", "must differ from http.listen; both are %q", admin)
	}
}

// loopback resolves no names: of names, only localhost counts.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (v *validator) addresses(path string, addresses []string) {
	for i, a := range addresses {
		if problem := addressProblem(a, false); problem != "" {
			v.wrong(path, "%s", problem)
		} else if slices.Contains(addresses[:i], a) {
			v.wrong(path, "%s is listed twice", a)
		}
	}
}

// addressProblem omits an address that may contain credentials from its message.
func addressProblem(address string, listen bool) string {
	if strings.ContainsAny(address, "@/") {
		return "must be host:port, without a scheme, user or path"
	}
	host, port, err := net.SplitHostPort(address)
	n, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil || portErr != nil, host == "" && !listen, n == 0 && !listen:
		return fmt.Sprintf("must be host:port; it is %q", address)
	}
	return ""
}
