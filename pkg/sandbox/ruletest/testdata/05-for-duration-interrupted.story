# An order within the ten days: nothing is raised.
# Rules: churn_for.yaml
2026-01-01 purchase ada order=1 total=40
2026-01-15 purchase ada order=2 total=40
2026-05-01 tick
2026-05-03 purchase ada order=3 total=40
2026-05-30 tick
