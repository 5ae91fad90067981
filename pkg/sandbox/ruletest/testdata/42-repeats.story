# The same event again changes nothing.
# Rules: spent.yaml
2026-01-01 purchase ada order=1 total=1
2026-01-02 purchase ada order=2 total=200
> ada raised info spent_much since 2026-01-02T00:00:00Z by event: historic_clv 201.00, at stake 140.88 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02 purchase ada order=2 total=200
> duplicate_event
2026-01-03 purchase ada order=2 total=300
> rejected event_conflict
