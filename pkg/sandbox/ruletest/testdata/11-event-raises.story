# An order takes the historic value over its threshold, another one the number of orders; a refund and a cancellation take them back.
# Rules: spent.yaml
2026-01-01 purchase ada order=1 total=60
2026-01-05 purchase ada order=2 total=60
> ada raised info spent_much since 2026-01-05T00:00:00Z by event: historic_clv 120.00, at stake 49.00 (2 orders standing, worth 120.00 EUR: 100%)
2026-01-06 purchase ada order=3 total=10
> ada raised info many_orders since 2026-01-06T00:00:00Z by event: number_of_orders 3.000, at stake 38.56 (3 orders standing, worth 130.00 EUR: 100%)
2026-01-08 refund ada order=1 id=r1 total=50
> ada cleared spent_much at 2026-01-08T00:00:00Z for cancellation: historic_clv 80.00 (3 orders standing, worth 80.00 EUR: 100%)
2026-01-09 cancel ada order=3
> ada cleared many_orders at 2026-01-09T00:00:00Z for cancellation: number_of_orders 2.000 (2 orders standing, worth 70.00 EUR: 100%)
