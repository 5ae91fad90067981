package ingest

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Signatures of one body with one secret, as openssl dgst -hmac makes them.
const (
	signedBody   = `{"a":"ü"}`
	secret       = "s3cret"
	sha256Base64 = "yxroXx0MjgG5Hv/taFGOrO3dJ6yhNMY800JyeiiIGy8="
	sha256Hex    = "cb1ae85f1d0c8e01b91effed68518eaceddd27aca134c63cd342727a28881b2f"
	sha1Hex      = "c32a8240ebefb8608c0c5fb39f8618c3234cc774"
	signedAt     = 1_800_000_000
	timedHex     = "8118e15a6687568951ecaaa76b9f432fb4fe395c2792ffb7d3384fdbd290fd80" // of 1800000000.BODY
)

func TestSignaturesOfVendors(t *testing.T) {
	valid := map[string]string{
		"shopify": sha256Base64, "woocommerce": sha256Base64, "stripe": "t=1800000000,v1=" + timedHex, "segment": sha1Hex,
		"delighted": "sha256=" + sha256Hex, "typeform": "sha256=" + sha256Base64, "friendbuy": sha256Base64,
	}
	header := map[string]string{
		"shopify": "X-Shopify-Hmac-SHA256", "woocommerce": "X-WC-Webhook-Signature", "stripe": "Stripe-Signature", "segment": "X-Signature",
		"delighted": "X-Delighted-Webhook-Signature", "typeform": "Typeform-Signature", "friendbuy": "X-Friendbuy-Hmac-SHA256",
	}
	require.Len(t, Schemes(), len(valid))
	for _, s := range Schemes() {
		t.Run(s.Format, func(t *testing.T) {
			check := func(value, body, secret string, after time.Duration) bool {
				h := http.Header{}
				h.Set(header[s.Format], value)
				return s.authentic(h, []byte(body), secret, time.Unix(signedAt, 0).Add(after))
			}
			given := valid[s.Format]
			require.True(t, check(given, signedBody, secret, time.Minute))
			require.False(t, check(given, signedBody+" ", secret, 0), "another body")
			require.False(t, check(given, signedBody, "another", 0))
			require.False(t, check(given, signedBody, "", 0))
			require.False(t, s.authentic(http.Header{}, []byte(signedBody), secret, time.Unix(signedAt, 0)), "no header")
			for i := range len(given) {
				changed := []byte(given)
				changed[i] ^= 1
				require.False(t, check(string(changed), signedBody, secret, 0), "byte %d", i)
			}
			for _, other := range []string{"", "t=1800000000", "v1=" + timedHex, "t=1800000000,v1=", "t=x,v1=" + timedHex, "sha256=", "====", given[:len(given)-2]} {
				require.False(t, check(other, signedBody, secret, 0), other)
			}
			for name, value := range valid {
				if name != s.Format && value != given {
					require.False(t, check(value, signedBody, secret, 0), "the signature of %s", name)
				}
			}
		})
	}
}

func TestTimedSignatures(t *testing.T) {
	for _, s := range Schemes() {
		if !s.timed {
			continue
		}
		check := func(value string, after time.Duration) bool {
			return s.authentic(http.Header{s.Header: {value}}, []byte(signedBody), secret, time.Unix(signedAt, 0).Add(after))
		}
		given := "t=1800000000,v1=" + timedHex
		require.True(t, check(given, 5*time.Minute))
		require.True(t, check(given, -5*time.Minute))
		require.False(t, check(given, 5*time.Minute+time.Second), "recorded, and repeated later")
		require.False(t, check(given, -5*time.Minute-time.Second))
		require.True(t, check("v1="+sha256Hex+", t=1800000000, v0=00, v1="+timedHex, 0), "two secrets, while one is changed")
		require.False(t, check("t=1800000001,v1="+timedHex, 0), "the time is signed")
	}
}
