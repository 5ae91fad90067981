# Baseline: with the first thresholds everybody has a tier; nobody has earned it that day.
# Rules: shipped
2026-01-01 purchase ada order=1 total=300
2026-01-02 thresholds top_10=200 top_20=100
> ada silently opened high_value_gained (baseline) since 2026-01-02T00:00:00Z
2026-01-03 survey ada id=s1 score=8
2026-01-04 purchase ada order=2 total=10
