# Raised and cleared twice within one moment: every episode has an id of its own.
# Rules: spent.yaml
2026-01-01 purchase ada order=1 total=1
2026-01-02 purchase ada order=2 total=200
> ada raised info spent_much since 2026-01-02T00:00:00Z by event: historic_clv 201.00, at stake 140.88 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02 cancel ada order=2
> ada cleared spent_much at 2026-01-02T00:00:00Z for cancellation: historic_clv 1.00 (1 order standing, worth 1.00 EUR: 100%)
2026-01-02 purchase ada order=3 total=200
> ada raised info spent_much since 2026-01-02T00:00:00Z by event: historic_clv 201.00, at stake 140.88 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02 cancel ada order=3
> ada cleared spent_much at 2026-01-02T00:00:00Z for cancellation: historic_clv 1.00 (1 order standing, worth 1.00 EUR: 100%)
