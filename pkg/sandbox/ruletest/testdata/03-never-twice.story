# However often time is told, an episode is raised once.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-06-01 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.5673, at stake 20.14 (137.0 days since the last order, usually 14.0 between orders: 64%; leaves anyway after 2 purchase days: 36%)
2026-07-01 tick
2026-08-01 survey ada id=s1 score=8
2026-09-01 tick
