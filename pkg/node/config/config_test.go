package config_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/processors/settings"
	"github.com/mainstay/mainstay/schemas/event"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, yaml string, env []string, flags map[string]string) config.Config {
	t.Helper()
	c, err := config.Load(config.Sources{YAML: []byte(yaml), Env: env, Flags: flags})
	require.NoError(t, err)
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	require.NoError(t, config.Default().Validate())
	require.Equal(t, config.Default(), load(t, "", nil, nil))
	require.Equal(t, config.Default(), load(t, "kafka:\n  # brokers: [a:1]\n", nil, nil))
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	const file = "clock: event\nnamespace: from-file\nkafka: {client_id: from-file}\nchurn: {grace_days: 1}"
	env := []string{"MAINSTAY_NAMESPACE=from-env", "MAINSTAY_KAFKA_CLIENT_ID=first", "MAINSTAY_KAFKA_CLIENT_ID=from-env", "PATH=/bin"}
	c := load(t, file, env, map[string]string{"kafka-client-id": "from-flag"})
	require.Equal(t, "event", c.Clock)
	require.Equal(t, "from-env", c.Namespace)
	require.Equal(t, "from-flag", c.Kafka.ClientID)
	require.Equal(t, 1, c.Churn.GraceDays)
	require.Equal(t, "UTC", c.Timezone)
}

func TestFileIsNamedByEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mainstay.yaml")
	require.NoError(t, os.WriteFile(file, []byte("clock: event\nclok: live\n"), 0o600))
	c, err := config.Load(config.Sources{Env: []string{"MAINSTAY_CONFIG=" + file}})
	require.EqualError(t, err, "clok ("+file+":2): no such setting; the nearest is clock")
	require.Equal(t, "event", c.Clock)

	_, err = config.Load(config.Sources{File: file + "-not"})
	require.ErrorContains(t, err, "no such file")
}

func TestEverySettingCanBeGivenByEnvironmentAndFlag(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("a very long secret\n"), 0o600))
	for _, s := range config.Settings() {
		value, env := s.Default, s.Env+"="
		if s.Type == "secret" {
			value, env = secret, s.Env+"_FILE="
		}
		_, err := config.Load(config.Sources{Env: []string{env + value}, Flags: map[string]string{s.Flag: value}})
		switch s.Path {
		case "kafka.sasl.password", "kafka.sasl.oauth.client_secret":
			require.EqualError(t, err, "kafka.sasl.mechanism: is needed with "+s.Path)
			continue
		case "registry.password", "registry.token":
			require.ErrorContains(t, err, "registry.urls: is needed with "+s.Path)
			continue
		case "redis.sentinel_password":
			require.ErrorContains(t, err, "applies only in mode sentinel; the mode is single")
			continue
		}
		require.NoError(t, err, s.Path)
	}
}

// Operators rely on these names.
func TestFixedEnvironmentNames(t *testing.T) {
	c := load(t, "", []string{
		"MAINSTAY_KAFKA_TOPICS_PURCHASES=orders, pos.orders", "MAINSTAY_KAFKA_TOPICS_SURVEYS=", "MAINSTAY_ADMIN_LISTEN=127.0.0.1:0",
		"MAINSTAY_KAFKA_BROKERS=a:1,b:2", "MAINSTAY_REDIS_ADDRESSES=c:3", "MAINSTAY_NAMESPACE=shop", "MAINSTAY_CLOCK=event",
		"MAINSTAY_HTTP_LISTEN=127.0.0.1:0", "MAINSTAY_MONEY_RATES=EUR=1.08, GBP=1.27", "MAINSTAY_MONEY_CURRENCIES=TMN=IRR*10",
	}, nil)
	require.Equal(t, []string{"orders", "pos.orders"}, c.Kafka.Topics[event.Purchase])
	require.Empty(t, c.Kafka.Topics[event.Survey])
	require.Equal(t, "127.0.0.1:0", c.Admin.Listen)
	require.Equal(t, []string{"a:1", "b:2"}, c.Kafka.Brokers)
	require.Equal(t, []string{"c:3"}, c.Redis.Addresses)
	require.Equal(t, "shop", c.Namespace)
	require.Equal(t, "event", c.Clock)
	require.Equal(t, "127.0.0.1:0", c.HTTP.Listen)
	require.Equal(t, map[string]string{"EUR": "1.08", "GBP": "1.27"}, c.Money.Rates)
	require.Len(t, c.Money.Currencies, 2, "a map adds to what is shipped")
	require.Len(t, config.Default().Money.Currencies, 1)
}

