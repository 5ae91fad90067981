package bearer_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/kafka/bearer"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	source := bearer.File(path)
	_, err := source(t.Context())
	require.ErrorContains(t, err, "read the token")
	write(t, path, " first\n")
	require.Equal(t, "first", get(t, source))
	write(t, path, "second")
	require.Equal(t, "second", get(t, source))
	write(t, path, "\n")
	_, err = source(t.Context())
	require.ErrorContains(t, err, "is empty")
}

func get(t *testing.T, source bearer.Source) string {
	t.Helper()
	token, err := source(t.Context())
	require.NoError(t, err)
	return token
}

func TestClientCredentials(t *testing.T) {
	var mu sync.Mutex
	asked, status, secret, lifetime := 0, http.StatusOK, "s3cret", 3600
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked++
		id, password, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case status != http.StatusOK:
			w.WriteHeader(status)
			_, _ = fmt.Fprintf(w, `{"error":"invalid_client","error_description":"you sent %s"}`, password)
		case id != "mainstay" || password != secret || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "kafka read":
			w.WriteHeader(http.StatusBadRequest)
		default:
			_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":%d}`, asked, lifetime)
		}
	}))
	defer provider.Close()
	c := &clock{time.Now()}
	source := bearer.ClientCredentials(bearer.Client{
		TokenURL: provider.URL, ID: "mainstay", Secret: func() (string, error) { return secret, nil }, Scopes: []string{"kafka", "read"},
	}, c.now)
	require.Equal(t, "token-1", get(t, source))
	c.at = c.at.Add(47 * time.Minute)
	require.Equal(t, "token-1", get(t, source), "it has a fifth of its life left")

	c.at = c.at.Add(2 * time.Minute)
	mu.Lock()
	secret = "rotated"
	mu.Unlock()
	require.Equal(t, "token-2", get(t, source), "with the secret of now")

	c.at = c.at.Add(50 * time.Minute)
	mu.Lock()
	status = http.StatusUnauthorized
	mu.Unlock()
	require.Equal(t, "token-2", get(t, source), "the provider fails, and the token is still valid")
	c.at = c.at.Add(20 * time.Minute)
	_, err := source(t.Context())
	require.ErrorContains(t, err, `fetch a token from `+provider.URL+`: the provider answers 401 Unauthorized: "invalid_client"`)
	require.NotContains(t, err.Error(), secret)

	mu.Lock()
	status, lifetime, asked = http.StatusOK, 0, 10
	mu.Unlock()
	require.Equal(t, "token-11", get(t, source))
	require.Equal(t, "token-12", get(t, source), "a token without a lifetime is used once")

	provider.Close()
	_, err = source(t.Context())
	require.ErrorContains(t, err, "connection refused")
	ended, end := context.WithCancelCause(t.Context())
	end(errors.New("enough"))
	_, err = source(ended)
	require.Error(t, err)
}

