package config

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// redacted needs no quotes in YAML and no escapes in JSON.
const redacted = "(secret)"

// Secret is text that is never printed: not by fmt, JSON, YAML or zap. The zero value is "not set".
type Secret struct {
	text string
	file string
}

// NewSecret returns a secret that was not read from a file.
func NewSecret(text string) Secret { return Secret{text: text} }

// secretFile reads a secret from a file of one line; a trailing line break is not part of the secret.
func secretFile(path string) (Secret, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return Secret{}, fmt.Errorf("read the secret: %w", err)
	}
	text := strings.TrimRight(string(b), "\r\n")
	switch {
	case text == "":
		return Secret{}, fmt.Errorf("the file %s is empty", path)
	case strings.ContainsAny(text, "\r\n"):
		return Secret{}, fmt.Errorf("the file %s has more than one line", path)
	}
	return Secret{text: text, file: path}, nil
}

// Headers are headers of requests, each with the file that has its value.
type Headers map[string]string

// Read returns the current value of a header. The error does not name the file: it may be the value itself, written here by mistake.
func (h Headers) Read(name string) (string, error) {
	value, err := secretFile(h[name])
	if err != nil {
		return "", fmt.Errorf("%s: the file with its value cannot be read, is empty or has more than one line", name)
	}
	return value.text, nil
}

// Reveal returns the text that the configuration was loaded with.
func (s Secret) Reveal() string { return s.text }

// Read returns the current text: a secret from a file is read again, so that it can be rotated.
func (s Secret) Read() (string, error) {
	if s.file == "" {
		return s.text, nil
	}
	now, err := secretFile(s.file)
	return now.text, err
}

// IsSet reports whether the secret has a text.
func (s Secret) IsSet() bool { return s.text != "" }

// String returns "(secret)", or an empty string when the secret is not set.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return redacted
}

// Format redacts with every verb; without it %#v and %x would print the fields.
func (s Secret) Format(f fmt.State, verb rune) {
	switch {
	case verb == 'q' || verb == 'v' && f.Flag('#'):
		_, _ = io.WriteString(f, `"`+s.String()+`"`)
	default:
		_, _ = io.WriteString(f, s.String())
	}
}

// MarshalText redacts in every encoding that uses encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON redacts.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML redacts.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }
