package deliver

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
)

const (
	// leastAttempts are made even if an output is older than give_up_after already, after a pause or an outage of this process.
	leastAttempts = 5
	// longestRefrain bounds what a receiver may demand with Retry-After.
	longestRefrain = time.Hour
)

// work sends the deliveries of one queue, one after the other.
func (c *claim) work(ctx context.Context, q *queue) {
	for {
		d, ok := q.next()
		if !ok {
			return
		}
		outcome := c.deliver(ctx, d)
		if outcome == "" {
			return // the rest of the queue is not begun: it would overtake this one
		}
		c.of.metrics.Outputs.WithLabelValues(c.Name, outcome).Inc()
		d.done.Store(true)
	}
}

// deliver tries until the receiver takes the delivery, or it is in the dead letters, and returns the outcome; "" if the claim ends before.
func (c *claim) deliver(ctx context.Context, d *delivery) string {
	if d.message == nil {
		return c.bury(ctx, d, reasonUnreadable, destination.ErrUnreadable.Error())
	}
	body, contentType, err := c.Body(d.message)
	if err != nil {
		return c.bury(ctx, d, reasonTemplate, "the template fails: "+err.Error())
	}
	for attempts := 1; ; attempts++ {
		if !c.ready(ctx) {
			return ""
		}
		began := c.of.cfg.Now()
		//mutant:id-by-attempt insert d.id = d.id[:35] + string(rune('a'+attempts%26))
		answer := c.sender.Send(ctx, d.id, body, contentType)
		now := c.of.cfg.Now()
		c.of.metrics.Duration.Observe(now.Sub(began).Seconds())
		if ctx.Err() != nil && answer.Result != OK {
			return "" // the request was cancelled with the generation: that says nothing of the receiver
		}
		c.of.metrics.Attempts.WithLabelValues(c.Name, string(answer.Result)).Inc()
		switch {
		case answer.Result == OK:
			return delivered
		case answer.Result == Refused:
			return c.bury(ctx, d, answer.reason(), answer.Err.Error())
		case attempts >= leastAttempts && now.Sub(d.published()) > c.Retry.GiveUpAfter:
			return c.bury(ctx, d, answer.reason(), answer.Err.Error()+"; given up after "+c.Retry.GiveUpAfter.String())
		}
		c.failed(string(answer.Result), answer.Err, zap.String("id", d.id), c.of.cfg.Customers.Field(string(d.record.Key)))
		//mutant:retry-after-ignored if false && $
		if answer.RetryAfter > 0 {
			c.limit.refrain(now.Add(min(answer.RetryAfter, longestRefrain)))
		}
		if !c.consumer.Pause(ctx, backOff(c.Retry, attempts, c.of.cfg.Random)) {
			return ""
		}
	}
}

// ready waits until the destination may get a request: it is not paused, the receiver did not ask to wait, and the rate is kept.
func (c *claim) ready(ctx context.Context) bool {
	for c.of.control.paused(c.Name) {
		if !c.consumer.Pause(ctx, lookEvery) {
			return false
		}
	}
	for {
		wait := c.limit.take(c.of.cfg.Now())
		if wait <= 0 {
			return !c.drained() && ctx.Err() == nil
		}
		if !c.consumer.Pause(ctx, wait) {
			return false
		}
	}
}

// backOff returns the pause after an attempt that failed: between half of it and the whole is random, so that the workers of all
// processes do not come back at once.
func backOff(r destination.Retry, attempts int, random func() uint64) time.Duration {
	const mostDoublings = 30
	pause := min(r.First<<min(attempts-1, mostDoublings), r.Longest)
	if pause <= 0 { // the shift has overflowed
		pause = r.Longest
	}
	half := pause / 2
	return half + time.Duration(random()%uint64(half+1)) //nolint:gosec // of a positive duration
}

// bury writes a delivery to the dead letters, and repeats that until Kafka has acknowledged it.
func (c *claim) bury(ctx context.Context, d *delivery, reason, message string) string {
	for {
		err := c.letters.write(ctx, d, reason, message, c.of.cfg.Now())
		if err == nil {
			c.log.Log(c.level(reason), "dead letter: the output is not delivered", zap.String("reason", reason), zap.String("error", message), zap.String("id", d.id),
				zap.String("topic", d.from.topic), zap.Int32("partition", d.from.partition), zap.Int64("offset", d.from.offset), c.of.cfg.Customers.Field(string(d.record.Key)))
			return deadLetter
		}
		if ctx.Err() != nil {
			return ""
		}
		c.failed("dead_letters", err)
		if !c.consumer.Pause(ctx, time.Second) {
			return ""
		}
	}
}

// limit is the rate of a destination, and the time before which its receiver does not want a request.
type limit struct {
	perSecond float64

	mu        sync.Mutex
	free      time.Time // when the next request may be sent
	notBefore time.Time
}

// take returns 0 and counts a request, or how long to wait before asking again.
func (l *limit) take(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := max(l.free.Sub(now), l.notBefore.Sub(now)); wait > 0 {
		return wait
	}
	l.free = now.Add(time.Duration(float64(time.Second) / l.perSecond))
	return 0
}

func (l *limit) refrain(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until.After(l.notBefore) {
		l.notBefore = until
	}
}