// Attributes are written in two ways, which mean the same.
func TestAttributes(t *testing.T) {
	byVariable := load(t, "", []string{"MAINSTAY_ATTRIBUTES=region=customer.region, plan=properties.plan"}, nil)
	byFile := load(t, "attributes:\n  plan: properties.plan\n  region: customer.region", nil, nil)
	require.Equal(t, config.Attributes{"region": "customer.region", "plan": "properties.plan"}, byFile.Attributes)
	require.Equal(t, byVariable.Attributes, byFile.Attributes)
	require.Equal(t, []string{"plan", "region"}, byFile.Attributes.Names())
	require.Empty(t, config.Default().Attributes)
	_, err := config.Load(config.Sources{Env: []string{"MAINSTAY_ATTRIBUTES=region=a,region=b"}})
	require.ErrorContains(t, err, "attributes (MAINSTAY_ATTRIBUTES): must be like region=customer.region,plan=properties.plan; region is set twice")
}

// A benchmark of the net promoter score is a score, or not set.
func TestNPSBenchmark(t *testing.T) {
	none, set := load(t, "", nil, nil), load(t, "surveys: {nps_benchmark: -12.5}", nil, nil)
	require.False(t, none.Surveys.Benchmark().Known)
	require.Equal(t, output.Some(-12.5), set.Surveys.Benchmark())
	for _, text := range []string{"good", "100.5", "NaN", "-Inf"} {
		_, err := config.Load(config.Sources{Env: []string{"MAINSTAY_SURVEYS_NPS_BENCHMARK=" + text}})
		require.ErrorContains(t, err, "surveys.nps_benchmark (MAINSTAY_SURVEYS_NPS_BENCHMARK): must be a number from -100 to 100, or empty", text)
	}
}

// A topic's format is written in two ways, which mean the same; a name that is no format is refused.
func TestFormatsOfTopics(t *testing.T) {
	byVariable := load(t, "", []string{"MAINSTAY_KAFKA_TOPICS_PURCHASES=orders=shopify, pos.orders"}, nil)
	byFile := load(t, "kafka: {topics: {purchases: [{topic: orders, format: shopify}, pos.orders]}}", nil, nil)
	require.Equal(t, byVariable.Kafka.Topics, byFile.Kafka.Topics)
	require.Equal(t, []string{"orders", "pos.orders"}, byFile.Kafka.Topics.Names(event.Purchase))
	topic, format := config.SplitInput(byFile.Kafka.Topics[event.Purchase][0])
	require.Equal(t, [2]string{"orders", "shopify"}, [2]string{topic, format})

	_, err := config.Load(config.Sources{Env: []string{"MAINSTAY_KAFKA_TOPICS_PURCHASES=orders=shopfy"}})
	require.ErrorContains(t, err, `topic orders: format: "shopfy" is none of the shipped formats`)
	_, err = config.Load(config.Sources{Env: []string{"MAINSTAY_KAFKA_TOPICS_PURCHASES=orders=shopify,orders"}})
	require.ErrorContains(t, err, "the topic orders is listed")
}

func TestUnknownNamesAreRefused(t *testing.T) {
	_, err := config.Load(config.Sources{
		Env: []string{
			"MAINSTAY_KAFKA_BROKER=a:1", "MAINSTAY_ZZZZZZZZZZZZZZZZ=1", "MAINSTAY_REDIS_PASSWORD=x", "MAINSTAY_REDIS_PASSWORD_FILE=y",
			"MAINSTAY_KAFKA_TIMEOUT=soon", "MAINSTAY_HTTP_LISTEN=127.0.0.1:99999",
			"MAINSTAY_TEST_SEED=1", "MAINSTAY_SERVICE_HOST=10.0.0.1", "MAINSTAY_PORT_8080_TCP_ADDR=10.0.0.1", "MAINSTAY_HTTP_PORT=tcp://10.0.0.1:80",
		},
		Flags: map[string]string{"redis-password": "x"},
	})
	golden(t, "testdata/environment.golden", err)
}

func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			_, err = config.Load(config.Sources{File: filepath.Base(file), YAML: content})
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", err)
		})
	}
}

