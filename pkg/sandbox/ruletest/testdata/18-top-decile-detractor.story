# Shipped: a detractor whom the shop leans on.
# Rules: shipped
2026-01-01 thresholds top_10=200 top_20=100
2026-01-02 purchase ada order=1 total=300
> ada silently opened high_value_gained (baseline) since 2026-01-02T00:00:00Z
2026-01-02 purchase bob order=1 total=10
2026-01-10 survey ada id=s1 score=2
> ada raised critical top_decile_detractor since 2026-01-10T00:00:00Z by event: nps_score 2.000, at stake 111.38 (answered 2 of 10 on 2026-01-10: 100%; condition: value tier top_10)
2026-01-10 survey bob id=s1 score=2
2026-01-12 survey ada id=s2 score=9
> ada cleared top_decile_detractor at 2026-01-12T00:00:00Z for survey: nps_score 9.000 (answered 9 of 10 on 2026-01-12: 100%; condition: value tier top_10)
