# Baseline: history that comes late is right at once, and its old alerts do not fire. What time brings afterwards does.
# Rules: churn.yaml
2026-06-01 survey ada id=s1 score=8
2026-06-01 purchase ada order=1 total=40 occurred=2024-01-01
> ada silently opened slipping (baseline) since 2026-06-01T00:00:00Z
2026-06-01 purchase ada order=2 total=40 occurred=2026-05-01
> ada silently closed slipping (baseline)
2026-09-01 tick
2032-01-01 tick
> ada raised warning slipping since 2030-01-20T06:08:47.915Z by timer: churn_probability 0.6009, at stake 1.72 (2071.0 days since the last order, usually 851.0 between orders: 66%; leaves anyway after 2 purchase days: 34%)