func TestInputTopicsAreNeeded(t *testing.T) {
	var none []string
	for kind := range event.Kinds {
		none = append(none, kind.Descriptor().Topic+": []")
	}
	_, err := config.Load(config.Sources{File: "none.yaml", YAML: []byte("kafka: {topics: {" + strings.Join(none, ", ") + "}}")})
	require.EqualError(t, err, "kafka.topics.purchases (none.yaml:1): kafka.topics must list at least 1 input topic")
}

// golden compares the text of an error; a secret that a fixture holds may not be in it.
func golden(t *testing.T, file string, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotContains(t, err.Error(), "swordfish")
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(err.Error()+"\n"), 0o600))
	}
	want, readErr := os.ReadFile(file)
	require.NoError(t, readErr)
	require.Equal(t, string(want), err.Error()+"\n")
}

func TestSettingsAreDocumentedAndDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, s := range config.Settings() {
		require.NotEmpty(t, s.Doc, s.Path)
		require.Regexp(t, `\.$`, s.Doc, s.Path)
		require.Contains(t, []settings.Holds{"", settings.Genesis, settings.Revision}, s.Holds, s.Path)
		for _, name := range []string{s.Path, s.Env, "--" + s.Flag} {
			require.Empty(t, seen[name], "%s is also that of %s", name, s.Path)
			seen[name] = s.Path
		}
	}
}

// A change of a setting marked (revision) changes the settings message of the ledger; a change of any other setting does not.
func TestStepSettingsAreThoseThatHoldByRevision(t *testing.T) {
	before, err := proto.Marshal(config.Default().StepSettings())
	require.NoError(t, err)
	for _, s := range config.Settings() {
		c := config.Default()
		v := reflect.ValueOf(&c).Elem()
		if s.Type == "list" {
			require.NotEqual(t, "revision", s.Holds, "%s: no list is in the settings of Step", s.Path)
			continue
		}
		for part := range strings.SplitSeq(s.Path, ".") {
			v = v.FieldByIndex(tagged(t, v.Type(), part))
		}
		switch s.Type {
		case "boolean":
			v.SetBool(!v.Bool())
		case "number":
			v.SetFloat(v.Float() + .125)
		case "duration":
			v.SetInt(v.Int() + int64(time.Minute))
		case "whole number", "size":
			if v.CanUint() {
				v.SetUint(v.Uint() + 1)
			} else {
				v.SetInt(v.Int() + 1)
			}
		case "map":
			if s.Path != "money.rates" {
				continue
			}
			v.Set(reflect.ValueOf(map[string]string{"EUR": "1.5"}))
		case "rules":
			v.Set(reflect.ValueOf(config.Rules{}))
		default:
			if s.Holds != settings.Revision {
				continue
			}
			i := slices.IndexFunc(settings.Table(), func(row settings.Setting) bool { return row.Path == s.Path })
			if oneOf := settings.Table()[i].OneOf; oneOf != nil {
				v.SetString(oneOf[1])
			} else {
				v.SetString("any text")
			}
		}
		after, err := proto.Marshal(c.StepSettings())
		require.NoError(t, err)
		require.Equal(t, s.Holds == settings.Revision, !bytes.Equal(before, after), s.Path)
	}
}

func tagged(t *testing.T, in reflect.Type, key string) []int {
	t.Helper()
	for i := range in.NumField() {
		if in.Field(i).Tag.Get("yaml") == key {
			return []int{i}
		}
	}
	t.Fatalf("%s has no %s", in, key)
	return nil
}

func TestConvertible(t *testing.T) {
	m := load(t, `money: {currency: IRR, rates: {EUR: "45000"}}`, nil, nil).Money
	for code, want := range map[string]bool{"IRR": true, "irt": true, "EUR": true, "USD": false, "XXQ": false} {
		require.Equal(t, want, m.Convertible(code), code)
	}
}

