# Baseline: other customers have grown, and so the tier is lost: silently. Won back by an order: aloud.
# Rules: shipped
2026-01-01 thresholds top_10=400 top_20=200
2026-01-02 purchase ada order=1 total=20
2026-01-03 purchase ada order=2 total=150
> ada raised info high_value_gained since 2026-01-03T00:00:00Z by event: value_tier 2.000, at stake 108.37 (2 orders worth 170.00 EUR: 24%; 537.28 EUR expected: 76%)
2026-01-04 thresholds top_10=4000 top_20=2000
> ada silently opened high_value_lost (baseline) since 2026-01-04T00:00:00Z
> ada silently closed high_value_gained (raised)
2026-01-05 survey ada id=s1 score=8
2026-01-06 purchase ada order=3 total=2000
> ada raised info high_value_gained since 2026-01-06T00:00:00Z by event: value_tier 2.000, at stake 1067.47 (3 orders worth 2170.00 EUR: 25%; 6615.27 EUR expected: 75%)
> ada silently closed high_value_lost (baseline)
