package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/mainstay/mainstay/pkg/node/config"
)

// tlsSource returns a function that reads the certificates again for each connection, so that they can be rotated without a restart, as
// passwords can: connections that exist keep theirs. A file that cannot be read now is an error at once, not at the first connection.
func tlsSource(t config.TLS, setting string) (func() (*tls.Config, error), error) {
	if !t.Enabled {
		return nil, nil //nolint:nilnil // plain text
	}
	read := func() (*tls.Config, error) { return readTLS(t, setting) }
	if _, err := read(); err != nil {
		return nil, err
	}
	return read, nil
}

func readTLS(t config.TLS, setting string) (*tls.Config, error) {
	c := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", setting, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s holds no certificate in PEM form", setting, t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", setting, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
