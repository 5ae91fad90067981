# A rule below its threshold is raised by an order, and cleared by silence.
# Rules: back.yaml
2026-01-01 purchase ada order=1 total=40
> ada silently opened came_back (baseline) since 2026-01-01T00:00:00Z
2026-01-07 tick
2026-01-09 tick
> ada silently closed came_back (baseline)
2026-03-01 purchase ada order=2 total=40
> ada raised info came_back since 2026-03-01T00:00:00Z by event: days_since_last_order 0.0, at stake 20.78 (0.0 days since the last order, usually 59.0 between orders: 100%)
2026-03-07 tick
2026-03-08 tick
> ada cleared came_back at 2026-03-08T00:00:00Z for time: days_since_last_order 7.0 (7.0 days since the last order, usually 59.0 between orders: 100%)
