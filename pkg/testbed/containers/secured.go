package containers

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/mainstay/mainstay/pkg/testbed/certificates"
)

// Reauthentication is the lifetime of a session at a secured broker (connections.max.reauth.ms).
const Reauthentication = 4 * time.Second

// StartSecuredKafka starts a broker that demands a client certificate of the authority, SASL/PLAIN and permissions. users are their
// passwords by name; admin, one of them, is permitted everything.
func StartSecuredKafka(ctx context.Context, a *certificates.Authority, users map[string]string) (*Server, error) {
	cert, key, err := a.Issue("kafka")
	if err != nil {
		return nil, err
	}
	jaas := []string{"org.apache.kafka.common.security.plain.PlainLoginModule required"}
	for name, password := range users {
		jaas = append(jaas, fmt.Sprintf("user_%s=%q", name, password))
	}
	file := func(path string, content ...[]byte) testcontainers.ContainerFile {
		const readable = 0o644
		return testcontainers.ContainerFile{Reader: bytes.NewReader(bytes.Join(content, nil)), ContainerFilePath: path, FileMode: readable}
	}
	return start(ctx, "9092/tcp", func(port int) testcontainers.ContainerRequest {
		env := brokerEnvironment()
		for name, value := range map[string]string{
			"LISTENERS":                                             "SECURED://:9092,INSIDE://:19092,CONTROLLER://:9093",
			"ADVERTISED_LISTENERS":                                  "INSIDE://localhost:19092,SECURED://127.0.0.1:" + strconv.Itoa(port),
			"LISTENER_SECURITY_PROTOCOL_MAP":                        "SECURED:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"LISTENER_NAME_SECURED_SASL_ENABLED_MECHANISMS":         "PLAIN",
			"LISTENER_NAME_SECURED_PLAIN_SASL_JAAS_CONFIG":          strings.Join(jaas, " ") + ";",
			"LISTENER_NAME_SECURED_PLAIN_CONNECTIONS_MAX_REAUTH_MS": strconv.FormatInt(Reauthentication.Milliseconds(), 10),
			"LISTENER_NAME_SECURED_SSL_CLIENT_AUTH":                 "required",
			"LISTENER_NAME_SECURED_SSL_KEYSTORE_TYPE":               "PEM",
			"LISTENER_NAME_SECURED_SSL_KEYSTORE_LOCATION":           "/tmp/keystore.pem",
			"LISTENER_NAME_SECURED_SSL_TRUSTSTORE_TYPE":             "PEM",
			"LISTENER_NAME_SECURED_SSL_TRUSTSTORE_LOCATION":         "/tmp/truststore.pem",
			"AUTHORIZER_CLASS_NAME":                                 "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
			"SUPER_USERS":                                           "User:admin;User:ANONYMOUS", // anonymous: the broker itself, inside
		} {
			env["KAFKA_"+name] = value
		}
		return testcontainers.ContainerRequest{
			Image: kafkaImage, Env: env,
			Files:      []testcontainers.ContainerFile{file("/tmp/keystore.pem", key, cert), file("/tmp/truststore.pem", a.PEM())},
			WaitingFor: wait.ForLog("Kafka Server started").WithStartupTimeout(startTimeout),
		}
	})
}

// StartSecuredRedis starts a server that demands a client certificate of the authority and a user; the default user is off.
func StartSecuredRedis(ctx context.Context, a *certificates.Authority) (*Redis, error) {
	cert, key, err := a.Issue("redis")
	if err != nil {
		return nil, err
	}
	const readable = 0o644
	var files []testcontainers.ContainerFile
	for name, content := range map[string][]byte{"cert": cert, "key": key, "ca": a.PEM()} {
		files = append(files, testcontainers.ContainerFile{Reader: bytes.NewReader(content), ContainerFilePath: "/tmp/" + name + ".pem", FileMode: readable})
	}
	s, err := start(ctx, "6379/tcp", func(int) testcontainers.ContainerRequest {
		return testcontainers.ContainerRequest{
			Image: redisImage, Files: files,
			// The administrator comes from inside, by a socket.
			Entrypoint: []string{
				"redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--port", "0", "--tls-port", "6379", "--tls-cert-file", "/tmp/cert.pem",
				"--tls-key-file", "/tmp/key.pem", "--tls-ca-cert-file", "/tmp/ca.pem", "--tls-auth-clients", "yes", "--unixsocket", "/tmp/redis.sock",
				"--appendonly", "yes", "--dir", "/tmp", "--user", "default", "off", "--user", "admin", "on", "nopass", "~*", "&*", "+@all",
			},
			WaitingFor: wait.ForLog("Ready to accept connections unix").WithStartupTimeout(startTimeout),
		}
	})
	if err != nil {
		return nil, err
	}
	return &Redis{s}, nil
}

// Administer runs a command on a server of StartSecuredRedis.
func (r *Redis) Administer(ctx context.Context, words ...string) error {
	return r.run(ctx, append([]string{"redis-cli", "-s", "/tmp/redis.sock", "--user", "admin", "--pass", "any", "--no-auth-warning", "-e"}, words...)...)
}
