# Back on the good side when the cool-down ends: nothing is raised.
# Rules: churn_cool.yaml
2026-01-01 purchase ada order=1 total=40
2026-03-20 tick
> ada raised warning slipping since 2026-01-31T00:00:00Z by timer: churn_probability 0.3644, at stake 9.63 (78.0 days since the last order: 26%; leaves anyway after 1 purchase day: 74%)
2026-03-25 purchase ada order=2 total=40
> ada cleared slipping at 2026-03-25T00:00:00Z for purchase: churn_probability 0.2017 (0.0 days since the last order, usually 83.0 between orders: 0%; leaves anyway after 2 purchase days: 100%)
2026-06-10 purchase ada order=3 total=40
2026-06-24 tick
