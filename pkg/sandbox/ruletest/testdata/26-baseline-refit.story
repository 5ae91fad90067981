# Baseline: a refit puts a customer on the other side: nobody is told. Back by his own order, then silence: that is his own life.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-03-01 parameters r=2 alpha=4 a=0.8 b=2.5 p=6 q=4 v=15
> ada silently opened slipping (baseline) since 2026-03-01T00:00:00Z
2026-03-02 survey ada id=s1 score=8
2026-03-03 purchase ada order=2 total=40
> ada silently closed slipping (baseline)
2026-12-01 tick
> ada raised warning slipping since 2026-04-28T13:29:55.75Z by timer: churn_probability 0.9390, at stake 5.02 (273.0 days since the last order, usually 61.0 between orders: 80%; leaves anyway after 2 purchase days: 20%)
