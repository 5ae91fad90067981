package destination_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
	"github.com/mainstay/mainstay/schemas/output"
)

var update = flag.Bool("update", false, "write the page")

// The example of the specification's reference libraries. The signature was also computed with openssl.
func TestSignatureOfTheExample(t *testing.T) {
	key, err := destination.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	require.NoError(t, err)
	old, err := destination.ParseSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	at, body := time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	require.Equal(t, want, destination.Sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body))
	both := strings.Fields(destination.Sign([][]byte{key, old}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body))
	require.Len(t, both, 2)
	require.Equal(t, want, both[0])
	require.NotEqual(t, want, both[1])
}

func TestSecretsAreCheckedAndNotShown(t *testing.T) {
	for _, text := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_short", "whsec_%%%", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		_, err := destination.ParseSecret(text)
		require.ErrorContains(t, err, "must be whsec_ and 24 to 64 bytes in base64", text)
		require.NotContains(t, err.Error(), "short")
	}
}

func parse(t *testing.T, fields string) (destination.Destination, error) {
	t.Helper()
	all, err := destination.Parse("d.yml", []byte("destinations:\n  - name: crm\n"+fields))
	if err != nil {
		return destination.Destination{}, err
	}
	require.Len(t, all, 1)
	return all[0], nil
}

const good = "    url: https://crm.example.com/in\n    secret_files: [s]\n    topics: [alerts, clv, churn-risk, milestones, promoter-status]\n"

func TestDefaults(t *testing.T) {
	d, err := parse(t, good)
	require.NoError(t, err)
	require.Equal(t, destination.JSON, d.Form)
	require.Equal(t, destination.Latest, d.Start)
	require.Equal(t, 24*time.Hour, d.Retry.GiveUpAfter)
	require.Equal(t, destination.OutputTopics(), d.Outputs())
}

// Each error names the file, the line, the destination and the field.
func TestErrorsNameTheirPlace(t *testing.T) {
	for _, c := range []struct{ fields, want string }{
		{"    topics: [clv]\n", "d.yml:2: destination crm: url: one of url and url_file is needed"},
		{good + "    rate: 3\n", "d.yml: unmarshal errors:\n  line 6: field rate not found in type destination.Destination"},
		{good + "    form: xml\n", `d.yml:6: destination crm: form: must be one of json, template, slack, klaviyo, hubspot, braze; it is "xml"`},
		{"    url: http://crm.example.com\n    secret_files: [s]\n    topics: [clv]\n", "d.yml:3: destination crm: url: must be https"},
		{"    url: http://127.example.com\n    secret_files: [s]\n    topics: [clv]\n", "d.yml:3: destination crm: url: must be https"},
		{"    url: https://me:pw@crm.example.com\n    secret_files: [s]\n    topics: [clv]\n", "d.yml:3: destination crm: url: must not have a user or password"},
		{"    url: https://crm.example.com\n    topics: [clv]\n", "d.yml:2: destination crm: secret_files: is needed"},
		{"    url: https://crm.example.com\n    secret_files: [s]\n", "d.yml:2: destination crm: topics: must list at least one of alerts, clv, churn-risk, milestones, promoter-status"},
		{"    url: https://crm.example.com\n    secret_files: [s]\n    topics:\n      - portfolio\n", `d.yml:5: destination crm: topics: must be of`},
		{good + "    changed: [nonsense]\n", `d.yml:6: destination crm: changed: "nonsense" is not a field with a previous value`},
		{good + "    retry: {first: 2m}\n", "d.yml:6: destination crm: retry.longest: must be 120 to 86400"},
		{good + "    concurrency: 1000\n", "d.yml:6: destination crm: concurrency: must be 1 to 256"},
		{good + "    group: [others]\n", `d.yml:6: destination crm: group: must be of treated, control; one is "others"`},
		{good + "    start: now\n", "d.yml:6: destination crm: start: must be latest or earliest"},
		{good + "    headers: {webhook-id: x}\n", `d.yml:6: destination crm: headers: "Webhook-Id" cannot be set here`},
		{good + "    template: x\n", "d.yml:6: destination crm: template: is needed with form template, and form json has none"},
		{good + "  - name: crm\n" + good, "d.yml:6: destination crm: name: another destination has this name"},
		{"    form: template\n    url: https://crm.example.com\n    topics: [clv]\n    template: |\n      {\n      {{.nonsense}}\n      }\n", "d.yml:6: destination crm: template: tried with a sample of clv: line 2: the output has no field nonsense"},
		{"    form: template\n    url: https://crm.example.com\n    topics: [clv]\n    template: '{{if'\n", "d.yml:6: destination crm: template: line 1: {{ without }}"},
		{"    form: template\n    url: https://crm.example.com\n    topics: [clv]\n    template: 'id={{.customer_id}}'\n", "d.yml:6: destination crm: template: tried with a sample of clv: the template's result is not JSON"},
	} {
		_, err := parse(t, c.fields)
		require.ErrorContains(t, err, c.want, c.fields)
	}
	_, err := destination.Parse("d.yml", nil)
	require.ErrorContains(t, err, "d.yml:1: must hold the key destinations")
}

