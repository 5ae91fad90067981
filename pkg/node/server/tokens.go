package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"
)

// Scope is what a token opens.
type Scope string

// The scopes.
const (
	ScopeMetrics   Scope = "metrics"   // /metrics
	ScopeStatus    Scope = "status"    // /status, /v1/status and the page /system
	ScopeCustomers Scope = "customers" // everything else under /v1/, and all other pages: personal data
	ScopeMarks     Scope = "marks"     // marking customers as done or snoozed: it changes the list of calls, and shows nothing
	ScopeEvents    Scope = "events"    // sending events to ingest.listen: it changes answers, and shows none
	ScopeProfile   Scope = "profile"   // pprof, on the admin listener
)

// Scopes returns all scopes.
func Scopes() []Scope {
	return []Scope{ScopeMetrics, ScopeStatus, ScopeCustomers, ScopeMarks, ScopeEvents, ScopeProfile}
}

// Token is an entry of the file of tokens, which is a YAML list. The file holds hashes, so reading it opens nothing. A hash without salt
// suffices, because a token is random and long, unlike a password.
type Token struct {
	Name   string  `yaml:"name"`   // for people: whose token it is
	SHA256 string  `yaml:"sha256"` // of the token, in hexadecimal digits
	Scopes []Scope `yaml:"scopes,flow"`
}

// TokenScheme describes tokens in documents of OpenAPI.
func TokenScheme() map[string]any {
	return map[string]any{"type": "http", "scheme": "bearer", "description": "Made with `mainstay token`; on loopback none is needed unless http.tokens_file is set."}
}

// NewToken returns the entry of a token.
func NewToken(name, token string, scopes []Scope) Token {
	sum := sha256.Sum256([]byte(token))
	return Token{Name: name, SHA256: hex.EncodeToString(sum[:]), Scopes: scopes}
}

// ParseTokens reads the content of a file of tokens.
func ParseTokens(content []byte) ([]Token, error) {
	var all []Token
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&all); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("must be a YAML list of entries with name, sha256 and scopes: %w", err)
	}
	for i, t := range all {
		sum, err := hex.DecodeString(t.SHA256)
		switch {
		case err != nil || len(sum) != sha256.Size:
			return nil, fmt.Errorf("entry %d (%s): sha256 must be %d hexadecimal digits", i+1, t.Name, 2*sha256.Size)
		case len(t.Scopes) == 0:
			return nil, fmt.Errorf("entry %d (%s): scopes must name at least one of %v", i+1, t.Name, Scopes())
		}
		for _, scope := range t.Scopes {
			if !slices.Contains(Scopes(), scope) {
				return nil, fmt.Errorf("entry %d (%s): scope %q is not one of %v", i+1, t.Name, scope, Scopes())
			}
		}
	}
	return all, nil
}

// tokenFile reads the file again when it has changed. While it cannot be read, no token is accepted: a file is changed to revoke tokens, too.
type tokenFile struct {
	path string
	log  *zap.Logger

	mu       sync.Mutex
	modified time.Time
	size     int64
	tokens   []Token
	err      error
}

func (f *tokenFile) load() ([]Token, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	state, err := os.Stat(f.path)
	if err == nil && f.err == nil && state.ModTime().Equal(f.modified) && state.Size() == f.size {
		return f.tokens, nil
	}
	var content []byte
	if err == nil {
		content, err = os.ReadFile(f.path)
	}
	var tokens []Token
	if err == nil {
		tokens, err = ParseTokens(content)
	}
	switch {
	case err != nil && f.err == nil:
		f.log.Error("no token is accepted: the file of tokens cannot be read", zap.String("setting", "http.tokens_file"), zap.String("file", f.path), zap.Error(err))
	case err == nil && !f.modified.IsZero():
		f.log.Info("read the file of tokens again", zap.String("file", f.path), zap.Int("tokens", len(tokens)))
	}
	f.tokens, f.err = tokens, err
	if err == nil {
		f.modified, f.size = state.ModTime(), state.Size()
	}
	return tokens, err
}

// find compares with every entry, and in constant time, so that the time of an answer says nothing about the hashes.
func find(tokens []Token, presented string) (found Token, ok bool) {
	want := NewToken("", presented, nil).SHA256
	for _, t := range tokens {
		//mutant:any-token-is-accepted if true || $
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(t.SHA256)), []byte(want)) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// access decides who may request what on one listener.
type access struct {
	tokens *tokenFile // nil: there are none
	closed bool       // without tokens, nobody may
	local  bool       // open to whoever reaches a loopback address
	rates  *rates     // nil: unlimited
}

