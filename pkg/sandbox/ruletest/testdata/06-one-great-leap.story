# Time that passes in one leap raises at the same moment as day by day.
# Rules: churn_for.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2027-01-01 tick
> ada raised warning slipping since 2026-05-08T00:58:28.012Z by timer: churn_probability 0.7926, at stake 7.41 (351.0 days since the last order, usually 14.0 between orders: 75%; leaves anyway after 2 purchase days: 25%)