func TestLoopbackMayBePlain(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:8000", "http://localhost:8000/x", "http://[::1]:8000"} {
		_, err := parse(t, "    url: "+address+"\n    secret_files: [s]\n    topics: [clv]\n")
		require.NoError(t, err, address)
	}
}

func message(t *testing.T, topic output.Topic, value string) *destination.Message {
	t.Helper()
	m, err := destination.Read(topic, []byte(value))
	require.NoError(t, err)
	return m
}

func TestFilters(t *testing.T) {
	const raised = `{"event_type":"mainstay.alert.raised.v1","rule":"vip","scores":{"value_tier":"top_10","churn_risk":"high"},"state":"raised","previous":null}`
	for _, c := range []struct {
		filter string
		topic  output.Topic
		value  string
		want   bool
	}{
		{"", output.CLV, `{}`, true},
		{"    rules: [vip]\n", output.Alerts, raised, true},
		{"    rules: [other]\n", output.Alerts, raised, false},
		{"    milestones: [back]\n", output.Milestones, `{"milestone":"back"}`, true},
		{"    milestones: [back]\n", output.Milestones, `{"milestone":"dormant"}`, false},
		{"    milestones: [back]\n", output.CLV, `{"value_tier":"rest"}`, true},
		{"    tiers: [top_10]\n", output.Milestones, `{"milestone":"back","value_tier":"rest"}`, false},
		{"    rules: [other]\n", output.CLV, `{"value_tier":"rest"}`, true},
		{"    tiers: [top_10]\n", output.Alerts, raised, true},
		{"    tiers: [top_20]\n", output.Alerts, raised, false},
		{"    tiers: [top_10]\n", output.CLV, `{"value_tier":"top_10"}`, true},
		{"    tiers: [top_10]\n", output.CLV, `{"value_tier":null}`, false},
		{"    tiers: [top_10]\n", output.ChurnRisk, `{"churn_risk":"low"}`, true},
		{"    churn_risk: [high, churned]\n", output.ChurnRisk, `{"churn_risk":"high"}`, true},
		{"    churn_risk: [high, churned]\n", output.ChurnRisk, `{"churn_risk":"low"}`, false},
		{"    churn_risk: [low]\n", output.Alerts, raised, false},
		{"", output.Alerts, `{"event_type":"mainstay.alert.raised.v1","group":"treated"}`, true},
		{"", output.Alerts, `{"event_type":"mainstay.alert.raised.v1","group":"control"}`, false},
		{"    group: [control]\n", output.Alerts, `{"event_type":"mainstay.alert.raised.v1","group":"control"}`, true},
		{"    group: [control]\n", output.Alerts, `{"event_type":"mainstay.alert.raised.v1","group":"treated"}`, false},
		{"    group: [control]\n", output.Alerts, raised, true},
		{"    group: [control]\n", output.CLV, `{"total_clv":1}`, true},
		{"    changed: [churn_risk]\n", output.ChurnRisk, `{"churn_risk":"high","churn_probability":0.7,"previous":{"churn_risk":"high","churn_probability":0.6}}`, false},
		{"    changed: [churn_risk]\n", output.ChurnRisk, `{"churn_risk":"high","previous":{"churn_risk":"low"}}`, true},
		{"    changed: [churn_risk]\n", output.ChurnRisk, `{"churn_risk":"high","previous":null}`, true},
		{"    changed: [churn_risk]\n", output.CLV, `{"total_clv":1,"previous":{"total_clv":1}}`, true},
		{"    tiers: [top_10]\n", output.CLV, `{"event_type":"mainstay.customer.erased.v1"}`, true},
	} {
		d, err := parse(t, good+c.filter)
		require.NoError(t, err)
		require.Equal(t, c.want, d.Wants(message(t, c.topic, c.value)), "%s %s", c.filter, c.value)
	}
	d, err := parse(t, "    form: slack\n    url: https://hooks.example.com\n    topics: [clv]\n")
	require.NoError(t, err)
	require.False(t, d.Wants(message(t, output.CLV, `{"event_type":"mainstay.customer.erased.v1"}`)), "templates do not know erasures")
}

