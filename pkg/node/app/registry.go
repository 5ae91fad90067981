package app

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/registry"
	"github.com/mainstay/mainstay/pkg/stream/failure"
	"github.com/mainstay/mainstay/pkg/telemetry"
)

// newRegistry returns the schema registry, nil if none is configured. A file that cannot be read now is an error at once, as in tlsSource.
func newRegistry(c config.Registry, transport http.RoundTripper) (*registry.Registry, error) {
	if len(c.URLs) == 0 {
		return nil, nil //nolint:nilnil // a nil registry reads no record
	}
	r := registry.Config{URLs: c.URLs, Username: c.Username, Password: c.Password.Read, Timeout: c.Timeout, LongIDs: c.LongIDs, Transport: transport}
	for name := range c.Headers {
		if r.Headers == nil {
			r.Headers = map[string]func() (string, error){}
		}
		if _, err := c.Headers.Read(name); err != nil {
			return nil, fmt.Errorf("registry.headers: %w", err)
		}
		r.Headers[name] = func() (string, error) { return c.Headers.Read(name) }
	}
	if c.Token.IsSet() {
		r.Token = c.Token.Read
	}
	if c.CAFile != "" || c.CertFile != "" {
		files := config.TLS{CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile}
		r.TLS = func() (*tls.Config, error) { return readTLS(files, "registry") }
		if _, err := r.TLS(); err != nil {
			return nil, err
		}
	}
	return registry.New(r)
}

// observeRegistry keeps the metrics of the registry's answers.
func (a *App) observeRegistry(reg prometheus.Registerer) {
	if a.Registry == nil {
		return
	}
	m := telemetry.NewSchemaRegistry(reg, failure.Names(failure.Registry())...)
	a.Registry.Observe(func(err error) {
		if err == nil {
			m.Up.Set(1)
			return
		}
		m.Up.Set(0)
		m.Errors.WithLabelValues(string(failure.Of(err))).Inc()
	})
}
