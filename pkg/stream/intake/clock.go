package intake

import "time"

// clock is the time of the ledger: the append time in the broker's last answer plus the monotonic time since. The machine's
// wall clock was rejected: one that is ahead would fire deadlines that are not due.
type clock struct {
	appended int64 // ms
	since    time.Time
}

// learn takes the append time of a batch that was acknowledged now. It is never ahead of the broker's time, and behind it by
// the time that the answer took; so the greater of two times is the more precise one, and the clock never goes back.
func (c *clock) learn(appended int64, now time.Time) {
	if appended > c.now(now) {
		c.appended, c.since = appended, now
	}
}

// now is in ms since the Unix epoch; 0 before the first acknowledgement.
func (c *clock) now(now time.Time) int64 {
	if c.appended == 0 {
		return 0
	}
	//mutant:machine-clock replace return now.UnixMilli()
	return c.appended + now.Sub(c.since).Milliseconds()
}
