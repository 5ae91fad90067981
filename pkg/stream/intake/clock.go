package intake

import "time"

// clock tells the time of the ledger: the append time in the broker's last answer, and the monotonic time that has passed
// since. The machine's own clock is never read: one that runs ahead would fire deadlines that are not due.
type clock struct {
	at    int64 // ms
	since time.Time
}

// learn takes the append time of a batch that was acknowledged just now. What it says is never ahead of the broker's time,
// and behind it by as long as the answer took; so of two, the later is the better one, and the clock never goes back.
func (c *clock) learn(appended int64, now time.Time) {
	if appended > c.now(now) {
		c.at, c.since = appended, now
	}
}

// now is in ms since the Unix epoch; 0 before anything was learned.
func (c *clock) now(now time.Time) int64 {
	if c.at == 0 {
		return 0
	}
	//mutant:machine-clock replace return now.UnixMilli()
	return c.at + now.Sub(c.since).Milliseconds()
}
