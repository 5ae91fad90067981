package consumer

import (
	"time"

	"go.uber.org/zap/zapcore"
)

// Complaints decides which of the failures of one thing that is tried again are logged as a warning: the first, the first of another
// cause, and one a minute. The others are logged at debug: an outage of hours would fill the log. The zero value is ready to use. It is
// used by one goroutine.
type Complaints struct {
	cause  string
	logged time.Time
	began  time.Time
	failed int
}

// Failed counts a failure and returns the level at which it is logged.
func (c *Complaints) Failed(cause string, now time.Time) zapcore.Level {
	const every = time.Minute
	if c.failed == 0 {
		c.began = now
	}
	c.failed++
	if c.failed > 1 && cause == c.cause && now.Sub(c.logged) < every {
		return zapcore.DebugLevel
	}
	c.cause, c.logged = cause, now
	return zapcore.WarnLevel
}

// Failures returns how many failures there were in a row.
func (c *Complaints) Failures() int { return c.failed }

// Over ends the row of failures and returns how long it lasted and how many there were; 0 if there were none.
func (c *Complaints) Over(now time.Time) (lasted time.Duration, failed int) {
	if c.failed == 0 {
		return 0, 0
	}
	lasted, failed = now.Sub(c.began), c.failed
	*c = Complaints{}
	return lasted, failed
}
