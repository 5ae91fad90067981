//go:build real

package containers

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"go.uber.org/zap"

	"github.com/mainstay/mainstay/pkg/kafka"
	"github.com/mainstay/mainstay/pkg/node/app"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/ops/access"
	"github.com/mainstay/mainstay/pkg/ops/inspect"
	"github.com/mainstay/mainstay/pkg/redis"
	"github.com/mainstay/mainstay/pkg/testbed/certificates"
)

// secured is a broker with an authorizer and a Redis with users, both of which demand certificates.
type secured struct {
	t        *testing.T
	admin    *kgo.Client
	redis    *Redis
	programs map[access.User]Program
}

func startSecured(ctx context.Context, t *testing.T) *secured {
	t.Helper()
	a, err := certificates.NewAuthority(time.Now())
	require.NoError(t, err)
	passwords := map[string]string{"admin": "of admin"}
	for _, user := range access.Users() {
		passwords[string(user)] = "of " + string(user)
	}
	broker, err := StartSecuredKafka(ctx, a, passwords)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, broker.Close()) })
	store, err := StartSecuredRedis(ctx, a)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })

	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(ca, a.PEM(), 0o600))
	require.NoError(t, a.Write("client", cert, key))
	s := &secured{t: t, redis: store, programs: map[access.User]Program{}}
	for _, user := range access.Users() {
		s.programs[user] = Program{Path: program.Path, Settings: map[string]string{
			"KAFKA_BROKERS": broker.Address, "KAFKA_SASL_MECHANISM": "plain", "KAFKA_SASL_USER": string(user), "KAFKA_SASL_PASSWORD": passwords[string(user)],
			"KAFKA_TLS_ENABLED": "true", "KAFKA_TLS_CA_FILE": ca, "KAFKA_TLS_CERT_FILE": cert, "KAFKA_TLS_KEY_FILE": key,
			"REDIS_ADDRESSES": store.Address, "REDIS_USERNAME": "mainstay", "REDIS_PASSWORD": "of mainstay",
			"REDIS_TLS_ENABLED": "true", "REDIS_TLS_CA_FILE": ca, "REDIS_TLS_CERT_FILE": cert, "REDIS_TLS_KEY_FILE": key,
			"NAMESPACE": "secured", "LEDGER_PARTITIONS": "2", "REFIT_INTERVAL": "0s",
		}}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	s.admin, err = kgo.NewClient(kgo.SeedBrokers(broker.Address), kgo.SASL(plain.Auth{User: "admin", Pass: passwords["admin"]}.AsMechanism()),
		kgo.DialTLSConfig(&tls.Config{RootCAs: a.Pool(), Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}))
	require.NoError(t, err)
	t.Cleanup(s.admin.Close)
	return s
}

// app is a user's process in this one.
func (s *secured) app(user access.User) *app.App {
	c, err := config.Load(config.Sources{Env: s.programs[user].environment()})
	require.NoError(s.t, err)
	a, err := app.New(c, zap.NewNop(), app.Hooks{})
	require.NoError(s.t, err)
	s.t.Cleanup(a.Close)
	return a
}

var resourceTypes = map[access.Resource]kmsg.ACLResourceType{
	access.Topic: kmsg.ACLResourceTypeTopic, access.Group: kmsg.ACLResourceTypeGroup, access.TransactionalID: kmsg.ACLResourceTypeTransactionalId,
}

func pattern(p access.Permission) kmsg.ACLResourcePatternType {
	if p.Prefixed {
		return kmsg.ACLResourcePatternTypePrefixed
	}
	return kmsg.ACLResourcePatternTypeLiteral
}

func (s *secured) grant(ctx context.Context, user access.User, p access.Permission, operations ...kafka.Operation) {
	s.t.Helper()
	req := kmsg.NewPtrCreateACLsRequest()
	for _, o := range operations {
		c := kmsg.NewCreateACLsRequestCreation()
		c.ResourceType, c.ResourceName, c.ResourcePatternType = resourceTypes[p.Resource], p.Name, pattern(p)
		c.Principal, c.Host, c.Operation, c.PermissionType = "User:"+string(user), "*", kmsg.ACLOperation(o), kmsg.ACLPermissionTypeAllow
		req.Creations = append(req.Creations, c)
	}
	res, err := req.RequestWith(ctx, s.admin)
	require.NoError(s.t, err)
	for _, r := range res.Results {
		require.Zero(s.t, r.ErrorCode)
	}
}

