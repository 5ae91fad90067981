package config

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/mainstay/mainstay/pkg/kafka"
)

// mechanismPath is the setting whose values are those that pkg/kafka implements.
const mechanismPath = "kafka.sasl.mechanism"

func mechanismNames() []string {
	names := []string{""}
	for _, m := range kafka.Mechanisms() {
		names = append(names, m.Name)
	}
	return names
}

var extensionForm = regexp.MustCompile(`^[A-Za-z]+$`)

// sasl checks that the credentials of the mechanism are given, and no others.
func (v *validator) sasl() {
	s, o := v.Kafka.SASL, v.Kafka.SASL.OAuth
	var needs kafka.Credentials
	for _, m := range kafka.Mechanisms() {
		if m.Name == s.Mechanism {
			needs = m.Needs
		}
	}
	fromURL := o.TokenURL != ""
	for _, one := range []struct {
		name   string // below kafka.sasl
		given  bool
		of     kafka.Credentials
		needed bool // with its credentials
	}{
		{"user", s.User != "", kafka.CredentialsPassword, true},
		{"password", s.Password.IsSet(), kafka.CredentialsPassword, true},
		{"oauth.token_file", o.TokenFile != "", kafka.CredentialsToken, !fromURL},
		{"oauth.token_url", fromURL, kafka.CredentialsToken, false},
		{"oauth.client_id", o.ClientID != "", kafka.CredentialsToken, fromURL},
		{"oauth.client_secret", o.ClientSecret.IsSet(), kafka.CredentialsToken, fromURL},
		{"oauth.scopes", len(o.Scopes) > 0, kafka.CredentialsToken, false},
		{"oauth.ca_file", o.CAFile != "", kafka.CredentialsToken, false},
		{"oauth.extensions", len(o.Extensions) > 0, kafka.CredentialsToken, false},
		{"aws_region", s.AWSRegion != "", kafka.CredentialsAWS, true},
	} {
		path := "kafka.sasl." + one.name
		switch {
		case one.given && s.Mechanism == "":
			v.wrong(mechanismPath, "is needed with %s", path)
		case one.given && one.of != needs:
			v.wrong(path, "does not apply to %s %s", mechanismPath, s.Mechanism)
		case !one.given && one.needed && one.of == needs:
			v.wrong(path, "is needed with %s %s", mechanismPath, s.Mechanism)
		}
	}
	if needs == kafka.CredentialsAWS && !v.Kafka.TLS.Enabled {
		v.wrong("kafka.tls.enabled", "must be true with %s %s", mechanismPath, s.Mechanism)
	}
	v.oauth(o)
}

func (v *validator) oauth(o OAuth) {
	if o.TokenFile != "" && (o.TokenURL != "" || o.ClientID != "" || o.ClientSecret.IsSet() || len(o.Scopes) > 0 || o.CAFile != "") {
		v.wrong("kafka.sasl.oauth.token_file", "cannot be set together with token_url and the settings that belong to it")
	}
	if o.TokenURL != "" {
		at, err := url.Parse(o.TokenURL)
		if err != nil || at.Host == "" || at.User != nil || at.Scheme != "https" && at.Scheme != "http" {
			v.wrong("kafka.sasl.oauth.token_url", "must be a URL like https://id.example.com/token, without a user")
		}
	}
	for name, value := range o.Extensions {
		if !extensionForm.MatchString(name) || name == "auth" || strings.ContainsRune(value, 1) {
			v.wrong("kafka.sasl.oauth.extensions", "the name of an extension consists of letters, and is not auth; it is %q", name)
		}
	}
}
