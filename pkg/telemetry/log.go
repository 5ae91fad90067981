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

// NewLogger writes lines with ts (RFC 3339, UTC), level and msg to w. The format is "json" or "console", the level
// "debug", "info", "warn" or "error"; the returned level can be changed while the process runs.
func NewLogger(w io.Writer, format, level string) (*zap.Logger, zap.AtomicLevel, error) {
	var at zapcore.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, zap.AtomicLevel{}, fmt.Errorf("log.level: %w", err)
	}
	atomic := zap.NewAtomicLevelAt(at)
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
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), atomic)), atomic, nil
}

// Customers names customers in logs: by a hash that only who holds the key can compute from an id.
type Customers struct {
	key []byte
}

// NewCustomers takes the key; without one it makes a random one, so that hashes compare within this process only.
func NewCustomers(key string) *Customers {
	if key != "" {
		return &Customers{key: []byte(key)}
	}
	random := make([]byte, sha256.Size)
	_, _ = rand.Read(random) // never fails
	return &Customers{key: random}
}

// Field is the customer in a line of the log. The hash is computed only if the line is written.
func (c *Customers) Field(id string) zap.Field { return zap.Stringer("customer", hashed{c, id}) }

// Hash is the first 16 hexadecimal digits of the id's HMAC-SHA256.
func (c *Customers) Hash(id string) string {
	mac := hmac.New(sha256.New, c.key)
	_, _ = io.WriteString(mac, id)
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

type hashed struct {
	customers *Customers
	id        string
}

func (h hashed) String() string { return h.customers.Hash(h.id) }