// The body of the form json has the output byte for byte.
func TestJSONBody(t *testing.T) {
	d, err := parse(t, good)
	require.NoError(t, err)
	for _, topic := range destination.OutputTopics() {
		m := destination.Sample(topic)
		body, contentType, err := d.Body(m)
		require.NoError(t, err)
		require.Equal(t, "application/json", contentType)
		var parsed struct {
			Type      string          `json:"type"`
			Timestamp string          `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
		}
		require.NoError(t, json.Unmarshal(body, &parsed))
		require.Equal(t, string(m.Value), string(parsed.Data))
		require.Equal(t, m.Fields["event_type"], parsed.Type)
		require.Equal(t, "2026-01-02T03:04:05Z", parsed.Timestamp)
	}
}

// What a customer is named cannot become a link or a call to all in the channel.
func TestSlackEscapesTexts(t *testing.T) {
	d, err := parse(t, "    form: slack\n    url: https://hooks.example.com\n    topics: [alerts]\n")
	require.NoError(t, err)
	m := destination.Sample(output.Alerts)
	m.Fields["customer_id"] = `<!channel> & "me"`
	body, _, err := d.Body(m)
	require.NoError(t, err)
	var parsed map[string]string
	require.NoError(t, json.Unmarshal(body, &parsed))
	require.Equal(t, "*sample_rule* raised for customer &lt;!channel&gt; &amp; \"me\" (warning): churn_probability is 0.7000, threshold 0.6600; 56.00 EUR at stake\nThis is a sample.", parsed["text"])
}

func TestTemplates(t *testing.T) {
	for _, c := range []struct{ template, want, wrong string }{
		{"{{.customer_id}} {{ .total_clv }} {{.previous.value_tier}} {{.reasons}} {{.days_overdue}}", "sample-customer 200.00 top_20 This is a sample. unknown", ""},
		{"{{json .reasons}}{{json .value_tier}}{{json .days_overdue}}", `["This is a sample."]"top_10"null`, ""},
		{"a\n{{.model.nonsense}}", "", "line 2: the output has no field model.nonsense"},
		{"a\n\n{{if .x}}", "", "line 3: {{if .x}} is none of"},
		{"{{}}", "", "line 1: {{}} is none of"},
		{"{{.}}", "", "line 1: {{.}} is none of"},
		{"{{json}}", "", "line 1: {{json}} is none of"},
	} {
		d, err := parse(t, fmt.Sprintf("    form: template\n    content_type: text/plain\n    url: https://crm.example.com\n    topics: [clv]\n    template: %q\n", c.template))
		if c.wrong != "" {
			require.ErrorContains(t, err, c.wrong)
			continue
		}
		require.NoError(t, err)
		body, contentType, err := d.Body(destination.Sample(output.CLV))
		require.NoError(t, err)
		require.Equal(t, "text/plain", contentType)
		require.Equal(t, c.want, string(body))
	}
}

func TestTemplateBody(t *testing.T) {
	d, err := parse(t, "    form: template\n    url: https://crm.example.com\n    topics: [clv]\n    template: '{\"id\": {{json .customer_id}}, \"clv\": {{.total_clv}}}'\n")
	require.NoError(t, err)
	m := destination.Sample(output.CLV)
	m.Fields["customer_id"] = `a"b`
	body, _, err := d.Body(m)
	require.NoError(t, err)
	require.JSONEq(t, `{"id": "a\"b", "clv": 200}`, string(body))
	require.Contains(t, string(body), "200.00", "numbers keep their digits")
}

// The bodies have the shapes that the receivers document.
func TestProfilesOfCustomers(t *testing.T) {
	const fields = `"mainstay_as_of":"2026-01-02T03:04:05Z","mainstay_churn_probability":0.7000,"mainstay_churn_risk":"high","mainstay_currency":"EUR","mainstay_days_since_last_order":80.0,"mainstay_last_order_at":"2026-01-02T03:04:05Z","mainstay_next_check_at":NULL,"mainstay_probability_of_purchase_in_horizon":0.2000,"mainstay_purchase_horizon_days":90`
	for form, want := range map[string]string{
		"klaviyo": `{"data":{"type":"profile","attributes":{"external_id":"sample-customer","properties":{` + strings.ReplaceAll(fields, "NULL", "null") + `}}}}`,
		"hubspot": `{"inputs":[{"idProperty":"mainstay_customer_id","id":"sample-customer","properties":{` + strings.ReplaceAll(fields, "NULL", `""`) + `}}]}`,
		"braze":   `{"attributes":[{"external_id":"sample-customer",` + strings.ReplaceAll(fields, "NULL", "null") + `}]}`,
	} {
		_, err := parse(t, "    form: "+form+"\n    url: https://x.example.com\n    topics: [clv]\n")
		require.ErrorContains(t, err, "authorization_file: is needed with form "+form)
		d, err := parse(t, "    form: "+form+"\n    url: https://x.example.com/in\n    authorization_file: key\n    topics: [alerts, clv, churn-risk, promoter-status]\n")
		require.NoError(t, err)
		body, contentType, err := d.Body(destination.Sample(output.ChurnRisk))
		require.NoError(t, err)
		require.Equal(t, d.ContentType, contentType)
		require.True(t, json.Valid(body))
		require.Equal(t, []byte(want), body, form)
	}
	d, err := parse(t, "    form: klaviyo\n    authorization_file: key\n    headers: {revision: '2025-01-15'}\n    topics: [clv]\n")
	require.NoError(t, err)
	require.Equal(t, "https://a.klaviyo.com/api/profile-import", d.URL)
	require.Equal(t, map[string]string{"Revision": "2025-01-15"}, d.Headers)
}

func TestFilesAreReadEachTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	d, err := parse(t, "    url: https://crm.example.com\n    secret_files: ["+file+"]\n    topics: [clv]\n")
	require.NoError(t, err)
	require.ErrorContains(t, d.CheckFiles(), "destination crm: secret_files: "+file)
	var before string
	for i := range 2 {
		require.NoError(t, os.WriteFile(file, []byte("whsec_"+base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune('a'+i)), 32)))+"\n"), 0o600))
		h, err := d.Header("msg_1", time.Unix(1, 0), []byte("{}"), "application/json")
		require.NoError(t, err)
		require.NotEqual(t, before, h.Get("Webhook-Signature"))
		before = h.Get("Webhook-Signature")
	}
}

