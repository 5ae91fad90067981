# alerts.publish_baseline: what opens silently is published as initial, and ends aloud.
# Rules: spent.yaml
2026-01-01 settings alerts_publish_baseline=true
2026-01-02 purchase ada order=1 total=500
> ada initial info spent_much since 2026-01-02T00:00:00Z by event: historic_clv 500.00, at stake 198.18 (1 order standing, worth 500.00 EUR: 100%)
2026-01-03 cancel ada order=1
> ada cleared spent_much at 2026-01-03T00:00:00Z for cancellation: historic_clv 0.00 (0 orders standing, worth 0.00 EUR: 100%)
