package ruletest

import (
	"encoding/json"
	"fmt"
	"strings"
)

// publishedPortfolio is the part of a portfolio that is reported.
type publishedPortfolio struct {
	AsOf      string      `json:"as_of"`
	State     string      `json:"state"`
	Customers int         `json:"customers"`
	Prospects int         `json:"prospects"`
	Active    int         `json:"active_customers"`
	Revenue   json.Number `json:"historic_revenue"`
	Future    json.Number `json:"future_value"`
	Equity    json.Number `json:"customer_equity"`
	Cancelled []struct {
		Reason        *string `json:"reason"`
		Orders        int     `json:"orders"`
		Refunds       int     `json:"refunds"`
		Subscriptions int     `json:"subscriptions"`
		Accounts      int     `json:"accounts"`
	} `json:"cancel_reasons"`
}

// recordPortfolio adds a portfolio to the results. Counts of cancellations are: reason orders+refunds+subscriptions+accounts.
func (s *Scenario) recordPortfolio(value []byte) error {
	var p publishedPortfolio
	if err := json.Unmarshal(value, &p); err != nil {
		return fmt.Errorf("decode a portfolio: %w", err)
	}
	cancelled := []string{}
	for _, n := range p.Cancelled {
		reason := "null"
		if n.Reason != nil {
			reason = *n.Reason
		}
		cancelled = append(cancelled, fmt.Sprintf("%s %d+%d+%d+%d", reason, n.Orders, n.Refunds, n.Subscriptions, n.Accounts))
	}
	s.addResult("portfolio %s as of %s: %d customers, %d active, %d prospects, historic_revenue %s, future_value %s, customer_equity %s, cancelled (%s)",
		p.State, p.AsOf, p.Customers, p.Active, p.Prospects, p.Revenue, p.Future, p.Equity, strings.Join(cancelled, ", "))
	return nil
}
