package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// What goes to standard output can be appended to a file of tokens, and holds no token.
func TestToken(t *testing.T) {
	code, out, errs := run(t, nil, "token", "prometheus", "--scope", "metrics,status")
	require.Equal(t, exitOK, code, errs)
	require.Regexp(t, `^token: mst_[A-Z2-7]{26}\n$`, errs)
	token := errs[len("token: ") : len(errs)-1]
	tokens, err := server.ParseTokens([]byte(out + out))
	require.NoError(t, err)
	require.Len(t, tokens, 2)
	require.Equal(t, server.NewToken("prometheus", token, []server.Scope{server.ScopeMetrics, server.ScopeStatus}), tokens[0])
	require.NotContains(t, out, token)

	code, out, errs = run(t, nil, "token", "x", "--scope", "profile", "--output", "json")
	require.Equal(t, exitOK, code, errs)
	require.Empty(t, errs)
	var made struct {
		Token string `json:"token"`
		Entry string `json:"entry"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &made))
	require.Contains(t, made.Entry, server.NewToken("x", made.Token, nil).SHA256)

	for _, args := range [][]string{{"token", "x"}, {"token", "x", "--scope", "all"}} {
		code, _, errs = run(t, nil, args...)
		require.Equal(t, exitUsage, code)
		require.Contains(t, errs, "--scope: ")
		require.Contains(t, errs, "[metrics status customers marks events profile]")
	}
}
