package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mainstay/mainstay/pkg/locale"
	"github.com/mainstay/mainstay/pkg/stream/lookup"
	"github.com/mainstay/mainstay/schemas/ledger"
)

// locale is that of the tables for people: the setting, or what the terminal's environment says.
func (p *program) locale(cmd *cobra.Command) (*locale.Locale, error) {
	c, err := p.config(cmd)
	if err != nil {
		return nil, err
	}
	if c.Locale != locale.Auto {
		return locale.Named(c.Locale), nil
	}
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} { // the first that is set, as POSIX says: fa_IR.UTF-8
		if value, _ := p.getenv(variable); value != "" {
			name, _, _ := strings.Cut(value, ".")
			return locale.Preferred(strings.ReplaceAll(name, "_", "-")), nil
		}
	}
	return locale.English(), nil
}

// reader is how people read what a command prints: in their locale, with the days of the ledger's time zone.
func (p *program) reader(cmd *cobra.Command, g *ledger.Genesis) (*locale.Locale, *time.Location, error) {
	zone, err := time.LoadLocation(g.GetTimezone())
	if err != nil {
		return nil, nil, fmt.Errorf("the ledger's time zone: %w", err)
	}
	in, err := p.locale(cmd)
	return in, zone, err
}

// heads are the heads of columns. English ones are their names in capitals, by which flags and files know them.
func heads(in *locale.Locale, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strings.ToUpper(strings.ReplaceAll(name, "_", " "))
		switch {
		case in.Tag == locale.English().Tag:
		case in.Knows(name):
			all[i] = in.N(name)
		case strings.HasPrefix(name, "+"): // months since the first purchase
			all[i] = decimal(in, name)
		}
	}
	return all
}

// decimal is a number in a table, in English as programs write it. A cell of its own needs no mark of direction.
func decimal(in *locale.Locale, number string) string {
	switch {
	case in.Tag == locale.English().Tag:
		return number
	case number == "true" || number == "false":
		return in.C(map[string]string{"true": "yes", "false": "no"}[number])
	}
	return strings.ReplaceAll(in.Decimal(number), "\u200e", "")
}

// figure is a figure of a customer in a table. English ones are as programs write them.
func figure(in *locale.Locale, zone *time.Location, c *lookup.Column, l *lookup.Listed) string {
	text := c.Text(l)
	switch {
	case text == "":
		return "-"
	case in.Tag == locale.English().Tag:
		return text
	case c.Name == "why":
		return lookup.WhyIn(l, in, zone)
	}
	switch c.Kind() {
	case lookup.Number, lookup.Amount, lookup.Flag:
		return decimal(in, text)
	case lookup.Moment:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return in.Day(at.In(zone))
		}
	case lookup.Words:
		rules := strings.Fields(text)
		for i := range rules {
			rules[i] = in.C(rules[i])
		}
		return strings.Join(rules, in.T(", "))
	case lookup.Label:
		return in.Cell(c.Name, text)
	}
	return text
}
