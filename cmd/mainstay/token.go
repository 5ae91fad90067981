package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/mainstay/mainstay/pkg/node/server"
)

// tokenCommand makes bearer tokens for the HTTP endpoints. The entry goes to standard output, so that it can be appended to the file.
func (p *program) tokenCommand() *cobra.Command {
	var allowed []string
	for _, s := range server.Scopes() {
		allowed = append(allowed, string(s))
	}
	cmd := &cobra.Command{
		Use: "token NAME", Short: "Make a token for metrics, status, customers, marks, events or profiles", Args: cobra.ExactArgs(1),
		Long: `Token prints a new token to standard error, once, and its entry for http.tokens_file to standard output. The entry holds a hash;
the token cannot be recovered from it. Running processes read the file again when it changes.`,
		Example: "  " + p.name + " token prometheus --scope metrics >> tokens.yaml",
		RunE: p.interruptible(func(_ context.Context, cmd *cobra.Command, args []string) error {
			names, _ := cmd.Flags().GetStringSlice("scope")
			var scopes []server.Scope
			for _, name := range names {
				scopes = append(scopes, server.Scope(name))
			}
			token := "mst_" + rand.Text()
			entry, err := yaml.Marshal([]server.Token{server.NewToken(args[0], token, scopes)})
			if err != nil {
				return fmt.Errorf("encode the entry: %w", err)
			}
			if _, err := server.ParseTokens(entry); err != nil {
				return usage("--scope: %w", err)
			}
			if asJSON(cmd) {
				return p.json(map[string]string{"token": token, "entry": string(entry)})
			}
			if _, err := fmt.Fprintf(p.err, "token: %s\n", token); err != nil {
				return fmt.Errorf("print the token: %w", err)
			}
			return p.printf("%s", entry)
		}),
	}
	cmd.Flags().StringSlice("scope", nil, "what the token opens: metrics, status, customers (API and pages), events (sending them by HTTP), profile (pprof); repeatable")
	completeFlag(cmd, "scope", allowed...)
	addOutputFlag(cmd)
	return cmd
}
