# Baseline: a refit that takes an episode back ends it silently.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-08-01 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.6594, at stake 14.91 (198.0 days since the last order, usually 14.0 between orders: 69%; leaves anyway after 2 purchase days: 31%)
2026-08-02 parameters r=0.5 alpha=40 a=0.1 b=4 p=6 q=4 v=15
> ada silently closed slipping (raised)
2026-08-03 survey ada id=s1 score=8