// One fetch serves the connections that are opened at the same time.
func TestTokenIsFetchedOnce(t *testing.T) {
	var asked sync.Map
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.RemoteAddr, true)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"t","expires_in":60}`)
	}))
	defer provider.Close()
	source := bearer.ClientCredentials(bearer.Client{TokenURL: provider.URL, ID: "i", Secret: func() (string, error) { return "s", nil }}, (&clock{time.Now()}).now)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if token, err := source(t.Context()); err != nil || token != "t" {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	wg.Wait()
	n := 0
	asked.Range(func(any, any) bool { n++; return true })
	require.Equal(t, 1, n)
}

// issuer plays the places where a program in AWS finds its credentials.
func issuer(t *testing.T) *httptest.Server {
	t.Helper()
	const credentials = `{"AccessKeyId":"AKIA-%s","SecretAccessKey":"secret","Token":"session","Expiration":"2026-01-02T04:00:00Z"}`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost && r.FormValue("WebIdentityToken") == "identity" && r.FormValue("RoleArn") == "arn:role":
			_, _ = fmt.Fprint(w, `{"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":`+
				`{"AccessKeyId":"AKIA-WEB","SecretAccessKey":"secret","SessionToken":"session","Expiration":1.7673264E9}}}}`)
		case r.URL.Path == "/container" && r.Header.Get("Authorization") == "pod":
			_, _ = fmt.Fprintf(w, credentials, "CONTAINER")
		case r.URL.Path == "/latest/api/token" && r.Method == http.MethodPut && r.Header.Get("X-aws-ec2-metadata-token-ttl-seconds") != "":
			_, _ = fmt.Fprint(w, "metadata-token")
		case r.Header.Get("X-aws-ec2-metadata-token") != "metadata-token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			_, _ = fmt.Fprint(w, "the-role")
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/the-role":
			_, _ = fmt.Fprintf(w, credentials, "INSTANCE")
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestMSK(t *testing.T) {
	s := issuer(t)
	identity, pod := filepath.Join(t.TempDir(), "identity"), filepath.Join(t.TempDir(), "pod")
	write(t, identity, "identity\n")
	write(t, pod, "pod\n")
	for name, test := range map[string]struct {
		env     map[string]string
		session string
	}{
		"ENV":       {map[string]string{"AWS_ACCESS_KEY_ID": "AKIA-ENV", "AWS_SECRET_ACCESS_KEY": "secret"}, ""},
		"WEB":       {map[string]string{"AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": identity}, "session"},
		"CONTAINER": {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.URL + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": pod}, "session"},
		"INSTANCE":  {nil, "session"},
	} {
		t.Run(name, func(t *testing.T) {
			c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
			source := bearer.MSK("eu-west-1", bearer.AWS{Getenv: func(n string) string { return test.env[n] }, STS: s.URL, Metadata: s.URL}, c.now)
			token := get(t, source)
			c.at = c.at.Add(11 * time.Minute)
			require.Equal(t, token, get(t, source), "four fifths of a quarter of an hour")
			c.at = c.at.Add(2 * time.Minute)
			require.NotEqual(t, token, get(t, source))

			signed, err := base64.RawURLEncoding.DecodeString(token)
			require.NoError(t, err)
			at, err := url.Parse(string(signed))
			require.NoError(t, err)
			q := at.Query()
			require.Equal(t, "https://kafka.eu-west-1.amazonaws.com/", at.Scheme+"://"+at.Host+at.Path)
			require.Equal(t, []string{"kafka-cluster:Connect", "900", "AKIA-" + name + "/20260102/eu-west-1/kafka-cluster/aws4_request", test.session, "mainstay"},
				[]string{q.Get("Action"), q.Get("X-Amz-Expires"), q.Get("X-Amz-Credential"), q.Get("X-Amz-Security-Token"), q.Get("User-Agent")})
			require.Equal(t, signature(at, "secret"), q.Get("X-Amz-Signature"))
		})
	}
}

// signature is AWS Signature Version 4 of a presigned request without a body, as its documentation describes it.
func signature(at *url.URL, secret string) string {
	q := at.Query()
	q.Del("X-Amz-Signature")
	q.Del("User-Agent") // is added after signing
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	sum := func(text string) string {
		h := sha256.Sum256([]byte(text))
		return hex.EncodeToString(h[:])
	}
	canonical := strings.Join([]string{"GET", "/", strings.ReplaceAll(q.Encode(), "+", "%20"), "host:" + at.Host + "\n", "host", sum("")}, "\n")
	scope := strings.SplitN(q.Get("X-Amz-Credential"), "/", 2)[1]
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, strings.Join([]string{"AWS4-HMAC-SHA256", q.Get("X-Amz-Date"), scope, sum(canonical)}, "\n")))
}

func TestMSKWithoutCredentials(t *testing.T) {
	s := issuer(t)
	identity := filepath.Join(t.TempDir(), "identity")
	write(t, identity, "identity")
	for want, test := range map[string]struct {
		env  map[string]string
		path string
	}{
		"neither AWS_ACCESS_KEY_ID, a web": {nil, "/nothing"},
		"401 Unauthorized":                 {map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": s.URL + "/container"}, ""},
		"assume the role arn:other":        {map[string]string{"AWS_ROLE_ARN": "arn:other", "AWS_WEB_IDENTITY_TOKEN_FILE": identity}, ""},
		"credentials of AWS: read the":     {map[string]string{"AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": "/none"}, ""},
	} {
		_, err := bearer.MSK("eu-west-1", bearer.AWS{Getenv: func(n string) string { return test.env[n] }, STS: s.URL, Metadata: s.URL + test.path}, time.Now)(t.Context())
		require.ErrorContains(t, err, want)
	}
}
