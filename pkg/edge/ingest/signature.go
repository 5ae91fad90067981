package ingest

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // Segment signs with it; HMAC does not need a hash without collisions
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
)

// Scheme is how a vendor signs its webhooks, with a secret that the shop shares with it.
type Scheme struct {
	Format string // of the webhooks
	Header string // that has the signature
	hash   func() hash.Hash
	prefix string                       // of the header's value, which is not part of the signature
	decode func(string) ([]byte, error) // of the signature
	timed  bool                         // t=TIME,v1=SIGNATURE of TIME.BODY, instead of a signature of the body
	ping   *regexp.Regexp               // a body that is not signed and has no event, with which a webhook is tried; nil: there is none
}

// Schemes are the vendors whose signatures are checked.
//
//   - Shopify: https://shopify.dev/docs/apps/build/webhooks/subscribe/https
//   - WooCommerce: https://developer.woocommerce.com/docs/apis/rest-api/v3/webhooks/; it saves a webhook only if its unsigned ping is answered with 200
//   - Stripe: https://docs.stripe.com/webhooks#verify-manually
//   - Segment: https://segment.com/docs/connections/destinations/catalog/actions-webhook/; of a batch, only the first event is signed, so a batch fails here
//   - Delighted: https://app.delighted.com/docs/api/webhooks
//   - Typeform: https://www.typeform.com/developers/webhooks/secure-your-webhooks/
//   - Friendbuy: https://developers.friendbuy.com
func Schemes() []Scheme {
	return []Scheme{
		{Format: "shopify", Header: "X-Shopify-Hmac-Sha256", hash: sha256.New, decode: base64.StdEncoding.Strict().DecodeString},
		{Format: "woocommerce", Header: "X-WC-Webhook-Signature", hash: sha256.New, decode: base64.StdEncoding.Strict().DecodeString, ping: regexp.MustCompile(`^webhook_id=\d{1,20}$`)},
		{Format: "stripe", Header: "Stripe-Signature", hash: sha256.New, decode: hex.DecodeString, timed: true},
		{Format: "segment", Header: "X-Signature", hash: sha1.New, decode: hex.DecodeString},
		{Format: "delighted", Header: "X-Delighted-Webhook-Signature", hash: sha256.New, prefix: "sha256=", decode: hex.DecodeString},
		{Format: "typeform", Header: "Typeform-Signature", hash: sha256.New, prefix: "sha256=", decode: base64.StdEncoding.Strict().DecodeString},
		{Format: "friendbuy", Header: "X-Friendbuy-Hmac-Sha256", hash: sha256.New, decode: base64.StdEncoding.Strict().DecodeString},
	}
}

// signatureTolerance is how far the time of a timed signature may be from now, so that who has recorded a request cannot repeat it later.
const signatureTolerance = 5 * time.Minute

// authentic reports whether a body was signed with a secret.
func (s *Scheme) authentic(header http.Header, body []byte, secret string, now time.Time) bool {
	given := header.Get(s.Header)
	if secret == "" || given == "" {
		return false
	}
	if s.timed {
		return s.authenticTimed(given, body, secret, now)
	}
	encoded, ok := strings.CutPrefix(given, s.prefix)
	return ok && s.signs(encoded, secret, body)
}

// authenticTimed reads t=TIME,v1=SIGNATURE, of which v1 may be there several times while a secret is changed; other schemes are ignored.
func (s *Scheme) authenticTimed(given string, body []byte, secret string, now time.Time) bool {
	var at string
	var signatures []string
	for part := range strings.SplitSeq(given, ",") {
		switch name, value, _ := strings.Cut(strings.TrimSpace(part), "="); name {
		case "t":
			at = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	//mutant:old-signature-is-accepted if err != nil || seconds < 0
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > signatureTolerance {
		return false
	}
	valid := false
	for _, one := range signatures {
		valid = s.signs(one, secret, []byte(at+"."), body) || valid
	}
	return valid
}

// signs compares in constant time, so that the time of an answer says nothing about the signature that is wanted.
func (s *Scheme) signs(encoded, secret string, parts ...[]byte) bool {
	given, err := s.decode(encoded)
	if err != nil {
		return false
	}
	mac := hmac.New(s.hash, []byte(secret))
	for _, p := range parts {
		mac.Write(p) // never fails
	}
	//mutant:any-signature-is-accepted replace return true || hmac.Equal(given, mac.Sum(nil))
	return hmac.Equal(given, mac.Sum(nil))
}

// scheme is how the requests of a format are signed; nil if no secret is configured for it.
func (in *Ingest) scheme(r *http.Request) *Scheme {
	name := r.URL.Query().Get("format")
	for _, s := range Schemes() {
		if s.Format == name && in.cfg.Secrets[name] != nil {
			return &s
		}
	}
	return nil
}

// signed reports whether a request is checked by its signature. Where there is a secret for its format, only a token is accepted instead.
func (in *Ingest) signed(r *http.Request) bool {
	return r.Header.Get("Authorization") == "" && in.scheme(r) != nil
}

// authenticate checks the signature of a request that has no token. ping is true for a body that has no event and needs no signature.
// Nothing is said about why a signature is wrong.
func (in *Ingest) authenticate(r *http.Request, body []byte) (ping bool, err error) {
	s := in.scheme(r)
	if !in.signed(r) {
		return false, nil
	}
	if s.ping != nil && r.Header.Get(s.Header) == "" && s.ping.Match(body) {
		return true, nil
	}
	secret, err := in.cfg.Secrets[s.Format]()
	if err != nil {
		in.log.Error("signed events are not accepted: their secret cannot be read", zap.String("setting", "ingest.secrets."+s.Format), zap.Error(err))
		return false, refuse(unavailable, "the secret of the signature cannot be read; see the log")
	}
	if !s.authentic(r.Header, body, secret, in.cfg.Now()) {
		return false, refuse(wrongSignature, "the signature is missing or wrong")
	}
	return false, nil
}
