# A restart raises nothing again, and forgets no patience, no episode that is open and no cool-down.
# Rules: restart.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-05-01 tick
2026-05-02 restart
2026-05-07 tick
2026-05-09 tick
> ada raised warning slipping since 2026-05-08T00:58:28.012Z by timer: churn_probability 0.5232, at stake 22.48 (114.0 days since the last order, usually 14.0 between orders: 61%; leaves anyway after 2 purchase days: 39%)
2026-05-10 restart
2026-05-11 tick
2026-05-20 purchase ada order=3 total=40
> ada cleared slipping at 2026-05-20T00:00:00Z for purchase: churn_probability 0.1614 (0.0 days since the last order, usually 69.5 between orders: 0%; leaves anyway after 3 purchase days: 100%)
2026-05-21 cancel ada order=3
2026-05-22 restart
2026-06-18 tick
2026-06-20 tick
> ada raised warning slipping since 2026-06-19T00:00:00Z by timer: churn_probability 0.5995, at stake 18.34 (156.0 days since the last order, usually 14.0 between orders: 66%; leaves anyway after 2 purchase days: 34%)
