package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/node/config"
	"github.com/mainstay/mainstay/pkg/sandbox/ruletest"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/processors/alert"
)

func (p *program) alertsCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List open alert episodes, from Redis", Args: cobra.NoArgs,
		Long: `List reads the open episodes whose alerts were published. With --baseline it lists those that were opened without an alert: by
a first evaluation, an import, a refit, new thresholds or changed rules, or suppressed by the fuse.`,
		RunE: p.interruptible(p.alertsList),
	}
	list.Flags().Bool("baseline", false, "list episodes that were opened without an alert")
	addOutputFlag(list)
	test := &cobra.Command{
		Use: "test RULES EVENTS", Short: "Test a rule file against scripted events", Args: cobra.ExactArgs(2),
		Long: `Test evaluates the rules of a file against a scenario, in memory and with the scenario's own time, and prints the episodes. RULES
is a YAML file with the key rules, or the word shipped. EVENTS has one event per line, in the order of time:

  2026-01-01 purchase ada order=1 total=40
  2026-01-05T09:30:00Z survey ada id=s1 score=9
  2026-06-01 tick

The other lines are refund (order, id, total), cancel (order), account, subscription (id, effective), referral (by, id, status),
thresholds (top_10, top_20), parameters, settings, rules FILE and restart (the process starts again from its stored state).
occurred=TIME makes an event late.`,
		RunE: p.interruptible(p.alertsTest),
	}
	addOutputFlag(test)
	return commandGroup("alerts", "List alert episodes, test alert rules and forecast their alerts", list, test, p.forecastCommand())
}

func (p *program) alertsList(ctx context.Context, cmd *cobra.Command, _ []string) error {
	machine := asJSON(cmd)
	baseline, err := cmd.Flags().GetBool("baseline")
	if err != nil {
		return err
	}
	a, g, err := p.openLedger(ctx, cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	all, err := lookup.OpenAlerts(ctx, a.Redis, a.Config.Namespace, g, baseline)
	if err != nil {
		return err
	}
	in, zone, err := p.reader(cmd, g)
	if err != nil {
		return err
	}
	type listed struct {
		AlertID  string  `json:"alert_id"`
		Customer string  `json:"customer_id"`
		Rule     string  `json:"rule"`
		Severity string  `json:"severity"`
		State    string  `json:"state"`
		Group    *string `json:"group"`
		RaisedAt string  `json:"raised_at"`
	}
	lines, rows := make([]listed, len(all)), make([][]string, len(all))
	for i, e := range all {
		at := time.UnixMilli(e.RaisedAt).UTC()
		lines[i] = listed{e.AlertID, e.Customer, e.Rule, e.Severity, e.State, nil, at.Format(time.RFC3339Nano)}
		if e.Group != "" {
			lines[i].Group = &all[i].Group
		}
		rows[i] = []string{formatTime(&at), e.Customer, in.C(e.Rule), in.C(e.Severity), in.C(e.State), in.C(orDash(e.Group)), e.AlertID}
		if in.Tag != locale.English().Tag {
			rows[i][0] = in.Day(at.In(zone))
		}
	}
	if machine {
		return p.json(lines)
	}
	return p.tableIn(in, heads(in, []string{"since", "customer", "rule", "severity", "state", "group", "alert"}), rows)
}

func (p *program) alertsTest(_ context.Context, cmd *cobra.Command, args []string) error {
	machine := asJSON(cmd)
	rules, err := ruleFile(args[0])
	if err != nil {
		return err
	}
	scenario, err := os.Open(args[1])
	if err != nil {
		return fmt.Errorf("open the events: %w", err)
	}
	defer scenario.Close() //nolint:errcheck // it was only read
	s, err := ruletest.New(rules, func(name string) ([]alert.Rule, error) {
		if name != "shipped" && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(args[0]), name)
		}
		return ruleFile(name)
	})
	if err != nil {
		return err
	}
	if err := s.Run(scenario, func(string, []string) error { return nil }); err != nil {
		return fmt.Errorf("%s: %w", args[1], err)
	}
	episodes := slices.DeleteFunc(s.Episodes(), func(e ruletest.Episode) bool { return !e.Published() })
	if machine {
		return p.json(episodes)
	}
	rows := make([][]string, len(episodes))
	for i, e := range episodes {
		rows[i] = []string{formatTime(&e.RaisedAt), orDash(e.ClearedAt), e.Customer, e.Rule, e.Severity, e.State, orDash(e.Group), orDash(e.Value), strings.Join(e.Reasons, "; ")}
	}
	return p.table([]string{"SINCE", "UNTIL", "CUSTOMER", "RULE", "SEVERITY", "STATE", "GROUP", "VALUE", "REASONS"}, rows)
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
