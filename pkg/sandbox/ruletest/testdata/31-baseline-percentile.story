# Baseline: percentiles move with the base; only an own order crosses.
# Rules: percentile.yaml
2026-01-01 thresholds top_10=900 top_20=800
2026-01-02 purchase ada order=1 total=100
2026-01-03 thresholds top_10=300 top_20=200
> ada silently opened upper_half (baseline) since 2026-01-03T00:00:00Z
2026-01-04 survey ada id=s1 score=8
2026-01-05 thresholds top_10=3000 top_20=2000
> ada silently closed upper_half (baseline)
2026-01-06 survey ada id=s2 score=8
2026-01-07 purchase ada order=2 total=1000
> ada raised info upper_half since 2026-01-07T00:00:00Z by event: clv_percentile 100.0, at stake 686.66 (2 orders worth 1100.00 EUR: 24%; 3404.28 EUR expected: 76%)