func TestRatesAreExactInMinorUnits(t *testing.T) {
	rates := func(base, from string) []*ledger.Rate {
		return load(t, "money: {currency: "+base+", rates: "+from+"}", nil, nil).StepSettings().GetRates()
	}
	for _, test := range []struct {
		base, rates string
		want        string
	}{
		{"USD", "{GBP: 1.27, EUR: 1.0842}", "EUR 2710/2500 GBP 127/100"},
		{"USD", "{JPY: 0.0067}", "JPY 67/100"},  // a yen has no cents
		{"USD", "{KWD: 3.25}", "KWD 13/40"},     // a dinar has 1000 fils
		{"JPY", "{USD: 150}", "USD 3/2"},        // 1 cent is 1.5 yen
		{"IRT", "{USD: 60000}", "USD 600000/1"}, // held in hundredths of a rial, 1000 of a toman
		{"USD", "{EUR: 0.000000000001}", "EUR 1/1000000000000"},
	} {
		var got []string
		for _, r := range rates(test.base, test.rates) {
			got = append(got, fmt.Sprintf("%s %d/%d", r.GetCurrency(), r.GetNumerator(), r.GetDenominator()))
		}
		want := strings.ReplaceAll(test.want, "2710/2500", "5421/5000")
		require.Equal(t, want, strings.Join(got, " "), test.rates)
	}
}

func TestPrintedDefaultsLoadAgain(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, config.Print(&out, config.Default(), "yaml"))
	require.Equal(t, config.Default(), load(t, out.String(), nil, nil))

	out.Reset()
	require.NoError(t, config.Print(&out, config.Default(), "json"))
	require.True(t, json.Valid(out.Bytes()))
	require.Equal(t, config.Default(), load(t, out.String(), nil, nil), "JSON is YAML")
	require.ErrorContains(t, config.Print(&out, config.Default(), "toml"), "use yaml or json")
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	const password = "swordfish-swordfish"
	c := load(t, "log: {customer_key: "+password+"}\nkafka: {sasl: {mechanism: plain, user: me, password: "+password+"}}", nil, nil)
	secret := c.Log.CustomerKey
	require.Equal(t, password, secret.Reveal())
	require.Equal(t, "(secret)", secret.String())

	var printed []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed = append(printed, fmt.Sprintf(verb, c), fmt.Sprintf(verb, &c), fmt.Sprintf(verb, secret), fmt.Sprintf(verb, []config.Secret{secret}))
	}
	asJSON, err := json.Marshal(c) //nolint:musttag // not how it is printed, but somebody may
	require.NoError(t, err)
	asYAML, err := yaml.Marshal(c)
	require.NoError(t, err)
	var shown, logged bytes.Buffer
	require.NoError(t, config.Print(&shown, c, "yaml"))
	require.NoError(t, config.Print(&shown, c, "json"))
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&logged), zap.DebugLevel)
	zap.New(core).Sugar().Infow("settings", "config", c, "secret", secret, "pointer", &secret)
	printed = append(printed, string(asJSON), string(asYAML), shown.String(), logged.String())
	require.Positive(t, logged.Len())
	for _, text := range printed {
		require.NotContains(t, text, "swordfish")
		require.NotContains(t, text, fmt.Sprintf("%x", "swordfish"))
		require.NotContains(t, text, strings.Trim(fmt.Sprintf("%d", []byte("swordfish")), "[]"))
	}
	require.Contains(t, shown.String(), "customer_key: (secret)")
	require.Contains(t, shown.String(), `"customer_key": "(secret)"`)
}

func TestSecretFilesAreReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write("the first long secret\n")
	key := load(t, "log: {customer_key: {file: "+file+"}}", nil, nil).Log.CustomerKey
	write("the second long secret\r\n")
	now, err := key.Read()
	require.NoError(t, err)
	require.Equal(t, "the second long secret", now)
	require.Equal(t, "the first long secret", key.Reveal())
	for _, bad := range []string{"", "\n", "two\nlines\n"} {
		write(bad)
		_, err = key.Read()
		require.Error(t, err)
	}
	plain, err := config.NewSecret("plain").Read()
	require.NoError(t, err)
	require.Equal(t, "plain", plain)
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]config.Bytes{"0": 0, "1": 1, "64KiB": 64 * config.KiB, "3 MiB": 3 * config.MiB, "2GiB": 2 * config.GiB, "1TiB": config.TiB, "7B": 7} {
		c, _ := config.Load(config.Sources{YAML: []byte("intake: {fetch_max_bytes: " + text + "}")})
		require.Equal(t, want, c.Intake.FetchMaxBytes, text)
	}
	for size, want := range map[config.Bytes]string{0: "0B", 1023: "1023B", 1024: "1KiB", 1536: "1536B", 3 * config.MiB: "3MiB", config.TiB: "1TiB"} {
		require.Equal(t, want, size.String())
	}
}

