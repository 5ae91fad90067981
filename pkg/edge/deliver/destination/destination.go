// Package destination owns what a destination of webhooks is: the file that lists them, with its defaults and bounds; which outputs one
// gets; the body of a request; its signature.
//
// It refuses to open a connection, and to read the files of secrets before they are used: a command that only names destinations needs
// none of them.
package destination

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/schemas/output"
)

// Destination is one receiver of webhooks. The tags document its fields: docs/webhooks.md has a table of them.
type Destination struct {
	Name              string            `yaml:"name" doc:"Name in metrics, commands and topics: 1 to 50 small letters, digits and dashes."`
	Form              Form              `yaml:"form" doc:"What is sent: a name of the table above. json if absent."`
	URL               string            `yaml:"url" doc:"Address of the receiver, unless it is that of the form. It must be https, except on loopback or with allow_http."`
	URLFile           string            `yaml:"url_file" doc:"File that has the address, instead of url: for addresses that are secrets, as those of Slack are."`
	SecretFiles       []string          `yaml:"secret_files" doc:"Files of the secrets (whsec_...) that sign a request, each read again for each attempt. There are several while a secret is changed. Form json needs at least one."`
	AuthorizationFile string            `yaml:"authorization_file" doc:"File with the value of the header Authorization, such as \"Bearer ...\"; read again for each attempt."`
	Headers           map[string]string `yaml:"headers" doc:"Further headers. No secrets: use authorization_file."`
	Topics            []string          `yaml:"topics" doc:"Outputs to send: alerts, clv, churn-risk, milestones, promoter-status. At least one."`
	Rules             []string          `yaml:"rules" doc:"Send only alerts of these rules."`
	Group             []string          `yaml:"group" doc:"Send only alerts of these groups: treated, control. [treated] if absent: nobody is to act on an alert of control. Alerts without a group are always sent."`
	Milestones        []string          `yaml:"milestones" doc:"Send only milestones of these kinds."`
	Tiers             []string          `yaml:"tiers" doc:"Send only outputs about customers of these value tiers. It applies to outputs that state the tier: clv, alerts and milestones."`
	ChurnRisk         []string          `yaml:"churn_risk" doc:"Send only outputs about customers of these classes of churn risk. It applies to outputs that state the class: churn-risk, alerts and milestones."`
	Changed           []string          `yaml:"changed" doc:"Send an output only if one of these fields differs from the previous output. It applies to outputs that have one of them in \"previous\"."`
	Template          string            `yaml:"template" doc:"The body, or the message to Slack, with {{.field}} for a field of the output, {{json .field}} for one as JSON, {{traits}} for all figures as a JSON object. It is tried with a sample of each topic at start."`
	ContentType       string            `yaml:"content_type" doc:"Content-Type of the body, unless it is that of the form. If it is JSON, each body must be."`
	Start             string            `yaml:"start" doc:"Where a new destination begins: \"latest\" (with what is published from now on) or \"earliest\" (with all that its topics still have). \"latest\" if absent."`
	Concurrency       int               `yaml:"concurrency" doc:"Requests at a time of one process, unless it is that of the form. The outputs of one customer are always sent one after the other."`
	RatePerSecond     float64           `yaml:"rate_per_second" doc:"Most requests per second of one process, unless it is that of the form."`
	Timeout           time.Duration     `yaml:"timeout" doc:"How long an attempt may take. 10s if absent."`
	Retry             Retry             `yaml:"retry"`
	AllowHTTP         bool              `yaml:"allow_http" doc:"Allow an address without encryption off loopback. Whoever can read the network reads the customers' figures."`
	AllowPrivate      bool              `yaml:"allow_private" doc:"Allow a receiver at a loopback, private or link-local address. It is checked on the address that is connected to, whatever the name resolved to before."`

	body bodyTemplate
}

// Retry says how often a delivery is tried.
type Retry struct {
	First       time.Duration `yaml:"first" doc:"Pause after the first failure; it doubles with each further one, and half of each pause is random. 1s if absent."`
	Longest     time.Duration `yaml:"longest" doc:"Longest pause. 1m if absent."`
	GiveUpAfter time.Duration `yaml:"give_up_after" doc:"Age of an output at which a delivery that still fails, after at least five attempts, becomes a dead letter. 24h if absent."`
}

// The values of Start.
const (
	Latest   = "latest"
	Earliest = "earliest"
)

// Error is one error in the file of destinations, with its position.
type Error struct {
	File        string
	Line        int
	Destination string // may be empty
	Field       string // may be empty
	Message     string
}

