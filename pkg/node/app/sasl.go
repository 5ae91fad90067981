package app

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/kafka/bearer"
	"github.com/mainstay/mainstay/pkg/node/config"
)

// saslSource returns the credentials of the mechanism, each read again when it is needed.
func saslSource(c config.SASL, now func() time.Time) kafka.SASL {
	s := kafka.SASL{
		Mechanism: c.Mechanism, User: c.User, Extensions: c.OAuth.Extensions,
		Password: func(context.Context) (string, error) { return c.Password.Read() },
	}
	switch {
	case c.AWSRegion != "":
		s.Token = bearer.MSK(c.AWSRegion, bearer.AWS{}, now)
	case c.OAuth.TokenFile != "":
		s.Token = bearer.File(c.OAuth.TokenFile)
	case c.OAuth.TokenURL != "":
		client := bearer.Client{TokenURL: c.OAuth.TokenURL, ID: c.OAuth.ClientID, Secret: c.OAuth.ClientSecret.Read, Scopes: c.OAuth.Scopes}
		if c.OAuth.CAFile != "" {
			client.TLS = func() (*tls.Config, error) {
				return readTLS(config.TLS{CAFile: c.OAuth.CAFile}, "kafka.sasl.oauth")
			}
		}
		s.Token = bearer.ClientCredentials(client, now)
	}
	return s
}
