package kafka

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// Credentials are what a mechanism needs of SASL.
type Credentials string

// The credentials.
const (
	CredentialsPassword Credentials = "password" // User and Password
	CredentialsToken    Credentials = "token"    // Token
	CredentialsAWS      Credentials = "aws"      // Token, which is signed with the credentials of AWS
)

// Mechanism is an authentication mechanism that this package supports.
type Mechanism struct {
	Name  string // in SASL.Mechanism
	Wire  string // in the protocol
	Needs Credentials

	start func(SASL, Mechanism) sasl.Mechanism
}

// Mechanisms returns all supported mechanisms.
func Mechanisms() []Mechanism {
	return []Mechanism{
		{"plain", "PLAIN", CredentialsPassword, func(s SASL, m Mechanism) sasl.Mechanism { return plainMechanism{m.Wire, s} }},
		{"scram-sha-256", "SCRAM-SHA-256", CredentialsPassword, func(s SASL, m Mechanism) sasl.Mechanism { return scramMechanism{s, m.Wire, sha256.New} }},
		{"scram-sha-512", "SCRAM-SHA-512", CredentialsPassword, func(s SASL, m Mechanism) sasl.Mechanism { return scramMechanism{s, m.Wire, sha512.New} }},
		{"oauthbearer", "OAUTHBEARER", CredentialsToken, func(s SASL, m Mechanism) sasl.Mechanism { return bearerMechanism{m.Wire, s} }},
		// Of the two mechanisms of Amazon MSK, the other (AWS_MSK_IAM) does the same with a message of its own.
		{"aws-msk-iam", "OAUTHBEARER", CredentialsAWS, func(s SASL, m Mechanism) sasl.Mechanism { return bearerMechanism{m.Wire, s} }},
	}
}

// mechanism returns nil for no authentication.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil //nolint:nilnil // no authentication
	}
	var names []string
	for _, m := range Mechanisms() {
		names = append(names, m.Name)
		switch {
		case m.Name != s.Mechanism:
		case m.Needs == CredentialsPassword && s.Password == nil:
			return nil, fmt.Errorf("mechanism %s needs a source of its password", m.Name)
		case m.Needs != CredentialsPassword && s.Token == nil:
			return nil, fmt.Errorf("mechanism %s needs a source of its token", m.Name)
		default:
			return m.start(s, m), nil
		}
	}
	return nil, fmt.Errorf("mechanism %q is not one of %s", s.Mechanism, strings.Join(names, ", "))
}

// plainMechanism is RFC 4616.
type plainMechanism struct {
	name   string
	config SASL
}

// Name returns the name of the mechanism.
func (m plainMechanism) Name() string { return m.name }

// Start reads the current password.
func (m plainMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	password, err := m.config.Password(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read password: %w", err)
	}
	return plain.Mechanism{Username: m.config.User, Password: password}.Start(ctx)
}

// scramMechanism is SCRAM without channel binding (RFC 5802, RFC 7677). kafka-go's implementation was rejected because it needs another
// module, and the password at start. User names and passwords are not normalised with SASLprep, which would not change ASCII.
type scramMechanism struct {
	config SASL
	name   string
	hash   func() hash.Hash
}

// Name returns the name of the mechanism.
func (m scramMechanism) Name() string { return m.name }

// Start returns the client-first message.
func (m scramMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	password, err := m.config.Password(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("read password: %w", err)
	}
	user := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(m.config.User)
	c := &scramConversation{hash: m.hash, password: password, nonce: rand.Text()}
	c.first = "n=" + user + ",r=" + c.nonce
	return c, []byte("n,," + c.first), nil
}

type scramConversation struct {
	hash            func() hash.Hash
	password        string
	nonce, first    string
	serverSignature []byte // expected; set once the proof is sent
	verified        bool
}

// maxScramIterations bounds the work that a malicious server can cause.
const maxScramIterations = 1 << 20

// Next answers the server-first message with the client proof, and verifies the server signature.
func (c *scramConversation) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	if c.verified {
		return true, nil, nil
	}
	fields := map[byte]string{}
	for f := range strings.SplitSeq(string(challenge), ",") {
		if len(f) < 2 || f[1] != '=' {
			return false, nil, errors.New("scram: malformed message from the server")
		}
		fields[f[0]] = f[2:]
	}
	if fields['e'] != "" {
		return false, nil, fmt.Errorf("%w: scram: rejected by the server", CodeSASLAuthenticationFailed)
	}
	if c.serverSignature != nil {
		got, err := base64.StdEncoding.DecodeString(fields['v'])
		if err != nil || !hmac.Equal(got, c.serverSignature) {
			return false, nil, fmt.Errorf("%w: scram: the server does not know the password", CodeSASLAuthenticationFailed)
		}
		c.verified = true
		return true, nil, nil
	}
	salt, err := base64.StdEncoding.DecodeString(fields['s'])
	if err != nil {
		return false, nil, errors.New("scram: malformed salt")
	}
	n, err := strconv.Atoi(fields['i'])
	if err != nil || n < 1 || n > maxScramIterations || !strings.HasPrefix(fields['r'], c.nonce) || fields['r'] == c.nonce {
		return false, nil, errors.New("scram: malformed first message from the server")
	}
	salted, err := pbkdf2.Key(c.hash, c.password, salt, n, c.hash().Size())
	c.password = ""
	if err != nil {
		return false, nil, fmt.Errorf("scram: derive key: %w", err)
	}
	final := "c=biws,r=" + fields['r']
	signed := c.first + "," + string(challenge) + "," + final
	clientKey := c.mac(salted, "Client Key")
	h := c.hash()
	h.Write(clientKey)
	proof := c.mac(h.Sum(nil), signed)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.serverSignature = c.mac(c.mac(salted, "Server Key"), signed)
	return false, []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

func (c *scramConversation) mac(key []byte, message string) []byte {
	h := hmac.New(c.hash, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

// bearerMechanism is OAUTHBEARER (RFC 7628, KIP-255).
type bearerMechanism struct {
	name   string
	config SASL
}

// Name returns the name of the mechanism.
func (m bearerMechanism) Name() string { return m.name }

// Start reads the current token and returns the only message of the client. Extensions are sorted, for tests.
func (m bearerMechanism) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	token, err := m.config.Token(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("get token: %w", err)
	}
	const separator = "\x01"
	parts := []string{"n,,", "auth=Bearer " + token}
	for _, name := range slices.Sorted(maps.Keys(m.config.Extensions)) {
		parts = append(parts, name+"="+m.config.Extensions[name])
	}
	return new(bearerConversation), []byte(strings.Join(parts, separator) + separator + separator), nil
}

type bearerConversation struct{ rejection []byte }

// Next ends the conversation. A broker that rejects the token says why in a challenge of JSON; it reports the failure only after the
// client has acknowledged that.
func (c *bearerConversation) Next(_ context.Context, challenge []byte) (bool, []byte, error) {
	switch {
	case c.rejection != nil:
		return false, nil, fmt.Errorf("%w: oauthbearer: the token was rejected: %q", CodeSASLAuthenticationFailed, c.rejection)
	case len(challenge) == 0:
		return true, nil, nil
	}
	c.rejection = challenge
	return false, []byte{1}, nil
}
