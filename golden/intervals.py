"""Writes `intervals.json`: intervals and tests of shares from scipy and statsmodels, Tango's statistic from the likelihood itself."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import scipy.optimize
import scipy.stats
import statsmodels.api as sm
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

import regenerate

SHARES = [(0, 1), (1, 1), (0, 20), (1, 29), (3, 7), (20, 20), (81, 263), (742, 1319), (999, 1000), (27001, 54000)]
PAIRS = [(20, 3, 0), (20, 0, 3), (50, 5, 5), (50, 1, 9), (200, 30, 12), (1319, 152, 209), (1319, 360, 76), (54000, 2100, 2000)]
MARGINS = [0.0, 0.02, 0.05, 0.1]


def shares() -> list[dict]:
    rows = []
    for right, total in SHARES:
        row = dict(right=right, total=total, wilson=proportion_confint(right, total, 0.05, "wilson"))
        for level in (0.9, 0.95, 0.99):
            low, high = proportion_confint(right, total, 1 - level, "beta")
            row[f"clopper_pearson_{level}"] = [low, high]
            low, high = scipy.stats.beta.ppf([(1 - level) / 2, (1 + level) / 2], right + 0.5, total - right + 0.5)
            row[f"jeffreys_{level}"] = [low if right else 0.0, high if right < total else 1.0]
        rows.append(row)
    return rows


def tango(n: int, wins: int, losses: int, margin: float) -> float:
    """The score statistic with the loss probability found by maximising the likelihood numerically: P(win) = q - margin."""

    def minus_log_likelihood(q: float) -> float:
        p_win, p_tie = q - margin, 1 - 2 * q + margin
        terms = [(losses, q), (wins, p_win), (n - wins - losses, p_tie)]
        return -sum(k * math.log(p) for k, p in terms if k)

    low, high = max(margin, 0.0), (1 + margin) / 2
    found = scipy.optimize.minimize_scalar(minus_log_likelihood, bounds=(low + 1e-15, high - 1e-15), method="bounded", options=dict(xatol=1e-14))
    q = found.x
    return (wins - losses + n * margin) / math.sqrt(n * (2 * q - margin - margin**2))


def pairs() -> list[dict]:
    rows = []
    for n, wins, losses in PAIRS:
        two_sided = mcnemar([[0, wins], [losses, 0]], exact=True).pvalue
        one_sided = scipy.stats.binomtest(losses, wins + losses, 0.5, "greater").pvalue
        statistics = [tango(n, wins, losses, m) if m or min(wins, losses) else None for m in MARGINS]
        rows.append(dict(n=n, wins=wins, losses=losses, mcnemar=two_sided, mcnemar_worse=one_sided, tango=statistics))
    return rows


def means() -> list[dict]:
    rows = []
    for n, n_clusters in [(12, 4), (60, 60), (200, 7), (301, 43)]:
        scores = [((i * 7919) % 101) / 101 if n % 2 else float((i * 7919 + i // 5) % 3 == 0) for i in range(n)]
        clusters = [(i * 31) % n_clusters for i in range(n)]
        ones = np.ones((n, 1))
        fit = sm.OLS(scores, ones).fit(cov_type="cluster", cov_kwds=dict(groups=np.array(clusters), use_correction=False))
        rows.append(dict(
            scores=scores, clusters=clusters, value=float(fit.params[0]), clustered_se=float(fit.bse[0]),
            se=float(scipy.stats.sem(scores)), t=float(scipy.stats.t.ppf(0.975, n_clusters - 1)),
        ))
    return rows


def money() -> list[dict]:
    """The betting process in exact fractions."""
    rows = []
    for margin in (Fraction(0), Fraction(1, 50), Fraction(1, 20), Fraction(1, 5)):
        stream = [Fraction((i * 7919) % 41 - 18, 23) if i % 3 else Fraction(0) for i in range(60)]
        stream = [max(Fraction(-1), min(Fraction(1), d)) for d in stream]
        boldness = [Fraction(9, 10) * j / 17 for j in range(1, 17)]
        k, l = [Fraction(1)] * 16, [Fraction(1)] * 16
        for d in stream:
            k = [w * (1 + b / (1 - margin) * (d + margin)) for w, b in zip(k, boldness)]
            l = [w * (1 - b * d) for w, b in zip(l, boldness)]
        rows.append(dict(margin=float(margin), stream=[float(d) for d in stream], k=float(sum(k) / 16), l=float(sum(l) / 16)))
    return rows


def build(out: Path) -> list[str]:
    quantiles = [[p, float(scipy.stats.norm.ppf(p))] for p in (0.001, 0.05, 0.5, 0.8, 0.95, 0.975, 0.999999)]
    document = dict(normal=quantiles, margins=MARGINS, shares=shares(), pairs=pairs(), means=means(), money=money())
    (out / "intervals.json").write_text(json.dumps(document, indent=1) + "\n")
    return ["intervals.json"]


if __name__ == "__main__":
    regenerate.run(build, Path(__file__).parent, __doc__)
