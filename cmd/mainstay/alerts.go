package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/ruletest"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/alert"
)

func (p *program) alertsCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "Episodes that fire, from Redis", Args: cobra.NoArgs,
		Long: `List reads the episodes that fire from Redis: those that subscribers were told of. With --baseline, those that nobody was told of:
opened by a first evaluation, an import, a refit, new thresholds or changed rules, or held back by the fuse.`,
		RunE: p.work(p.alertsList),
	}
	list.Flags().Bool("baseline", false, "list what opened silently, or was held back")
	outputFlag(list)
	test := &cobra.Command{
		Use: "test RULES EVENTS", Short: "Try a rule file on a story of events, and print the episodes", Args: cobra.ExactArgs(2),
		Long: `Test folds a story under the rules of a file, in memory and under a clock of its own, and prints the episodes. RULES is a YAML file
with the key rules, or the word shipped. EVENTS has a line for each thing that happens; time passes from one to the next:

  2026-01-01 purchase ada order=1 total=40
  2026-01-05T09:30:00Z survey ada id=s1 score=9
  2026-06-01 tick

Besides purchase, survey and tick there are refund (order, id, total), cancel (order), account, subscription (id, effective), referral
(by, id, status), thresholds (top_10, top_20), parameters, settings, rules FILE and restart (of the process, from what it has
stored); occurred=TIME makes an event a late one.`,
		RunE: p.work(p.alertsTest),
	}
	outputFlag(test)
	return family("alerts", "Alert episodes, and trials of rules", list, test)
}

func (p *program) alertsList(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	baseline, err := cmd.Flags().GetBool("baseline")
	if err != nil {
		return err
	}
	a, g, err := p.ledger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	all, err := lookup.OpenAlerts(ctx, a.Redis, a.Config.Namespace, g, baseline)
	if err != nil {
		return err
	}
	type listed struct {
		AlertID  string `json:"alert_id"`
		Customer string `json:"customer_id"`
		Rule     string `json:"rule"`
		Severity string `json:"severity"`
		State    string `json:"state"`
		RaisedAt string `json:"raised_at"`
	}
	lines, rows := make([]listed, len(all)), make([][]string, len(all))
	for i, e := range all {
		at := time.UnixMilli(e.RaisedAt).UTC()
		lines[i] = listed{e.AlertID, e.Customer, e.Rule, e.Severity, e.State, at.Format(time.RFC3339Nano)}
		rows[i] = []string{when(&at), e.Customer, e.Rule, e.Severity, e.State, e.AlertID}
	}
	if machine {
		return p.json(lines)
	}
	return p.table([]string{"SINCE", "CUSTOMER", "RULE", "SEVERITY", "STATE", "ALERT"}, rows)
}

func (p *program) alertsTest(_ context.Context, cmd *cobra.Command, args []string) error {
	machine, err := asJSON(cmd)
	if err != nil {
		return err
	}
	rules, err := ruleFile(args[0])
	if err != nil {
		return err
	}
	story, err := os.Open(args[1])
	if err != nil {
		return fmt.Errorf("open the events: %w", err)
	}
	defer story.Close() //nolint:errcheck // it was only read
	s, err := ruletest.New(rules, func(name string) ([]alert.Rule, error) {
		if name != "shipped" && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(args[0]), name)
		}
		return ruleFile(name)
	})
	if err != nil {
		return err
	}
	if err := s.Run(story, func(string, []string) error { return nil }); err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	episodes := s.Episodes()
	if machine {
		return p.json(episodes)
	}
	rows := make([][]string, len(episodes))
	for i, e := range episodes {
		rows[i] = []string{when(&e.RaisedAt), dash(e.ClearedAt), e.Customer, e.Rule, e.Severity, e.State, dash(e.Value), strings.Join(e.Reasons, "; ")}
	}
	return p.table([]string{"SINCE", "UNTIL", "CUSTOMER", "RULE", "SEVERITY", "STATE", "VALUE", "REASONS"}, rows)
}

func ruleFile(name string) ([]alert.Rule, error) {
	if name == "shipped" {
		return alert.Shipped(), nil
	}
	content, err := os.ReadFile(name) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return config.ParseRules(name, content)
}
