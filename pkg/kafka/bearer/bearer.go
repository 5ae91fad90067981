// Package bearer owns where the tokens of SASL OAUTHBEARER come from: a file that something else keeps up to date, the token endpoint of
// an identity provider (OAuth 2.0 client credentials, KIP-768), or AWS, whose tokens for Amazon MSK are signed locally.
//
// It refuses to look into tokens, and to put them or the credentials that they cost into errors.
package bearer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Source returns the token of one authentication. It is safe for concurrent use. An error may pass: trying again can help.
type Source func(ctx context.Context) (string, error)

// File returns the content of a file, without white space around it, which it reads at each call.
func File(path string) Source {
	return func(context.Context) (string, error) {
		b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("read the token: the file %s is empty", path)
		}
		return token, nil
	}
}

// Client is a client of an identity provider.
type Client struct {
	TokenURL string
	ID       string
	Secret   func() (string, error) // called for each token, so that the secret can be rotated
	Scopes   []string
	TLS      func() (*tls.Config, error) // nil: the system's certificates
}

// ClientCredentials fetches tokens from the provider. A token serves all authentications until 80% of its lifetime have passed, and
// until its end where the provider does not answer; one without a stated lifetime serves a single authentication.
func ClientCredentials(c Client, now func() time.Time) Source {
	return reuse(now, func(ctx context.Context) (string, time.Duration, error) {
		secret, err := c.Secret()
		if err != nil {
			return "", 0, fmt.Errorf("read the client secret: %w", err)
		}
		transport := &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{}).DialContext, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		}
		if c.TLS != nil {
			if transport.TLSClientConfig, err = c.TLS(); err != nil {
				return "", 0, err
			}
		}
		ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: transport})
		// KIP-768 sends the credentials in the header; the library would otherwise find out by two requests for each token.
		token, err := (&clientcredentials.Config{
			ClientID: c.ID, ClientSecret: secret, TokenURL: c.TokenURL, Scopes: c.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
		}).Token(ctx)
		if err != nil {
			return "", 0, fmt.Errorf("fetch a token from %s: %w", c.TokenURL, withoutBody(err))
		}
		if token.Expiry.IsZero() {
			return token.AccessToken, 0, nil
		}
		return token.AccessToken, time.Until(token.Expiry), nil // the library has added it to the machine's clock
	})
}

// withoutBody drops what a provider answered but for the code of the error, since it may quote the request.
func withoutBody(err error) error {
	if rejected, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		code := rejected.ErrorCode
		if code == "" {
			code = "no error code"
		}
		return fmt.Errorf("the provider answers %s: %q", rejected.Response.Status, code)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// reuse keeps a token until 80% of its lifetime have passed. Callers that come meanwhile wait for one fetch.
func reuse(now func() time.Time, fetch func(context.Context) (token string, lifetime time.Duration, err error)) Source {
	turn := make(chan struct{}, 1)
	var token string
	var renew, expires time.Time
	return func(ctx context.Context) (string, error) {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
		defer func() { <-turn }()
		asked := now()
		if asked.Before(renew) {
			return token, nil
		}
		fetched, lifetime, err := fetch(ctx)
		switch {
		case err == nil:
			token, renew, expires = fetched, asked.Add(lifetime*8/10), asked.Add(lifetime)
		case !asked.Before(expires):
			return "", err
		}
		return token, nil
	}
}