func FuzzYAML(f *testing.F) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		if !bytes.Contains(content, []byte("file:")) { // the fuzzer may open no files
			f.Add(content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		if bytes.Contains(content, []byte("file")) {
			return
		}
		c, err := config.Load(config.Sources{YAML: slices.Concat(content, []byte("\n"))})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.NoError(t, c.Validate(), "what is loaded is valid")
		c.StepSettings()
		var out bytes.Buffer
		require.NoError(t, config.Print(&out, c, "yaml"))
		if !strings.Contains(out.String(), "(secret)") {
			again, err := config.Load(config.Sources{YAML: out.Bytes()})
			require.NoError(t, err)
			require.Equal(t, c, again)
		}
	})
}

func TestCredentialsBelongToTheirMechanism(t *testing.T) {
	for _, test := range []struct{ sasl, want string }{
		{"mechanism: plain, user: u, password: p", ""},
		{"mechanism: plain, user: u", "kafka.sasl.password: is needed with kafka.sasl.mechanism plain"},
		{"mechanism: scram-sha-512, user: u, password: p, aws_region: eu", "kafka.sasl.aws_region (configuration:1): does not apply to kafka.sasl.mechanism scram-sha-512"},
		{"aws_region: eu", "kafka.sasl.mechanism: is needed with kafka.sasl.aws_region"},
		{"mechanism: aws-msk-iam, aws_region: eu", "kafka.tls.enabled: must be true with kafka.sasl.mechanism aws-msk-iam"},
		{"mechanism: aws-msk-iam", "kafka.sasl.aws_region: is needed with kafka.sasl.mechanism aws-msk-iam\nkafka.tls.enabled: must be true with kafka.sasl.mechanism aws-msk-iam"},
		{"mechanism: oauthbearer, oauth: {token_file: f, extensions: {logicalCluster: lkc-1}}", ""},
		{"mechanism: oauthbearer, oauth: {token_file: f, extensions: {auth: x}}", `kafka.sasl.oauth.extensions (configuration:1): the name of an extension consists of letters, and is not auth; it is "auth"`},
		{"mechanism: oauthbearer", "kafka.sasl.oauth.token_file: is needed with kafka.sasl.mechanism oauthbearer"},
		{"mechanism: oauthbearer, user: u, oauth: {token_file: f}", "kafka.sasl.user (configuration:1): does not apply to kafka.sasl.mechanism oauthbearer"},
		{"mechanism: oauthbearer, oauth: {token_url: 'https://id/token', client_id: i, client_secret: s, scopes: [a]}", ""},
		{"mechanism: oauthbearer, oauth: {token_url: 'https://id/token', client_id: i}", "kafka.sasl.oauth.client_secret: is needed with kafka.sasl.mechanism oauthbearer"},
		{"mechanism: oauthbearer, oauth: {token_url: 'https://me:x@id/', client_id: i, client_secret: s}", "kafka.sasl.oauth.token_url (configuration:1): must be a URL like https://id.example.com/token, without a user"},
		{"mechanism: oauthbearer, oauth: {token_file: f, ca_file: c}", "kafka.sasl.oauth.token_file (configuration:1): cannot be set together with token_url and the settings that belong to it"},
		{"mechanism: gssapi", "kafka.sasl.mechanism (configuration:1): must be one of empty, plain, scram-sha-256, scram-sha-512, oauthbearer, aws-msk-iam; it is gssapi"},
	} {
		_, err := config.Load(config.Sources{YAML: []byte("kafka: {sasl: {" + test.sasl + "}}")})
		if test.want == "" {
			require.NoError(t, err, test.sasl)
		} else {
			require.EqualError(t, err, test.want, test.sasl)
		}
	}
}

func TestSentinelsHaveCredentialsOfTheirOwn(t *testing.T) {
	const sentinel = "redis: {mode: sentinel, master_name: m, "
	c := load(t, sentinel+"sentinel_username: u, sentinel_password: p}", nil, nil)
	require.Equal(t, "p", c.Redis.SentinelPassword.Reveal())
	_, err := config.Load(config.Sources{YAML: []byte(sentinel + "sentinel_username: u}")})
	require.EqualError(t, err, "redis.sentinel_password: is needed with redis.sentinel_username")
	_, err = config.Load(config.Sources{YAML: []byte("redis: {sentinel_username: u}")})
	require.EqualError(t, err, "redis.sentinel_username (configuration:1): applies only in mode sentinel; the mode is single")
}
