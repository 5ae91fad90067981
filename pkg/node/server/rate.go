package server

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// rates bound how often customers are read with one token; without tokens all clients share a rate. So a program that asks in a loop
// slows down itself, and not the pages of others.
type rates struct {
	perSecond float64 // 0: unlimited
	now       func() time.Time

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by the hash of a token that was accepted, so there are as many as tokens
}

// Per second's rate, so many requests may come at once.
const burstSeconds = 2

// allow reports whether a request may be served. If not, it returns after how many seconds one will be.
func (l *rates) allow(token string) (retryAfter int, ok bool) {
	if l == nil || l.perSecond == 0 {
		return 0, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	limiter := l.limiters[token]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(l.perSecond), max(1, int(burstSeconds*l.perSecond)))
		l.limiters[token] = limiter
	}
	now := l.now()
	//mutant:rate-is-not-limited insert return 0, true
	if limiter.AllowN(now, 1) {
		return 0, true
	}
	missing := 1 - limiter.TokensAt(now)
	return max(1, int(math.Ceil(missing/l.perSecond))), false
}

// limited answers requests that come too often with 429 (RFC 6585).
func (a *access) limited(w http.ResponseWriter, r *http.Request, who client, token string, scope Scope, next http.Handler) {
	if scope == ScopeCustomers || scope == ScopeMarks {
		if after, ok := a.rates.allow(token); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(after))
			refuse(w, who, http.StatusTooManyRequests, "too_many_requests", "", "more requests than http.requests_per_second; wait as Retry-After says")
			return
		}
	}
	next.ServeHTTP(w, r)
}
