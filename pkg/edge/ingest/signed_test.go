package ingest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/edge/ingest"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/node/server"
)

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Who bears a signature needs no token, and where there is a secret nobody gets in without either.
func TestSignedWebhooks(t *testing.T) {
	body := vendorBody(t, "woocommerce", "order")
	key := "of the webhook"
	tokens := filepath.Join(t.TempDir(), "tokens.yaml")
	entries, err := yaml.Marshal([]server.Token{server.NewToken("shop", "right", []server.Scope{server.ScopeEvents})})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(tokens, entries, 0o600))
	unreadable := false
	for name, file := range map[string]string{"with tokens": tokens, "without": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *options) {
				o.server.TokensFile = file
				o.secrets = map[string]func() (string, error){"woocommerce": func() (string, error) {
					if unreadable {
						return "", errors.New("unreadable")
					}
					return key, nil
				}}
			})
			const path, header = purchases + "?format=woocommerce", "X-WC-Webhook-Signature"
			require.Equal(t, http.StatusOK, w.post(path, string(body), header, signature(key, body)).status)
			wrong := w.post(path, string(body), header, signature("guessed", body))
			require.Equal(t, response{status: 401, Type: "urn:mainstay:problem:signature", Detail: "the signature is missing or wrong"}, wrong)
			require.Equal(t, wrong, w.post(path, string(body)), "nothing says what is wrong")
			require.Equal(t, wrong, w.post(path, "webhook_id=5", header, signature("guessed", body)))
			require.Equal(t, wrong, w.post(path, `{"webhook_id":5}`))
			packed := compress(t, string(body))
			require.Equal(t, 200, w.do(http.MethodPost, path, packed, header, signature(key, packed), "Content-Encoding", "gzip").status, "what is signed is what is sent")
			require.Len(t, onlyKey(t, w.written("purchases")), 2)

			// The ping with which WooCommerce tries a webhook is not signed, and the webhook is saved only if it is answered with 200.
			require.Equal(t, response{status: 200, Skipped: []map[string]any{}}, w.post(path, "webhook_id=5", "Content-Type", "application/x-www-form-urlencoded"))

			unreadable = true
			require.Equal(t, "unavailable", w.post(path, string(body), header, signature(key, body)).problem(), "the vendor tries again")
			unreadable = false

			if file != "" {
				require.Equal(t, 200, w.post(path, string(body), "Authorization", "Bearer right").status, "a token instead")
				require.Equal(t, "invalid_token", w.post(path, string(body), "Authorization", "Bearer wrong", header, signature(key, body)).problem())
				require.Equal(t, "no_token", w.post(purchases, "{}", header, signature(key, []byte("{}"))).problem(), "another format is not signed")
				require.Equal(t, "no_token", w.post(purchases+"?format=shopify", "{}", header, signature(key, []byte("{}"))).problem())
			}
		})
	}
}

func onlyKey(t *testing.T, written map[string][]string) []string {
	t.Helper()
	require.Len(t, written, 1)
	for _, values := range written {
		return values
	}
	return nil
}

// Each vendor whose signatures are checked has a setting for its secret, and a shipped format.
func TestEverySchemeHasASecret(t *testing.T) {
	var settings, schemes []string
	for f := range reflect.TypeFor[config.WebhookSecrets]().Fields() {
		settings = append(settings, f.Tag.Get("yaml"))
	}
	for _, s := range ingest.Schemes() {
		schemes = append(schemes, s.Format)
		require.NotNil(t, shippedFormat(t, s.Format))
	}
	require.Equal(t, schemes, settings)
}
