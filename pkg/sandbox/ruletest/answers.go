package ruletest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/mainstay/mainstay/processors"
	"github.com/mainstay/mainstay/schemas/ledger"
	"github.com/mainstay/mainstay/schemas/output"
)

// begin starts an empty ledger in a base currency.
func (s *Scenario) begin(currency string) error {
	s.state, s.offset, s.version = processors.NewPartition(0), 0, 0
	err := s.appendEntry(ledger.Kind_KIND_GENESIS, &ledger.Genesis{
		LedgerId: "scenario", Partitions: 1, CustomerHash: "murmur2", CustomerNormalisation: "none", Clock: ledger.Clock_CLOCK_LIVE, Currency: currency, Timezone: "UTC",
	})
	if err != nil {
		return err
	}
	s.unit = s.state.Unit()
	return s.appendSettings()
}

// setCurrency begins the ledger again in another base currency, which is the first line of a scenario if it is any.
func (s *Scenario) setCurrency(rest []string) error {
	if len(rest) != 1 || s.origin != 0 || s.lines != 1 {
		return fmt.Errorf("%w: currency CODE, once, as the first line", ErrLine)
	}
	return s.begin(rest[0])
}

// report sets the topics whose outputs are reported besides alerts: answers TOPIC...
func (s *Scenario) report(topics []string) error {
	s.reported = map[output.Topic]bool{}
	for _, name := range topics {
		found := false
		for t := range output.Topics {
			if t.String() == name && (answers[t] != nil || t == output.Portfolio) {
				s.reported[t], found = true, true
			}
		}
		if !found {
			return fmt.Errorf("%w: answers %q; known are all but %s", ErrLine, name, output.Alerts)
		}
	}
	return nil
}

// publishedAnswer is the part of a customer's outputs other than alerts that is reported.
type publishedAnswer struct {
	Customer string      `json:"customer_id"`
	AsOf     string      `json:"as_of"`
	Trigger  string      `json:"trigger"`
	Cause    string      `json:"cause_event_id"`
	Reason   string      `json:"reason"`
	Percent  json.Number `json:"clv_percentile"`
	Total    json.Number `json:"total_clv"`
	Historic json.Number `json:"historic_clv"`
	Predict  json.Number `json:"predicted_clv"`
	Orders   int         `json:"historic_number_of_orders"`
	Tier     string      `json:"value_tier"`
	Referral json.Number `json:"referral_value"`
	Risk     string      `json:"churn_risk"`
	Churn    json.Number `json:"churn_probability"`
	Next     string      `json:"next_check_at"`
	Category string      `json:"nps_category"`
	Score    json.Number `json:"nps_score"`
	Counted  int         `json:"response_count"`
	Referred int         `json:"referred_customers"`
	Reasons  []string    `json:"reasons"`

	Milestone string `json:"milestone_id"`
}

// answers write what is reported of an output, by topic.
var answers = map[output.Topic]func(a *publishedAnswer) string{ //nolint:gochecknoglobals // a table
	output.CLV: func(a *publishedAnswer) string {
		return fmt.Sprintf("total_clv %s = %s + %s, orders %d, tier %s at %s, referral_value %s", a.Total, a.Historic, orNull(a.Predict), a.Orders,
			orNull(json.Number(a.Tier)), orNull(a.Percent), a.Referral)
	},
	output.ChurnRisk: func(a *publishedAnswer) string {
		return fmt.Sprintf("%s %s, next check %s", orNull(a.Churn), a.Risk, orNull(json.Number(a.Next)))
	},
	output.PromoterStatus: func(a *publishedAnswer) string {
		return fmt.Sprintf("%s, score %s of %d, referred %d", a.Category, orNull(a.Score), a.Counted, a.Referred)
	},
	output.Milestones: func(a *publishedAnswer) string { return a.Milestone },
	output.Rejections: func(a *publishedAnswer) string { return a.Reason },
}

func orNull(text json.Number) string {
	if text == "" {
		return "null"
	}
	return text.String()
}

// recordAnswers adds the outputs of the topics that are reported to the results.
func (s *Scenario) recordAnswers(out *output.Batch) error {
	for i := range out.Records {
		r := &out.Records[i]
		if output.Ends(r.Type) {
			continue
		}
		if !s.reported[r.Topic] {
			continue
		}
		if r.Topic == output.Portfolio {
			if err := s.recordPortfolio(out.Value(r)); err != nil {
				return err
			}
			continue
		}
		var a publishedAnswer
		if err := json.Unmarshal(out.Value(r), &a); err != nil {
			return fmt.Errorf("decode an answer: %w", err)
		}
		if a.Cause != "" {
			a.Trigger += " " + a.Cause
		}
		s.addResult("%s %s at %s by %s: %s (%s)", a.Customer, r.Topic, a.AsOf, a.Trigger, answers[r.Topic](&a), strings.Join(a.Reasons, "; "))
	}
	return nil
}
