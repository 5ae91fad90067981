# Baseline: stricter rules open silently, laxer ones close silently, whoever crosses afterwards is told.
# Rules: churn_mid.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-05-20 tick
2026-05-21 rules churn_stricter.yaml
> ada silently opened slipping (baseline) since 2026-05-21T00:00:00Z
2026-05-22 survey ada id=s1 score=8
2026-05-23 rules churn_laxer.yaml
> ada silently closed slipping (baseline)
2026-05-24 survey ada id=s2 score=8
2029-12-31 tick
> ada raised warning slipping since 2027-11-20T01:05:53.091Z by timer: churn_probability 0.9633, at stake 0.49 (1446.0 days since the last order, usually 14.0 between orders: 79%; leaves anyway after 2 purchase days: 21%)
