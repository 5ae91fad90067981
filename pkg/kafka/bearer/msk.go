package bearer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The signature is that of the AWS SDK; where credentials come from is written here. The SDK's own chain of providers, which AWS's signer
// for MSK links too, was rejected: it adds 2 MB to a program of 27 MB, for services that a server has no use for (single sign-on, profiles).

// AWS is where MSK finds credentials. The zero value of each field has a default.
type AWS struct {
	Getenv func(string) string // nil: the environment of the process
	// STS and Metadata are the addresses of the security token service and of an instance's metadata; empty: those of AWS.
	STS, Metadata string
}

// MSK signs tokens for Amazon MSK in a region. The credentials are, in the order of the AWS SDKs: AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY; those of the role AWS_ROLE_ARN for the web identity in AWS_WEB_IDENTITY_TOKEN_FILE (EKS); those of the container
// (ECS, EKS Pod Identity); those of the instance (EC2).
func MSK(region string, from AWS, now func() time.Time) Source {
	if from.Getenv == nil {
		from.Getenv = os.Getenv
	}
	if from.STS == "" {
		from.STS = "https://sts." + region + ".amazonaws.com"
		if strings.HasPrefix(region, "cn-") {
			from.STS += ".cn"
		}
	}
	if from.Metadata == "" {
		from.Metadata = "http://169.254.169.254"
	}
	return reuse(now, func(ctx context.Context) (string, time.Duration, error) {
		c, err := from.credentials(ctx)
		if err != nil {
			return "", 0, fmt.Errorf("credentials of AWS: %w", err)
		}
		signedAt := now()
		token, err := signMSK(ctx, region, c, signedAt)
		if err != nil {
			return "", 0, fmt.Errorf("sign a token for Amazon MSK: %w", err)
		}
		lifetime := mskLifetime
		if c.CanExpire {
			lifetime = min(lifetime, c.Expires.Sub(signedAt))
		}
		return token, lifetime, nil
	})
}

const mskLifetime = 15 * time.Minute // the longest that MSK allows

// signMSK returns a presigned request for kafka-cluster:Connect, which is what Amazon MSK takes as a token.
func signMSK(ctx context.Context, region string, c aws.Credentials, now time.Time) (string, error) {
	query := url.Values{"Action": {"kafka-cluster:Connect"}, "X-Amz-Expires": {fmt.Sprint(int(mskLifetime.Seconds()))}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://kafka."+region+".amazonaws.com/?"+query.Encode(), nil)
	if err != nil {
		return "", err
	}
	nothing := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, c, request, hex.EncodeToString(nothing[:]), "kafka-cluster", region, now.UTC())
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString([]byte(signed + "&User-Agent=mainstay")), nil
}

func (a AWS) credentials(ctx context.Context) (aws.Credentials, error) {
	key, role := a.Getenv("AWS_ACCESS_KEY_ID"), a.Getenv("AWS_ROLE_ARN")
	relative, full := a.Getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), a.Getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	switch {
	case key != "":
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: a.Getenv("AWS_SECRET_ACCESS_KEY"), SessionToken: a.Getenv("AWS_SESSION_TOKEN")}, nil
	case role != "" && a.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "":
		return a.webIdentity(ctx, role)
	case relative != "":
		return a.container(ctx, "http://169.254.170.2"+relative)
	case full != "":
		return a.container(ctx, full)
	default:
		return a.instance(ctx)
	}
}

// issued are credentials as containers and instances get them.
type issued struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	Token           string    `json:"Token"`
	Expiration      time.Time `json:"Expiration"`
}

func (i issued) credentials() (aws.Credentials, error) {
	if i.AccessKeyID == "" || i.SecretAccessKey == "" {
		return aws.Credentials{}, errors.New("the answer holds none")
	}
	return aws.Credentials{
		AccessKeyID: i.AccessKeyID, SecretAccessKey: i.SecretAccessKey, SessionToken: i.Token, CanExpire: !i.Expiration.IsZero(), Expires: i.Expiration,
	}, nil
}

func (a AWS) webIdentity(ctx context.Context, role string) (aws.Credentials, error) {
	identity, err := File(a.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE"))(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	session := a.Getenv("AWS_ROLE_SESSION_NAME")
	if session == "" {
		session = "mainstay"
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {session}, "WebIdentityToken": {identity},
	}
	var answer struct {
		Response struct {
			Result struct {
				Credentials struct {
					AccessKeyID     string  `json:"AccessKeyId"`
					SecretAccessKey string  `json:"SecretAccessKey"`
					SessionToken    string  `json:"SessionToken"`
					Expiration      float64 `json:"Expiration"` // seconds since 1970
				} `json:"Credentials"`
			} `json:"AssumeRoleWithWebIdentityResult"`
		} `json:"AssumeRoleWithWebIdentityResponse"`
	}
	body, err := ask(ctx, http.MethodPost, a.STS, []byte(form.Encode()), map[string]string{
		"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded",
	})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("assume the role %s: %w", role, err)
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return aws.Credentials{}, errors.New("assume a role: the answer is not JSON of the expected form")
	}
	c := answer.Response.Result.Credentials
	return issued{c.AccessKeyID, c.SecretAccessKey, c.SessionToken, time.Unix(int64(c.Expiration), 0)}.credentials()
}

func (a AWS) container(ctx context.Context, address string) (aws.Credentials, error) {
	headers := map[string]string{}
	if token := a.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"); token != "" {
		headers["Authorization"] = token
	}
	if file := a.Getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
		token, err := File(file)(ctx)
		if err != nil {
			return aws.Credentials{}, err
		}
		headers["Authorization"] = token
	}
	return askCredentials(ctx, address, headers)
}

// instance uses version 2 of the metadata service, which version 1 is switched off for on current instances.
func (a AWS) instance(ctx context.Context) (aws.Credentials, error) {
	const none = "neither AWS_ACCESS_KEY_ID, a web identity nor a role of the container is set, and the instance has no role"
	token, err := ask(ctx, http.MethodPut, a.Metadata+"/latest/api/token", nil, map[string]string{"X-aws-ec2-metadata-token-ttl-seconds": "300"})
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("%s: %w", none, err)
	}
	headers := map[string]string{"X-aws-ec2-metadata-token": string(token)}
	const path = "/latest/meta-data/iam/security-credentials/"
	roles, err := ask(ctx, http.MethodGet, a.Metadata+path, nil, headers)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("%s: %w", none, err)
	}
	role, _, _ := strings.Cut(strings.TrimSpace(string(roles)), "\n")
	return askCredentials(ctx, a.Metadata+path+role, headers)
}

func askCredentials(ctx context.Context, address string, headers map[string]string) (aws.Credentials, error) {
	body, err := ask(ctx, http.MethodGet, address, nil, headers)
	if err != nil {
		return aws.Credentials{}, err
	}
	var answer issued
	if err := json.Unmarshal(body, &answer); err != nil {
		return aws.Credentials{}, errors.New("the answer is not JSON of the expected form")
	}
	return answer.credentials()
}

// ask sends one request, without a proxy: the addresses are local, but for that of the token service.
func ask(ctx context.Context, method, address string, body []byte, headers map[string]string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("malformed address")
	}
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	transport := &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, DisableKeepAlives: true}
	if strings.HasPrefix(address, "https://") {
		transport.Proxy = http.ProxyFromEnvironment
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL.Host, withoutBody(err))
	}
	defer func() { _ = answer.Body.Close() }() // it was read, or its error is returned
	content, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", request.URL.Host, err)
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", request.URL.Host, answer.Status)
	}
	return content, nil
}
