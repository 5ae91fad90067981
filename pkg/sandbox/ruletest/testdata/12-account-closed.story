# Who closes his account has no churn probability: the episode ends for that reason.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-08-01 tick
> ada raised warning slipping since 2026-04-28T00:58:28.012Z by timer: churn_probability 0.6594, at stake 14.91 (198.0 days since the last order, usually 14.0 between orders: 69%; leaves anyway after 2 purchase days: 31%)
2026-08-02 account ada
> ada cleared slipping at 2026-08-02T00:00:00Z for account_closed: churn_probability null (account closed: 100%)
