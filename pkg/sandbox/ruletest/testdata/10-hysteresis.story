# Between the two thresholds nothing opens and nothing closes.
# Rules: value.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-02 purchase ada order=2 total=50
2026-01-03 purchase ada order=3 total=20
> ada raised info big_spender since 2026-01-03T00:00:00Z by event: historic_clv 110.00, at stake 38.34 (3 orders standing, worth 110.00 EUR: 100%)
2026-01-04 refund ada order=2 id=r1 total=40
2026-01-05 refund ada order=3 id=r2 total=15
> ada cleared big_spender at 2026-01-05T00:00:00Z for cancellation: historic_clv 55.00 (3 orders standing, worth 55.00 EUR: 100%)
2026-01-06 purchase ada order=4 total=40
2026-01-07 purchase ada order=5 total=10
> ada raised info big_spender since 2026-01-07T00:00:00Z by event: historic_clv 105.00, at stake 21.86 (5 orders standing, worth 105.00 EUR: 100%)
