# Baseline: who is met for the first time has crossed nothing. His next crossing is his own.
# Rules: spent.yaml
2026-01-01 purchase ada order=1 total=500
> ada silently opened spent_much (baseline) since 2026-01-01T00:00:00Z
2026-01-02 cancel ada order=1
> ada silently closed spent_much (baseline)
2026-01-03 purchase ada order=2 total=500
> ada raised info spent_much since 2026-01-03T00:00:00Z by event: historic_clv 500.00, at stake 198.18 (1 order standing, worth 500.00 EUR: 100%)
