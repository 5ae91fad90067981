# The fuse: two an hour are let through here, the rest is held back, recorded, and ends silently. The next hour is another one.
# Rules: spent.yaml
2026-01-01 settings alerts_fuse_raises=2 alerts_fuse_share=0
2026-01-01 purchase ada order=1 total=1
2026-01-01 purchase bob order=1 total=1
2026-01-01 purchase cyd order=1 total=1
2026-01-01 purchase dee order=1 total=1
2026-01-02T09:00:00Z purchase ada order=2 total=200
> ada raised info spent_much since 2026-01-02T09:00:00Z by event: historic_clv 201.00, at stake 141.13 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02T09:10:00Z purchase bob order=2 total=200
> bob raised info spent_much since 2026-01-02T09:10:00Z by event: historic_clv 201.00, at stake 141.13 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02T09:20:00Z purchase cyd order=2 total=200
> cyd silently opened spent_much (suppressed) since 2026-01-02T09:20:00Z
2026-01-02T09:30:00Z refund cyd order=2 id=r1 total=150
> cyd silently closed spent_much (suppressed)
2026-01-02T10:00:00Z purchase dee order=2 total=200
> dee raised info spent_much since 2026-01-02T10:00:00Z by event: historic_clv 201.00, at stake 141.16 (2 orders standing, worth 201.00 EUR: 100%)
2026-01-02T10:05:00Z purchase cyd order=3 total=200
> cyd raised info spent_much since 2026-01-02T10:05:00Z by event: historic_clv 251.00, at stake 176.41 (3 orders standing, worth 251.00 EUR: 100%)
> cyd raised info many_orders since 2026-01-02T10:05:00Z by event: number_of_orders 3.000, at stake 176.41 (3 orders standing, worth 251.00 EUR: 100%)
