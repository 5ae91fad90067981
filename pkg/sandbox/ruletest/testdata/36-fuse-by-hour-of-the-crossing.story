# A leap of time is no flood: who crossed in another hour of the ledger counts there.
# Rules: churn.yaml
2026-01-01 settings alerts_fuse_raises=1 alerts_fuse_share=0
2026-01-01T08:00:00Z purchase ada order=1 total=1
2026-01-02T08:00:00Z purchase bob order=1 total=1
2026-01-02T08:00:00Z purchase cyd order=1 total=1
2027-01-01 tick
> ada raised warning slipping since 2026-12-15T20:13:08.804Z by timer: churn_probability 0.5049, at stake 0.10 (364.7 days since the last order: 47%; leaves anyway after 1 purchase day: 53%)
> bob raised warning slipping since 2026-12-16T20:13:08.804Z by timer: churn_probability 0.5046, at stake 0.10 (363.7 days since the last order: 47%; leaves anyway after 1 purchase day: 53%)
> cyd silently opened slipping (suppressed) since 2026-12-16T20:13:08.804Z
