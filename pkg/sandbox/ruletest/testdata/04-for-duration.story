# The threshold is crossed, and the alert rises ten days later, still in silence.
# Rules: churn_for.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-05-01 tick
2026-05-08 tick
2026-05-09 tick
> ada raised warning slipping since 2026-05-08T00:58:28.012Z by timer: churn_probability 0.5232, at stake 22.48 (114.0 days since the last order, usually 14.0 between orders: 61%; leaves anyway after 2 purchase days: 39%)
2026-07-01 tick
