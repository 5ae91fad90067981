package deliver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/edge/deliver/destination"
)

func TestAddressesThatAreRefused(t *testing.T) {
	for _, refused := range []string{
		"127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::", "169.254.169.254", "fe80::1", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255",
		"192.168.1.1", "100.64.0.1", "fc00::1", "fd12:3456::1", "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "fe80::1%eth0",
	} {
		at := netip.AddrPortFrom(netip.MustParseAddr(refused), 443).String()
		require.ErrorIs(t, guard(false)("tcp", at, nil), errAddress, refused)
		require.NoError(t, guard(true)("tcp", at, nil), refused)
	}
	for _, allowed := range []string{"1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.1", "11.0.0.1", "2606:2800:220:1::1", "::ffff:1.1.1.1"} {
		require.NoError(t, guard(false)("tcp", netip.AddrPortFrom(netip.MustParseAddr(allowed), 443).String(), nil), allowed)
	}
}

// testSender sends to an address, with a secret.
func testSender(t *testing.T, address, more string) *Sender {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"), 0o600))
	all, err := destination.Parse("d.yml", []byte("destinations:\n  - {name: crm, url: \""+address+"\", secret_files: ["+secret+"], topics: [clv]"+more+"}\n"))
	require.NoError(t, err)
	return NewSender(&all[0], time.Now)
}

// What is checked is the address that is connected to: of a name, and of a literal in whatever form.
func TestNamesThatLeadInside(t *testing.T) {
	var requests atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer receiver.Close()
	_, port, err := net.SplitHostPort(receiver.Listener.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} {
		s := testSender(t, "http://"+host+":"+port, ", allow_http: true")
		require.Equal(t, AddressRefused, s.Send(t.Context(), "msg_1", []byte("{}"), "application/json").Result, host)
	}
	require.Zero(t, requests.Load())
	s := testSender(t, "http://localhost:"+port, ", allow_private: true")
	require.Equal(t, OK, s.Send(t.Context(), "msg_1", []byte("{}"), "application/json").Result)
	require.EqualValues(t, 1, requests.Load())
}

func TestAnswers(t *testing.T) {
	var status, requests atomic.Int32
	retry := atomic.Pointer[string]{}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		if v := retry.Load(); v != nil {
			w.Header().Set("Retry-After", *v)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(strings.Repeat("x", 1<<20)))
	}))
	defer receiver.Close()
	s := testSender(t, receiver.URL, ", allow_private: true")
	for code, want := range map[int32]Result{
		200: OK, 204: OK, 207: Refused, 301: Redirected, 307: Redirected, 400: Refused, 401: Refused, 404: Refused, 408: ServerError, 410: Refused, 422: Refused, 429: RateLimited, 500: ServerError, 503: ServerError,
	} {
		status.Store(code)
		before := requests.Load()
		a := s.Send(t.Context(), "msg_1", []byte("{}"), "application/json")
		require.Equal(t, want, a.Result, code)
		require.EqualValues(t, code, a.Status)
		require.Equal(t, before+1, requests.Load(), "a redirect is not followed")
	}
	now := time.Unix(1_000_000, 0)
	s.now = func() time.Time { return now }
	status.Store(429)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, now.Add(time.Minute).UTC().Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).UTC().Format(http.TimeFormat): 0, "soon": 0, "-1": 0,
	} {
		retry.Store(&value)
		require.Equal(t, want, s.Send(t.Context(), "msg_1", nil, "application/json").RetryAfter, value)
	}
}

// Neither an error nor its cause shows the address: those of Slack are secrets.
func TestErrorsDoNotShowTheAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	a := testSender(t, "http://"+l.Addr().String()+"/T0/B0/secret-path", ", allow_private: true").Send(t.Context(), "msg_1", nil, "application/json")
	require.Equal(t, Unreachable, a.Result)
	require.NotContains(t, fmt.Sprint(a.Err), "secret-path")
	require.Equal(t, TimedOut, failed(context.DeadlineExceeded).Result)
	require.Equal(t, Unreachable, failed(errors.New("x")).Result)
}
