# Two rules on one metric, one patient.
# Rules: churn_short.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-06-10 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.5830, at stake 19.27 (146.0 days since the last order, usually 14.0 between orders: 65%; leaves anyway after 2 purchase days: 35%)
> ada raised critical slipping_long since 2026-05-28T00:58:28.012Z by timer: churn_probability 0.5830, at stake 19.27 (146.0 days since the last order, usually 14.0 between orders: 65%; leaves anyway after 2 purchase days: 35%)
2026-08-01 tick
2026-08-02 purchase ada order=3 total=40
> ada cleared slipping at 2026-08-02T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 106.5 between orders: 0%; leaves anyway after 3 purchase days: 100%)
> ada cleared slipping_long at 2026-08-02T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 106.5 between orders: 0%; leaves anyway after 3 purchase days: 100%)
