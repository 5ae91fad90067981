# Shipped: a subscription that ends later raises when it ends; an order afterwards clears.
# Rules: shipped
2026-01-01 purchase ada order=1 total=20
2026-01-05 subscription ada id=sub effective=2026-02-01
2026-01-31 tick
2026-02-02 tick
> ada raised warning subscription_cancelled since 2026-02-01T00:00:00Z by timer: subscription_cancelled 1.000, at stake 6.25 (subscription ended on 2026-02-01: 100%)
2026-02-03 purchase ada order=2 total=20
> ada cleared subscription_cancelled at 2026-02-03T00:00:00Z for purchase: subscription_cancelled 0.000 (ordered again since the subscription ended: 100%)
