# Evaluated on the good side under the new model, then silence: the alert is published, though nothing touched him at the refit.
# Rules: churn.yaml
2026-01-01 purchase ada order=1 total=40
2026-02-15 parameters r=2 alpha=8 a=0.4 b=2.5 p=6 q=4 v=15
2027-01-01 tick
> ada raised warning slipping since 2026-03-26T00:00:00Z by timer: churn_probability 0.9004, at stake 4.19 (365.0 days since the last order: 85%; leaves anyway after 1 purchase day: 15%)