// client is the kind of program that a route is for. It decides how a refusal is written, and how a token may be presented.
type client uint8

const (
	plain   client = iota // text; Authorization: Bearer TOKEN
	api                   // the refusal is a problem (RFC 9457)
	browser               // the token may be the password of HTTP basic authentication, which a browser asks its user for
)

// require lets a request pass that bears a token with a scope.
func (a *access) require(scope Scope, next http.Handler) http.Handler {
	return a.requireAs(plain, scope, next)
}

func (a *access) requireAs(who client, scope Scope, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, name, challenge, text string) { refuse(w, who, status, name, challenge, text) }
		if a.tokens == nil {
			//mutant:any-host-reads-customers insert scope = ScopeStatus
			switch {
			case a.closed:
				refuse(http.StatusUnauthorized, "no_tokens", "", "this address serves only /livez and /readyz, because it is not a loopback address and http.tokens_file is not set")
			case (scope == ScopeCustomers || scope == ScopeMarks || scope == ScopeEvents) && a.local && !localName(r.Host):
				refuse(http.StatusForbidden, "foreign_host", "", "without tokens this is served under localhost or an IP address only, so that no web page reaches it through a name of its own; set http.tokens_file, or http.allow_anonymous")
			default:
				a.limited(w, r, who, "", scope, next)
			}
			return
		}
		tokens, err := a.tokens.load()
		if err != nil {
			refuse(http.StatusInternalServerError, "tokens_unreadable", "", "the file of tokens cannot be read; see the log")
			return
		}
		presented, ok := presentedToken(who, r)
		if !ok {
			refuse(http.StatusUnauthorized, "no_token", "", "a bearer token is needed: Authorization: Bearer TOKEN")
			return
		}
		token, ok := find(tokens, presented)
		//mutant:scope-is-not-checked insert token.Scopes = Scopes()
		switch {
		case !ok:
			refuse(http.StatusUnauthorized, "invalid_token", `, error="invalid_token"`, "unknown token")
		case !slices.Contains(token.Scopes, scope):
			refuse(http.StatusForbidden, "insufficient_scope", `, error="insufficient_scope", scope="`+string(scope)+`"`, "the token lacks the scope "+string(scope))
		default:
			a.limited(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, Caller{token.Name, token.Scopes})), who, token.SHA256, scope, next)
		}
	})
}

// Caller is whose token a request bears.
type Caller struct {
	Name   string
	scopes []Scope // nil: the request needed no token
}

type callerKey struct{}

// CallerOf returns who has sent a request. Without tokens nobody is named, and everybody may do everything.
func CallerOf(r *http.Request) Caller {
	c, _ := r.Context().Value(callerKey{}).(Caller)
	return c
}

// May reports whether a request of the caller for a route of a scope would be served, so that nothing is offered that would be refused.
func (c Caller) May(scope Scope) bool { return c.scopes == nil || slices.Contains(c.scopes, scope) }

func presentedToken(who client, r *http.Request) (string, bool) {
	scheme, presented, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if presented = strings.TrimSpace(presented); strings.EqualFold(scheme, "Bearer") && presented != "" {
		return presented, true
	}
	if who != browser {
		return "", false
	}
	_, password, ok := r.BasicAuth()
	return password, ok && password != ""
}

// localName reports whether a request names this machine itself. A web page elsewhere can make its own name point to a loopback address,
// but it cannot make a browser send another name, nor an IP address (DNS rebinding).
func localName(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = strings.Trim(name, "[]")
	return name == "localhost" || net.ParseIP(name) != nil
}

// refuse answers as RFC 6750 says.
func refuse(w http.ResponseWriter, who client, status int, name, challenge, text string) {
	if status == http.StatusUnauthorized || challenge != "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="mainstay"`+challenge)
		if who == browser && status == http.StatusUnauthorized {
			w.Header().Add("WWW-Authenticate", `Basic realm="mainstay: any name, and a token as the password", charset="UTF-8"`)
		}
	}
	if who == api {
		WriteProblem(w, Problem{Name: name, Status: status, Detail: text})
		return
	}
	writeText(w, status, text+"\n")
}
