package telemetry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// NewLogger returns a logger that writes lines with ts (RFC 3339, UTC, ms), level and msg to w. The format is "json" or "console", the
// level "debug", "info", "warn" or "error"; the returned level can be changed at run time. The error names the setting that is wrong.
func NewLogger(w io.Writer, format, level string) (*zap.Logger, zap.AtomicLevel, error) {
	var minimum zapcore.Level
	if err := minimum.UnmarshalText([]byte(level)); err != nil {
		return nil, zap.AtomicLevel{}, fmt.Errorf("log.level: %w", err)
	}
	atomic := zap.NewAtomicLevelAt(minimum)
	enc := zapcore.EncoderConfig{
		TimeKey: "ts", LevelKey: "level", MessageKey: "msg", NameKey: "logger", StacktraceKey: "stacktrace",
		LineEnding: zapcore.DefaultLineEnding,
		EncodeTime: func(t time.Time, to zapcore.PrimitiveArrayEncoder) {
			to.AppendString(t.UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		},
		EncodeLevel:    zapcore.LowercaseLevelEncoder,
		EncodeDuration: zapcore.SecondsDurationEncoder,
	}
	var encoder zapcore.Encoder
	switch format {
	case "json":
		encoder = zapcore.NewJSONEncoder(enc)
	case "console":
		encoder = zapcore.NewConsoleEncoder(enc)
	default:
		return nil, zap.AtomicLevel{}, fmt.Errorf("log.format: %q is neither json nor console", format)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(escapingWriter{w})), atomic)), atomic, nil
}

// CustomerHasher identifies customers in logs by a keyed hash of their ids, so that logs contain no ids. An operator who has the key
// finds the lines of a given customer by computing the hash:
//
//	printf %s ID | openssl dgst -sha256 -hmac KEY | sed 's/.*= //' | cut -c 1-16
type CustomerHasher struct {
	key []byte
}

// NewCustomerHasher returns a hasher with the key (setting log.customer_key). Without a key it uses a random one, so that hashes of
// different processes and runs cannot be compared.
func NewCustomerHasher(key string) *CustomerHasher {
	if key != "" {
		return &CustomerHasher{key: []byte(key)}
	}
	random := make([]byte, sha256.Size)
	_, _ = rand.Read(random) // never fails
	return &CustomerHasher{key: random}
}

// Field returns the log field "customer", or no field for an empty id. The hash is computed only if the line is written.
func (c *CustomerHasher) Field(id string) zap.Field {
	if id == "" {
		return zap.Skip()
	}
	return zap.Stringer("customer", hashedCustomer{c, id})
}

// Hash returns the first 16 hexadecimal digits of the id's HMAC-SHA256 (RFC 2104).
func (c *CustomerHasher) Hash(id string) string {
	mac := hmac.New(sha256.New, c.key)
	_, _ = io.WriteString(mac, id)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

type hashedCustomer struct {
	hasher *CustomerHasher
	id     string
}

func (h hashedCustomer) String() string { return h.hasher.Hash(h.id) }
