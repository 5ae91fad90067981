# At the edge of a tier nobody flaps: in a day of silence the value falls from 707 below the bound of 705, and the tier is kept;
# it is lost 2% below the bound, and won back at the bound. What a refund takes from ada's twin is taken at once.
# Rules: tier.yaml
2026-01-01 thresholds top_10=10000 top_20=705
2026-01-02 purchase ada order=1 total=20
2026-01-02 purchase twin order=1 total=20
2026-01-03 purchase ada order=2 total=150
> ada raised info upper_fifth since 2026-01-03T00:00:00Z by event: value_tier 1.000, at stake 108.37 (2 orders worth 170.00 EUR: 24%; 537.28 EUR expected: 76%)
2026-01-03 purchase twin order=2 total=150
> twin raised info upper_fifth since 2026-01-03T00:00:00Z by event: value_tier 1.000, at stake 108.37 (2 orders worth 170.00 EUR: 24%; 537.28 EUR expected: 76%)
2026-01-04 survey ada id=s1 score=8
2026-01-04 refund twin order=1 id=r1 total=0.50
> twin cleared upper_fifth at 2026-01-04T00:00:00Z for cancellation: value_tier 0.000 (0.50 EUR refunded or cancelled: 5%; 9.28 EUR less expected: 95%)
2026-01-06 survey ada id=s2 score=8
> ada cleared upper_fifth at 2026-01-06T00:00:00Z for survey: value_tier 0.000 (17.21 EUR less expected: 100%)
2026-02-20 tick
2026-03-01 purchase ada order=3 total=100
> ada raised info upper_fifth since 2026-03-01T00:00:00Z by event: value_tier 1.000, at stake 81.91 (3 orders worth 270.00 EUR: 35%; 507.59 EUR expected: 65%)
