package destination

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks 1.0 (https://www.standardwebhooks.com).
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

const (
	secretPrefix   = "whsec_"
	leastKey       = 24 // bytes, by the specification
	mostKey        = 64
	mostSecretFile = 64 << 10
)

var errSecret = fmt.Errorf("must be %s and %d to %d bytes in base64, as `echo %s$(openssl rand -base64 32)` prints", secretPrefix, leastKey, mostKey, secretPrefix)

// ParseSecret returns the key of a secret. Its errors show nothing of it.
func ParseSecret(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < leastKey || len(key) > mostKey {
		return nil, errSecret
	}
	return key, nil
}

// Sign returns the signatures of a request by all keys, for the header Webhook-Signature.
func Sign(keys [][]byte, id string, at time.Time, body []byte) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(fmt.Appendf(nil, "%s.%d.", id, at.Unix())) // never fails
		mac.Write(body)
		all[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(all, " ")
}

// Address returns the address of the receiver, which is read again if it is in a file.
func (d *Destination) Address() (string, error) {
	if d.URLFile == "" {
		return d.checkURL(d.URL)
	}
	address, err := oneLine(d.URLFile)
	if err == nil {
		address, err = d.checkURL(address)
	}
	if err != nil {
		return "", fmt.Errorf("destination %s: url_file: %w", d.Name, err)
	}
	return address, nil
}

// Header returns the headers of an attempt. Secrets are read from their files each time, so that they can be changed.
func (d *Destination) Header(id string, at time.Time, body []byte, contentType string) (http.Header, error) {
	h := http.Header{"Content-Type": {contentType}, "User-Agent": {"Mainstay"}, HeaderID: {id}, HeaderTimestamp: {strconv.FormatInt(at.Unix(), 10)}}
	for name, value := range d.Headers {
		h.Set(name, value)
	}
	var keys [][]byte
	for _, file := range d.SecretFiles {
		text, err := oneLine(file)
		var key []byte
		if err == nil {
			key, err = ParseSecret(text)
		}
		if err != nil {
			return nil, fmt.Errorf("destination %s: secret_files: %s: %w", d.Name, file, err)
		}
		keys = append(keys, key)
	}
	if len(keys) > 0 {
		h.Set(HeaderSignature, Sign(keys, id, at, body))
	}
	if d.AuthorizationFile != "" {
		text, err := oneLine(d.AuthorizationFile)
		if err != nil {
			return nil, fmt.Errorf("destination %s: authorization_file: %w", d.Name, err)
		}
		h.Set("Authorization", text)
	}
	return h, nil
}

// CheckFiles reads all files, so that one that is missing or wrong is noticed at start.
func (d *Destination) CheckFiles() error {
	_, err := d.Address()
	_, headers := d.Header("msg", time.Unix(0, 0), nil, jsonType)
	return errors.Join(err, headers)
}

// oneLine reads a file of one line.
func oneLine(path string) (string, error) {
	b, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(b), "\r\n")
	if text == "" || len(b) > mostSecretFile || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("the file %s must have one line", path)
	}
	return text, nil
}