func (s *secured) revoke(ctx context.Context, user access.User, p access.Permission, o kafka.Operation) {
	s.t.Helper()
	req := kmsg.NewPtrDeleteACLsRequest()
	f := kmsg.NewDeleteACLsRequestFilter()
	f.ResourceType, f.ResourceName, f.ResourcePatternType = resourceTypes[p.Resource], &p.Name, pattern(p)
	f.Principal, f.Operation, f.PermissionType = new("User:"+string(user)), kmsg.ACLOperation(o), kmsg.ACLPermissionTypeAllow
	req.Filters = append(req.Filters, f)
	res, err := req.RequestWith(ctx, s.admin)
	require.NoError(s.t, err)
	require.Len(s.t, res.Results, 1)
	require.Len(s.t, res.Results[0].MatchingACLs, 1, "%s %s: %s was granted", p.Resource, p.Name, o)
}

// await repeats a check until it holds: a broker applies access control lists soon after it has acknowledged them.
func (s *secured) await(ctx context.Context, what string, holds func() (string, bool)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	for {
		found, ok := holds()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			require.Fail(s.t, what, found)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestAccess grants exactly what access.Kafka and access.RedisCommand say, on servers that permit nothing else. Everything works, through
// many lifetimes of a session; without any one of the permissions, check names it.
func TestAccess(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 5*time.Minute, fmt.Errorf("TestAccess took longer than 5 minutes"))
	defer cancel()
	s := startSecured(ctx, t)
	process, operator := s.app(access.Process), s.app(access.Operator)
	for user, a := range map[access.User]*app.App{access.Process: process, access.Operator: operator} {
		for _, p := range access.Kafka(a.Config, user) {
			s.grant(ctx, user, p, p.Operations...)
		}
	}
	inRedis := strings.Fields(strings.ReplaceAll(access.RedisCommand(process.Config, "mainstay"), "'", ""))
	for i, word := range inRedis {
		inRedis[i] = strings.Replace(word, ">PASSWORD", ">of mainstay", 1)
	}
	require.NoError(t, s.redis.Administer(ctx, inRedis...))

	s.await(ctx, "the operator creates the topics", func() (string, bool) {
		_, _, err := s.programs[access.Operator].Do(ctx, "topics", "apply")
		return fmt.Sprint(err), err == nil
	})
	for _, user := range access.Users() {
		out, _, err := s.programs[user].Do(ctx, "check", "--permissions", string(user), "--output", "json")
		require.NoError(t, err, "%s", out)
	}
	everythingWorks(ctx, t, s)
	for user, a := range map[access.User]*app.App{access.Process: process, access.Operator: operator} {
		s.withoutEach(ctx, user, a)
	}
	s.withoutEachInRedis(ctx, process)
}

// everythingWorks runs each command as its user.
func everythingWorks(ctx context.Context, t *testing.T, s *secured) {
	t.Helper()
	do := func(user access.User, args ...string) {
		t.Helper()
		out, _, err := s.programs[user].Do(ctx, args...)
		require.NoError(t, err, "%s", out)
	}
	p, err := s.programs[access.Process].Run(ctx)
	require.NoError(t, err)
	defer p.Kill()
	began := time.Now()
	do(access.Operator, "send", "purchase", "--customer", "ada", "--order", "1", "--total", "10", "--currency", "USD")
	bad := filepath.Join(t.TempDir(), "orders.csv")
	require.NoError(t, os.WriteFile(bad, []byte("customer_id,order_id,total,currency,occurred_at\nbob,2,20,USD,2026-01-02T00:00:00Z\n"), 0o600))
	do(access.Operator, "import", bad, "--type", "purchase")
	for time.Since(began) < 3*Reauthentication {
		do(access.Operator, "send", "purchase", "--customer", "ada", "--order", fmt.Sprint(time.Now().UnixNano()), "--total", "10", "--currency", "USD")
	}
	s.await(ctx, "both customers have answers", func() (string, bool) {
		for _, id := range []string{"ada", "bob"} {
			if out, _, err := s.programs[access.Process].Do(ctx, "customer", "get", id); err != nil {
				return string(out) + err.Error(), false
			}
		}
		return "", true
	})
	for _, args := range [][]string{{"status"}, {"audit"}, {"alerts", "list"}, {"customer", "explain", "ada"}} {
		do(access.Process, args...)
	}
	for _, args := range [][]string{
		{"tail", "clv", "--from", "start", "--max", "1"}, {"dlq", "list"}, {"dlq", "replay"}, {"topics", "plan"}, {"refit", "--dry-run"},
	} {
		do(access.Operator, args...)
	}
	for _, line := range p.Lines() {
		require.NotContains(t, []string{"warn", "error"}, line.Level, line.Text)
	}
	require.NoError(t, p.Stop(ctx))
}

// withoutEach takes each operation of each permission away from a user. The whole of check, which takes long, is run once for each kind of
// resource; it reports what access.Check returns.
func (s *secured) withoutEach(ctx context.Context, user access.User, a *app.App) {
	reported := map[access.Resource]bool{}
	for _, p := range access.Kafka(a.Config, user) {
		for _, o := range p.Operations {
			s.revoke(ctx, user, p, o)
			s.await(ctx, fmt.Sprintf("check names %s of %s on %s %s", o, user, p.Resource, p.Name), func() (string, bool) {
				denied, _, err := access.Check(ctx, a.Kafka, a.Config, user)
				require.NoError(s.t, err)
				for _, d := range denied {
					require.Equal(s.t, p.Name, d.Name)
					if strings.Contains(d.String(), o.String()) {
						return "", true
					}
				}
				return fmt.Sprint(denied), false
			})
			if !reported[p.Resource] {
				reported[p.Resource] = true
				report := inspect.Check(ctx, a, user, time.Now())
				found, err := json.Marshal(report.Findings)
				require.NoError(s.t, err)
				require.Positive(s.t, report.Fatal)
				require.Contains(s.t, string(found), p.Name)
				require.Contains(s.t, string(found), o.String())
			}
			s.grant(ctx, user, p, o)
		}
		s.await(ctx, "all is granted again", func() (string, bool) {
			denied, _, err := access.Check(ctx, a.Kafka, a.Config, user)
			require.NoError(s.t, err)
			return fmt.Sprint(denied), len(denied) == 0
		})
	}
}

// withoutEachInRedis takes each command away, and the keys. The whole of check is run for those that it needs itself, and for the keys.
func (s *secured) withoutEachInRedis(ctx context.Context, a *app.App) {
	check := func() string {
		found, err := json.Marshal(inspect.Check(ctx, a, access.Process, time.Now()).Findings)
		require.NoError(s.t, err)
		return string(found)
	}
	require.NotContains(s.t, check(), "permit ")
	for _, c := range redis.Commands() {
		require.NoError(s.t, s.redis.Administer(ctx, "ACL", "SETUSER", "mainstay", "-"+c.Name))
		found, err := a.Redis.CheckPermissions(ctx, a.Config.Namespace)
		require.NoError(s.t, err)
		require.Len(s.t, found, 1, c.Name)
		require.Contains(s.t, found[0].Text, "permit +"+c.Name)
		if slices.Contains([]string{"ping", "exec", "multi", "set", "info", "hmget"}, c.Name) {
			require.Contains(s.t, check(), "permit +"+c.Name)
		}
		require.NoError(s.t, s.redis.Administer(ctx, "ACL", "SETUSER", "mainstay", "+"+c.Name))
	}
	require.NoError(s.t, s.redis.Administer(ctx, "ACL", "SETUSER", "mainstay", "resetkeys"))
	require.Contains(s.t, check(), "permit ~secured:*")
}
