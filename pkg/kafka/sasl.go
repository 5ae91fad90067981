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
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
)

// mechanism returns nil for no authentication.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil //nolint:nilnil // kafka-go's value for no authentication
	}
	if s.Password == nil {
		return nil, errors.New("no password source")
	}
	switch s.Mechanism {
	case "plain":
		return plainMechanism{s}, nil
	case "scram-sha-256":
		return scramMechanism{s, "SCRAM-SHA-256", sha256.New}, nil
	case "scram-sha-512":
		return scramMechanism{s, "SCRAM-SHA-512", sha512.New}, nil
	default:
		return nil, fmt.Errorf("mechanism %q is not one of plain, scram-sha-256, scram-sha-512", s.Mechanism)
	}
}

type plainMechanism struct{ config SASL }

// Name returns the name of the mechanism (RFC 4616).
func (plainMechanism) Name() string { return "PLAIN" }

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
