package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
)

// Result is what came of an attempt: a stable name for metrics and log.
type Result string

// The results. Only Refused concerns the delivery alone; all others but OK are tried again.
const (
	OK             Result = "ok"              // 2xx
	Refused        Result = "refused"         // 4xx but 408 and 429: the same body would be refused again
	RateLimited    Result = "rate_limited"    // 429
	ServerError    Result = "server_error"    // 5xx, 408
	Redirected     Result = "redirected"      // 3xx: the body is for the address that the operator named, and for no other
	TimedOut       Result = "timed_out"       // no answer within timeout
	Unreachable    Result = "unreachable"     // no connection, or it broke
	AddressRefused Result = "address_refused" // a private, link-local or loopback address without allow_private
	BadFile        Result = "bad_file"        // the file of a secret or an address cannot be read
)

// Results are all results.
func Results() []string {
	var names []string
	for _, r := range []Result{OK, Refused, RateLimited, ServerError, Redirected, TimedOut, Unreachable, AddressRefused, BadFile} {
		names = append(names, string(r))
	}
	return names
}

// Answer is what came of an attempt, and why. Err has neither the path of the address nor
// anything of the answer's body.
type Answer struct {
	Result     Result
	Status     int           // of HTTP; 0: there was none
	RetryAfter time.Duration // that the receiver asks for; 0: it does not
	Err        error
}

// reason names the cause of a dead letter.
func (a *Answer) reason() string {
	if a.Status != 0 {
		return "http_" + strconv.Itoa(a.Status)
	}
	return string(a.Result)
}

// mostAnswer is how much of an answer's body is read, so that the connection can be used again. The rest is not waited for.
const mostAnswer = 64 << 10

// Sender sends requests to one destination.
type Sender struct {
	destination *destination.Destination
	transport   *http.Transport
	now         func() time.Time
}

// NewSender returns a sender of a destination. It does not use the proxies of the environment: a proxy would connect to addresses that are
// not checked here.
func NewSender(d *destination.Destination, now func() time.Time) *Sender {
	dialer := &net.Dialer{Control: guard(d.AllowPrivate)}
	return &Sender{destination: d, now: now, transport: &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: d.Timeout, MaxIdleConnsPerHost: d.Concurrency, IdleConnTimeout: time.Minute,
		MaxResponseHeaderBytes: mostAnswer, ForceAttemptHTTP2: true, DisableCompression: true,
	}}
}

// Close closes the connections that are not in use.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, id string, body []byte, contentType string) Answer {
	ctx, cancel := context.WithTimeout(ctx, s.destination.Timeout)
	defer cancel()
	address, err := s.destination.Address()
	if err != nil {
		return Answer{Result: BadFile, Err: err}
	}
	header, err := s.destination.Header(id, s.now(), body, contentType)
	if err != nil {
		return Answer{Result: BadFile, Err: err}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Answer{Result: BadFile, Err: withoutAddress(err)}
	}
	request.Header = header
	response, err := s.transport.RoundTrip(request) // unlike a Client, it follows no redirects
	if err != nil {
		return failed(err)
	}
	_, _ = io.CopyN(io.Discard, response.Body, mostAnswer) // the status has been received: what follows changes nothing
	_ = response.Body.Close()
	return s.judge(response)
}

// judge decides by the status what comes of a delivery.
func (s *Sender) judge(r *http.Response) Answer {
	a := Answer{Status: r.StatusCode, Err: fmt.Errorf("the receiver answered %d", r.StatusCode), RetryAfter: retryAfter(r.Header.Get("Retry-After"), s.now())}
	switch code := r.StatusCode; {
	case code == http.StatusMultiStatus: // a part of the body was refused, and it has only one
		a.Result = Refused
	case code >= 200 && code < 300:
		return Answer{Result: OK, Status: code}
	case code >= 300 && code < 400:
		a.Result, a.Err = Redirected, fmt.Errorf("the receiver answered %d; redirects are not followed: set its new address", code)
	case code == http.StatusTooManyRequests:
		a.Result = RateLimited
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout:
		a.Result = Refused
	default:
		a.Result = ServerError
	}
	return a
}

// retryAfter reads both forms of the header (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

func failed(err error) Answer {
	var timeout net.Error
	switch {
	case errors.Is(err, errAddress):
		return Answer{Result: AddressRefused, Err: errAddress}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return Answer{Result: TimedOut, Err: errors.New("the receiver did not answer in time")}
	}
	return Answer{Result: Unreachable, Err: withoutAddress(err)}
}

// withoutAddress takes off the address as it was requested: its path may be a secret.
func withoutAddress(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}
