# Silence alone takes the churn probability over the threshold, at the moment that the model gives in closed form.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-01-29 purchase ada order=3 total=40
2026-04-20 tick
> ada raised warning slipping since 2026-04-16T02:13:49.262Z by timer: churn_probability 0.5151, at stake 39.14 (81.0 days since the last order, usually 14.0 between orders: 69%; leaves anyway after 3 purchase days: 31%)
2026-12-31 tick
