"""Writes yardstick.csv: how other libraries predict the shops of TestYardstick.

Run: go test -run Yardstick ./pkg/lifetimes -args -yardstick-to DIR, then
pip install lifetimes pymc-marketing && python3 yardstick.py DIR > yardstick.csv
The measures are those of docs/models.md ("Method of the backtest"). lifetimes fits by maximum likelihood without a
penalty, PyMC-Marketing by maximum a posteriori with its default priors. lifetimes has no
probability of a purchase within a time for BG/NBD and MBG/NBD; here it is its probability of
being alive, times that of a purchase of a customer who is alive, with its parameters.
"""
import importlib.metadata
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")
SHOPS = ["CDNOW", "Pareto/NBD", "mostly once", "groceries", "heavy tail", "Christmas"]


def summaries(path):
    """frequency, recency, T and the holdout's purchase days by customer, and the holdout's length; weeks."""
    with open(path) as f:
        split, end = (int(v) for v in f.readline()[1:].split(","))
    rows = pd.read_csv(path, skiprows=1)
    before = rows[rows["day"] <= split].groupby("customer")["day"].agg(["min", "max", "count"])
    after = rows[rows["day"] > split].groupby("customer")["day"].count().reindex(before.index, fill_value=0)
    return pd.DataFrame({
        "customer_id": before.index, "frequency": before["count"] - 1,
        "recency": (before["max"] - before["min"]) / 7, "T": (split - before["min"]) / 7,
    }), after.to_numpy(float), (end - split) / 7


def measures(expected, some, actual):
    n, bought = len(actual), actual > 0
    counts = [f"{np.abs(expected - actual).mean():.4f}", f"{np.sqrt(((expected - actual) ** 2).mean()):.4f}",
              f"{100 * (expected.sum() / actual.sum() - 1):+.1f}%"]
    if some is None:
        return counts + ["", ""]
    ranks = pd.Series(some).rank().to_numpy()
    buyers = bought.sum()
    auc = (ranks[bought].sum() - buyers * (buyers + 1) / 2) / (buyers * (n - buyers))
    # Customers with equal probabilities each count with the share of buyers among them.
    share = pd.Series(bought.astype(float)).groupby(np.round(some, 12)).transform("mean").to_numpy()
    order = np.argsort(some, kind="stable")
    ece = sum(abs(some[part].sum() - share[part].sum()) for part in (order[b * n // 10:(b + 1) * n // 10] for b in range(10))) / n
    return counts + [f"{auc:.4f}", f"{ece:.4f}"]


def with_lifetimes(d, t):
    from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

    f, r, age = (d[c].to_numpy(float) for c in ("frequency", "recency", "T"))
    for name, fitter in (("BG/NBD", BetaGeoFitter), ("MBG/NBD", ModifiedBetaGeoFitter), ("Pareto/NBD", ParetoNBDFitter)):
        m = fitter(penalizer_coef=0.0)
        try:
            m.fit(f, r, age)
            expected = np.asarray(m.conditional_expected_number_of_purchases_up_to_time(t, f, r, age), float)
            if name == "Pareto/NBD":
                some = 1 - np.asarray(m.conditional_probability_of_n_purchases_up_to_time(0, t, f, r, age), float)
            else:
                p = m.params_
                alive = np.asarray(m.conditional_probability_alive(f, r, age), float)
                some = alive * (1 - ((p["alpha"] + age) / (p["alpha"] + age + t)) ** (p["r"] + f))
            yield name, expected, some
        except Exception as e:  # a fit that fails is a result
            yield name, None, type(e).__name__


def with_pymc(d, t):
    from pymc_marketing.clv import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel

    for name, kind in (("BG/NBD", BetaGeoModel), ("MBG/NBD", ModifiedBetaGeoModel), ("Pareto/NBD", ParetoNBDModel)):
        try:
            m = kind(data=d)
            m.fit(method="map", progressbar=False)
            expected = m.expected_purchases(d, future_t=t).mean(("chain", "draw")).to_numpy()
            if name == "MBG/NBD":  # has no probability of a purchase within a time
                yield name, expected, None
                continue
            if name == "Pareto/NBD":
                none = m.expected_purchase_probability(d, n_purchases=0, future_t=t)
            else:
                none = m.expected_probability_no_purchase(t=t, data=d)
            yield name, expected, 1 - none.mean(("chain", "draw")).to_numpy()
        except Exception as e:
            yield name, None, type(e).__name__


def main(directory):
    print("shop,by,model,MAE,RMSE,bias,AUC,ECE")
    for shop in SHOPS:
        d, actual, t = summaries(Path(directory) / (shop.replace("/", "-") + ".csv"))
        for by, run in (("lifetimes", with_lifetimes), ("PyMC-Marketing", with_pymc)):
            version = importlib.metadata.version({"lifetimes": "lifetimes", "PyMC-Marketing": "pymc-marketing"}[by])
            for name, expected, some in run(d, t):
                if expected is None:
                    print(f"{by} {name} on {shop}: {some}", file=sys.stderr)
                    figures = [""] * 5
                else:
                    bad = (~np.isfinite(expected)).sum() + (0 if some is None else (~np.isfinite(some)).sum())
                    if bad:
                        print(f"{by} {name} on {shop}: {bad} values are no numbers", file=sys.stderr)
                    figures = measures(expected, some, actual) if not bad else [""] * 5
                print(",".join([shop, f"{by} {version}", name, *figures]), flush=True)


main(sys.argv[1])