// Error is file:line: destination: field: message.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Destination != "" {
		text += "destination " + e.Destination + ": "
	}
	if e.Field != "" {
		text += e.Field + ": "
	}
	return text + e.Message
}

// Parse reads a file of destinations: a mapping with the one key destinations. The error joins all errors in it.
func Parse(file string, content []byte) ([]Destination, error) {
	var parsed struct {
		Destinations []Destination `yaml:"destinations"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&parsed); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(parsed.Destinations) == 0 {
		return nil, &Error{File: file, Line: 1, Message: "must hold the key destinations with a list of at least one"}
	}
	var document struct {
		Destinations []yaml.Node `yaml:"destinations"`
	}
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for i := range parsed.Destinations {
		d := &parsed.Destinations[i]
		c := checker{file: file, node: &document.Destinations[i], destination: d}
		if slices.ContainsFunc(parsed.Destinations[:i], func(o Destination) bool { return o.Name == d.Name }) {
			c.wrong("name", "another destination has this name")
		}
		d.setDefaults()
		c.check()
		errs = append(errs, c.errs...)
	}
	return parsed.Destinations, errors.Join(errs...)
}

func (d *Destination) setDefaults() {
	d.Form = cmp.Or(d.Form, JSON)
	d.Start = cmp.Or(d.Start, Latest)
	profile, _ := d.Form.profile() // an unknown form is reported by check
	d.ContentType = cmp.Or(d.ContentType, profile.ContentType)
	d.Template = cmp.Or(d.Template, profile.Template)
	d.Concurrency = cmp.Or(d.Concurrency, profile.Concurrency)
	d.RatePerSecond = cmp.Or(d.RatePerSecond, profile.RatePerSecond)
	if d.URLFile == "" {
		d.URL = cmp.Or(d.URL, profile.URL)
	}
	headers := map[string]string{}
	for _, some := range []map[string]string{profile.Headers, d.Headers} {
		for name, value := range some {
			headers[http.CanonicalHeaderKey(name)] = value
		}
	}
	d.Headers = headers
	if d.Group == nil {
		d.Group = []string{treated}
	}
	d.Timeout = cmp.Or(d.Timeout, 10*time.Second)
	d.Retry.First = cmp.Or(d.Retry.First, time.Second)
	d.Retry.Longest = cmp.Or(d.Retry.Longest, time.Minute)
	d.Retry.GiveUpAfter = cmp.Or(d.Retry.GiveUpAfter, 24*time.Hour)
}

const jsonType = "application/json"

// The groups of alerts.
const (
	treated = "treated"
	control = "control"
)

// OutputTopics are the outputs that can be sent.
func OutputTopics() []output.Topic {
	return []output.Topic{output.Alerts, output.CLV, output.ChurnRisk, output.Milestones, output.PromoterStatus}
}

// Outputs are the outputs that the destination gets.
func (d *Destination) Outputs() []output.Topic {
	return slices.DeleteFunc(OutputTopics(), func(t output.Topic) bool { return !slices.Contains(d.Topics, t.String()) })
}

type checker struct {
	file        string
	node        *yaml.Node
	destination *Destination
	errs        []error
}

// wrong reports an error at the line of a field, or of the destination if the field is absent.
func (c *checker) wrong(field, format string, args ...any) {
	line, node := c.node.Line, c.node
	for name := range strings.SplitSeq(field, ".") {
		for i := 0; node != nil && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == name {
				line, node = node.Content[i].Line, node.Content[i+1]
				break
			}
		}
	}
	c.errs = append(c.errs, &Error{c.file, line, c.destination.Name, field, fmt.Sprintf(format, args...)})
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$`)
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

func (c *checker) check() {
	d := c.destination
	if !nameForm.MatchString(d.Name) {
		c.wrong("name", "must be 1 to 50 small letters, digits and dashes, with a letter or digit at both ends; it is %q", d.Name)
	}
	profile, known := d.Form.profile()
	if !known {
		names := make([]string, 0, len(Profiles()))
		for _, p := range Profiles() {
			names = append(names, string(p.Form))
		}
		c.wrong("form", "must be one of %s; it is %q", strings.Join(names, ", "), d.Form)
		return
	}
	if profile.Authorized && d.AuthorizationFile == "" {
		c.wrong("authorization_file", "is needed with form %s", d.Form)
	}
	switch {
	case (d.URL == "") == (d.URLFile == ""):
		c.wrong("url", "one of url and url_file is needed")
	case d.URL != "":
		if _, err := d.checkURL(d.URL); err != nil {
			c.wrong("url", "%s", err)
		}
	}
	if d.Form == JSON && len(d.SecretFiles) == 0 {
		c.wrong("secret_files", "is needed with form json: receivers know requests by their signature")
	}
	if d.Form == JSON && d.Template != "" || d.Form == Template && d.Template == "" {
		c.wrong("template", "is needed with form template, and form json has none")
	}
	for name := range d.Headers {
		if !headerForm.MatchString(name) || slices.Contains([]string{"Authorization", "Content-Type", "Content-Length", "Host", "Transfer-Encoding", "Connection"}, name) || strings.HasPrefix(name, "Webhook-") {
			c.wrong("headers", "%q cannot be set here", name)
		}
	}
	if d.Start != Latest && d.Start != Earliest {
		c.wrong("start", "must be latest or earliest; it is %q", d.Start)
	}
	c.between("concurrency", float64(d.Concurrency), 1, 256)
	c.between("rate_per_second", d.RatePerSecond, 0.01, 10000)
	c.between("timeout", d.Timeout.Seconds(), 0.1, 300)
	c.between("retry.first", d.Retry.First.Seconds(), 0.01, 3600)
	c.between("retry.longest", d.Retry.Longest.Seconds(), d.Retry.First.Seconds(), 24*3600)
	c.between("retry.give_up_after", d.Retry.GiveUpAfter.Seconds(), 1, 30*24*3600)
	c.topics()
}

func (c *checker) between(field string, value, least, most float64) {
	if !(value >= least && value <= most) { // also for what is no number
		c.wrong(field, "must be %v to %v (times in seconds); it is %v", least, most, value)
	}
}

// topics checks what depends on the outputs: the filters and the template, by a sample of each output.
func (c *checker) topics() {
	d := c.destination
	names := make([]string, 0, len(OutputTopics()))
	for _, t := range OutputTopics() {
		names = append(names, t.String())
	}
	if len(d.Topics) == 0 {
		c.wrong("topics", "must list at least one of %s", strings.Join(names, ", "))
	}
	for _, name := range d.Topics {
		if !slices.Contains(names, name) {
			c.wrong("topics", "must be of %s; one is %q", strings.Join(names, ", "), name)
		}
	}
	var fields []string
	for _, t := range d.Outputs() {
		fields = append(fields, Sample(t).previousFields()...)
	}
	for _, field := range d.Changed {
		if !slices.Contains(fields, field) {
			c.wrong("changed", "%q is not a field with a previous value in these topics: %s", field, strings.Join(fields, ", "))
		}
	}
	if len(d.Rules) > 0 && !slices.Contains(d.Topics, output.Alerts.String()) {
		c.wrong("rules", "applies to alerts only, and topics has no alerts")
	}
	for _, group := range d.Group {
		if group != treated && group != control {
			c.wrong("group", "must be of %s, %s; one is %q", treated, control, group)
		}
	}
	if len(d.Milestones) > 0 && !slices.Contains(d.Topics, output.Milestones.String()) {
		c.wrong("milestones", "applies to milestones only, and topics has no milestones")
	}
	for _, name := range d.Milestones {
		if kinds := output.MilestoneKinds(); !slices.Contains(kinds, name) {
			c.wrong("milestones", "must be of %s; one is %q", strings.Join(kinds, ", "), name)
		}
	}
	if d.Form == JSON || d.Form == Template && d.Template == "" {
		return
	}
	var err error
	if d.body, err = parseTemplate(d.Template); err != nil {
		c.wrong("template", "%s", err)
		return
	}
	for _, t := range d.Outputs() {
		if _, _, err := d.Body(Sample(t)); err != nil {
			c.wrong("template", "tried with a sample of %s: %s", t, err)
		}
	}
}

var (
	errNoURL     = errors.New("must be an address like https://crm.example.com/hooks")
	errUserURL   = errors.New("must not have a user or password: use authorization_file")
	errPlainHTTP = errors.New("must be https, since the body has customers' figures; allow_http allows http, and so does a loopback address")
)

// checkURL returns no part of an address in its errors: it may be a secret.
func (d *Destination) checkURL(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Fragment != "":
		return "", errNoURL
	case u.User != nil:
		return "", errUserURL
	case u.Scheme == "http" && !d.AllowHTTP && !loopback(u.Hostname()):
		return "", errPlainHTTP
	}
	return u.String(), nil
}

// loopback resolves no names: of names, only localhost counts.
func loopback(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}
