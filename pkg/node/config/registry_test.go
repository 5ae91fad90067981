package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/config"
)

func TestRegistry(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"urls: [https://a:8081, http://b/apis/ccompat/v7], username: u, password: p", ""},
		{"urls: [https://a], token: t, ca_file: c, cert_file: c, key_file: k, long_ids: true", ""},
		{"urls: [https://a], headers: {X-Tenant: /run/secrets/tenant}", ""},
		{"urls: [https://a], headers: {authorization: /run/secrets/token}", `registry.headers: "authorization" cannot be set here`},
		{"urls: [https://a], headers: {X Y: /run/secrets/y}", `registry.headers: "X Y" cannot be set here`},
		{"urls: [https://a], headers: {X: {file: f}}", "registry.headers: X is malformed or set twice; write it like {X-Tenant: /run/secrets/tenant}"},
		{"headers: {X: f}", "registry.urls: is needed with registry.headers"},
		{"long_ids: true", "registry.urls: is needed with registry.long_ids"},
		{"urls: [a:8081]", "registry.urls: must be URLs like https://registry.example.com:8081, without a user"},
		{"urls: ['https://u:p@a']", "registry.urls: must be URLs like https://registry.example.com:8081, without a user"},
		{"urls: [https://a], username: u", "registry.username: must be set together with registry.password"},
		{"urls: [https://a], username: u, password: p, token: t", "registry.token: cannot be set together with registry.username"},
		{"urls: [https://a], cert_file: c", "registry.cert_file: must be set together with key_file"},
		{"urls: [https://a, http://b], ca_file: c", "registry.urls: must be https:// with certificates"},
		{"urls: [https://a], timeout: 1ms", "registry.timeout: must be from 100ms to 1m; it is 1ms"},
	} {
		_, err := config.Load(config.Sources{File: "none.yaml", YAML: []byte("registry: {" + c.yaml + "}")})
		if c.want == "" {
			require.NoError(t, err, c.yaml)
			continue
		}
		require.Error(t, err, c.yaml)
		require.Contains(t, strings.ReplaceAll(err.Error(), " (none.yaml:1)", ""), c.want)
		require.NotContains(t, err.Error(), "u:p", "an address may hold a secret")
	}
}

// The value of a header is read again each time, and an error says neither the file nor the value.
func TestRegistryHeaders(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tenant")
	headers := config.Headers{"X-Tenant": file, "X-Key": "secret-written-here"}
	for _, value := range []string{"a", "b"} {
		require.NoError(t, os.WriteFile(file, []byte(value+"\n"), 0o600))
		got, err := headers.Read("X-Tenant")
		require.NoError(t, err)
		require.Equal(t, value, got)
	}
	_, err := headers.Read("X-Key")
	require.EqualError(t, err, "X-Key: the file with its value cannot be read, is empty or has more than one line")
}