// fields renders the fields as docs/webhooks.md has them.
func fields(of reflect.Type, prefix string) string {
	var b strings.Builder
	for f := range of.Fields() {
		switch name := prefix + f.Tag.Get("yaml"); {
		case !f.IsExported():
		case f.Type == reflect.TypeFor[destination.Retry]():
			b.WriteString(fields(f.Type, name+"."))
		default:
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, f.Tag.Get("doc"))
		}
	}
	return b.String()
}

func TestPageHoldsTheFields(t *testing.T) {
	const path, begin, end = "../../../../docs/webhooks.md", "-update -->\n", "<!-- end -->"
	page, err := os.ReadFile(path)
	require.NoError(t, err)
	head, rest, ok := strings.Cut(string(page), begin)
	require.True(t, ok)
	_, tail, ok := strings.Cut(rest, end)
	require.True(t, ok)
	var forms strings.Builder
	for _, p := range destination.Profiles() {
		fmt.Fprintf(&forms, "| `%s` | %s | %v | %d |\n", p.Form, p.About, p.RatePerSecond, p.Concurrency)
	}
	want := head + begin + "\n| form | what is sent | requests per second | at a time |\n|---|---|---|---|\n" + forms.String() + "\n| field | |\n|---|---|\n" + fields(reflect.TypeFor[destination.Destination](), "") + "\n" + end + tail
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(page), "run go test ./pkg/edge/deliver/destination -update")
}

// The examples of the page are read as they stand there.
func TestExamplesOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/webhooks.md")
	require.NoError(t, err)
	examples := strings.Split(string(page), "```yaml\n")[1:]
	require.GreaterOrEqual(t, len(examples), 4)
	for _, example := range examples {
		text, _, _ := strings.Cut(example, "```")
		_, err := destination.Parse("webhooks.md", []byte("destinations:\n"+strings.TrimPrefix(text, "destinations:\n")))
		require.NoError(t, err, text)
	}
}
