"""Stylised facts of a market, each one number computed from its order flow, with a band from the literature.

Bands are what the sources report of real markets, over minutes to months: a session of less than an hour can be held
against their sign and size, not against long-range decay.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SECOND = 10**9
MINUTE = 60 * SECOND
LEVELS = 10
SUBMISSION, CANCELLATION, DELETION = 1, 2, 3
"""Types of messages, as LOBSTER numbers them."""
WARM_UP = 5 * MINUTE
"""Time after the open that the facts leave out: the market begins with an empty book. The profile of the day has it."""
STEP = 10
"""Seconds of a short return."""
LAGS = 20
SIGN_LAGS = 50
PROFILE_FIRST = 10
"""Minutes after the open that the profile of the day holds against the rest."""


@dataclass(frozen=True)
class Flow:
    """The order flow of one market.

    Attributes:
        times: Grid of one second from the open to the end, ns since the epoch, `(G,)`.
        prices: Prices of the best levels on the grid, cents, −1 where there is none, `(G, 2, LEVELS)`: bids, asks.
        sizes: Their shares.
        trades: `(T, 5)`: time, price (cents), shares, +1 if the incoming order bought or −1 if it sold, its number.
        quotes: `(Q, 3)`: time, best bid, best ask, −1 where there is none.
        messages: `(M, 4)`: time, type (1 entry, 2 partial cancellation, 3 deletion, 4 execution), order, shares.
    """

    times: Ints
    prices: Ints
    sizes: Ints
    trades: Ints
    quotes: Ints
    messages: Ints

    @property
    def mids(self) -> Floats:
        """Mids on the grid, cents; the last two-sided one where a side is empty, not a number before the first."""
        best = self.prices[:, :, 0]
        found = np.where((best >= 0).all(axis=1), best.sum(axis=1) / 2, np.nan)
        known = np.maximum.accumulate(np.where(np.isfinite(found), np.arange(len(found)), -1))
        filled: Floats = np.where(known >= 0, found[np.maximum(known, 0)], np.nan)
        return filled

    def after(self, ns: int) -> Flow:
        """Return what happened later than so long after the open."""
        since = int(self.times[0]) + ns
        on_grid = self.times >= since
        known = max(0, int(np.searchsorted(self.quotes[:, 0], since, side="right")) - 1)  # the quote that holds then
        return Flow(
            self.times[on_grid],
            self.prices[on_grid],
            self.sizes[on_grid],
            self.trades[self.trades[:, 0] >= since],
            self.quotes[known:],
            self.messages[self.messages[:, 0] >= since],
        )

    def orders_that_traded(self) -> Ints:
        """Return incoming orders that traded, `(N, 4)`: time, shares, sign, first row of the order in `trades`."""
        changes = np.flatnonzero(np.diff(self.trades[:, 4], prepend=-1))
        shares = np.add.reduceat(self.trades[:, 2], changes) if len(changes) else np.zeros(0, dtype=np.int64)
        return np.column_stack([self.trades[changes, 0], shares, self.trades[changes, 3], changes])


def returns(flow: Flow, seconds: int) -> Floats:
    """Return the log returns of the mid over steps of so many seconds, basis points."""
    mids = flow.mids[::seconds]
    found: Floats = 1e4 * np.diff(np.log(mids[np.isfinite(mids)]))
    return found


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Return the sample autocorrelations at lags 1 to `lags`; not a number without variation or for lack of values."""
    centred = values - values.mean() if len(values) else values
    total = float(centred @ centred)
    found = np.full(lags, np.nan)
    for lag in range(1, min(lags, len(values) - 1) + 1):
        if total > 0:
            found[lag - 1] = centred[lag:] @ centred[:-lag] / total
    return found


def hill(values: Floats, share: float = 0.05) -> float:
    """Return the tail index of positive values from the largest of them (B. Hill, Annals of Statistics 3 (1975)).

    α = k / Σ log(x_i / x_(k+1)) over the k largest, k = `share` of all; not a number without a tail.
    """
    ordered = np.sort(values[values > 0])[::-1]
    k = int(share * len(ordered))
    total = float(np.log(ordered[:k] / ordered[k]).sum()) if 0 < k < len(ordered) else 0.0
    return k / total if total > 0 else math.nan


def _correlation(x: Floats, y: Floats) -> float:
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])


def _excess_kurtosis(values: Floats) -> float:
    """Return the excess kurtosis without bias, G₂."""
    return float(stats.kurtosis(values, bias=False)) if len(values) > 3 and np.ptp(values) > 0 else math.nan


def _by_minute(flow: Flow) -> tuple[Floats, Floats]:
    """Volume of each whole minute, shares, and the mid's move over it, basis points."""
    mids = flow.mids[::60]
    edges = flow.times[::60]
    volume, _ = np.histogram(flow.trades[:, 0], edges, weights=flow.trades[:, 2])
    return volume.astype(np.float64), 1e4 * np.diff(np.log(mids))


def _volume_and_volatility(flow: Flow) -> float:
    volume, moves = _by_minute(flow)
    ok = np.isfinite(moves)
    return _correlation(volume[ok], np.abs(moves[ok]))


def _spread_by_volatility(flow: Flow) -> float:
    """Mean spread at the orders that trade, by the root mean square move of the mid from one such order to the next."""
    at = np.searchsorted(flow.quotes[:, 0], flow.orders_that_traded()[:, 0], side="left") - 1
    before = flow.quotes[at[at >= 0]]
    before = before[(before[:, 1] >= 0) & (before[:, 2] >= 0)]
    moves = np.diff((before[:, 1] + before[:, 2]) / 2)
    volatility = math.sqrt(float((moves**2).mean())) if len(moves) else 0.0
    return float((before[:, 2] - before[:, 1]).mean()) / volatility if volatility > 0 else math.nan


def depth_profile(flow: Flow) -> Floats:
    """Return the mean shares at the 1st, 2nd, … best price, both sides, `(LEVELS,)`."""
    found: Floats = flow.sizes.mean(axis=(0, 1))
    return found


def _hump(flow: Flow) -> float:
    profile = depth_profile(flow)
    return float(profile[1:5].max() / profile[0]) if profile[0] > 0 else math.nan


def _durations(flow: Flow) -> Floats:
    return np.diff(flow.orders_that_traded()[:, 0]) / SECOND


def _variation_of_durations(flow: Flow) -> float:
    values = _durations(flow)
    return float(values.std() / values.mean()) if len(values) and values.mean() > 0 else math.nan


def _cancelled(flow: Flow) -> float:
    """Orders deleted, by orders that came to rest."""
    kinds = flow.messages[:, 1]
    entries = int((kinds == SUBMISSION).sum())
    return float((kinds == DELETION).sum()) / entries if entries else math.nan


def sign_autocorrelation(flow: Flow) -> Floats:
    """Return the autocorrelation of the signs of orders that trade, lags in orders."""
    return autocorrelation(flow.orders_that_traded()[:, 2].astype(np.float64), SIGN_LAGS)


def _first_minutes(flow: Flow) -> float:
    """Volume a minute in the first minutes of the session, by that of the rest."""
    volume, _ = _by_minute(flow)
    rest = volume[PROFILE_FIRST:]
    return float(volume[:PROFILE_FIRST].mean() / rest.mean()) if len(rest) and rest.mean() > 0 else math.nan


def _impact_exponent(flow: Flow) -> float:
    """ψ of the impact of single orders, size^ψ, from the means of the smaller and the larger half of them.

    Impact is the mid just after the order less the mid just before it, in the direction of the order. Its size is all
    of it, what came to rest included: what trades is few shares where the level that it met had few.
    """
    orders = flow.orders_that_traded()
    entries = flow.messages[flow.messages[:, 1] == SUBMISSION]
    rested = dict(zip(entries[:, 2].tolist(), entries[:, 3].tolist(), strict=True))
    ids = flow.trades[orders[:, 3], 4].tolist()
    orders[:, 1] += np.array([rested.get(order, 0) for order in ids], dtype=np.int64)
    times = flow.quotes[:, 0]
    before, after = (np.searchsorted(times, orders[:, 0], side=side) - 1 for side in ("left", "right"))
    ok = before >= 0
    mids = np.where((flow.quotes[:, 1:] >= 0).all(axis=1), flow.quotes[:, 1:].sum(axis=1) / 2, np.nan)
    moves, sizes = (orders[:, 2] * (mids[after] - mids[before]))[ok], orders[ok, 1]
    moves, sizes = moves[np.isfinite(moves)], sizes[np.isfinite(moves)]
    if not len(sizes):
        return math.nan
    middle = np.median(sizes)
    large = sizes > middle if (sizes > middle).any() else sizes >= middle
    if large.all():
        return math.nan
    small_move, large_move = moves[~large].mean(), moves[large].mean()
    if small_move <= 0 or large_move <= 0:
        return math.nan
    return float(np.log(large_move / small_move) / np.log(sizes[large].mean() / sizes[~large].mean()))


@dataclass(frozen=True)
class Fact:
    """A stylised fact.

    Attributes:
        name: Name.
        description: What is computed.
        low: Lower end of the band.
        high: Upper end.
        source: Where the band is from.
        compute: The number of one market.
    """

    name: str
    description: str
    low: float
    high: float
    source: str
    compute: Callable[[Flow], float]


_CONT = "Cont, Quantitative Finance 1 (2001)"
INFINITE = math.inf

FACTS = (
    Fact(
        "return_autocorrelation",
        "1-minute returns of the mid, lag 1",
        -0.1,
        0.1,
        f"{_CONT}: insignificant but for the smallest scales",
        lambda f: float(autocorrelation(returns(f.after(WARM_UP), 60), 1)[0]),
    ),
    Fact(
        "heavy_tails",
        "excess kurtosis of 10-second returns",
        0.5,
        INFINITE,
        f"{_CONT}: positive, 16 for five minutes of S&P 500 futures",
        lambda f: _excess_kurtosis(returns(f.after(WARM_UP), STEP)),
    ),
    Fact(
        "tail_index",
        "Hill index of absolute 10-second returns, largest tenth",
        2,
        5,
        f"{_CONT}: above two, below five",
        lambda f: hill(np.abs(returns(f.after(WARM_UP), STEP)), 0.1),
    ),
    Fact(
        "volatility_clustering",
        "absolute 10-second returns, mean autocorrelation of lags 1 to 6",
        0.05,
        INFINITE,
        f"{_CONT}: positive, slowly decaying",
        lambda f: float(autocorrelation(np.abs(returns(f.after(WARM_UP), STEP)), 6).mean()),
    ),
    Fact(
        "volume_and_volatility",
        "correlation of volume and absolute return, by minute",
        0.1,
        INFINITE,
        "Karpoff, J. Financial and Quantitative Analysis 22 (1987): positive",
        lambda f: _volume_and_volatility(f.after(WARM_UP)),
    ),
    Fact(
        "spread",
        "mean spread / volatility of the mid per trade",
        1,
        2,
        "Wyart et al., Quantitative Finance 8 (2008): 1.2 to 1.6 where the tick does not bind",
        lambda f: _spread_by_volatility(f.after(WARM_UP)),
    ),
    Fact(
        "depth_profile",
        "largest of the levels 2 to 5 / the best level, mean shares",
        1,
        INFINITE,
        "Bouchaud, Mézard, Potters, Quantitative Finance 2 (2002): the largest depth is behind the best price",
        lambda f: _hump(f.after(WARM_UP)),
    ),
    Fact(
        "order_sizes",
        "Hill index of the shares of orders that trade, largest twentieth",
        1,
        3,
        "Gopikrishnan et al., Physical Review E 62 (2000): 1.5",
        lambda f: hill(f.after(WARM_UP).orders_that_traded()[:, 1].astype(np.float64)),
    ),
    Fact(
        "inter_arrival_times",
        "times between orders that trade, standard deviation / mean",
        1.1,
        INFINITE,
        "Engle and Russell, Econometrica 66 (1998): above 1, more bunched than a Poisson process",
        lambda f: _variation_of_durations(f.after(WARM_UP)),
    ),
    Fact(
        "inter_arrival_clustering",
        "times between orders that trade, autocorrelation at lag 1",
        0.05,
        INFINITE,
        "Engle and Russell, Econometrica 66 (1998): positive",
        lambda f: float(autocorrelation(_durations(f.after(WARM_UP)), 1)[0]),
    ),
    Fact(
        "cancel_rate",
        "orders withdrawn / orders that came to rest",
        0.7,
        0.99,
        "Gould et al., Quantitative Finance 13 (2013): 70 to 80 %; Hasbrouck and Saar, J. Financial Markets 16 (2013):"
        " above 90 %",
        lambda f: _cancelled(f.after(WARM_UP)),
    ),
    Fact(
        "order_flow_autocorrelation",
        "signs of orders that trade, lag 1",
        0.1,
        0.7,
        "Lillo and Farmer, Studies in Nonlinear Dynamics & Econometrics 8 (2004); Bouchaud et al., Quantitative Finance"
        " 4 (2004): about 0.2 to 0.6",
        lambda f: float(sign_autocorrelation(f.after(WARM_UP))[0]),
    ),
    Fact(
        "order_flow_memory",
        "the same, mean of lags 10 to 20",
        0.02,
        INFINITE,
        "the same: a power law of exponent 0.2 to 0.7 in the lag",
        lambda f: float(sign_autocorrelation(f.after(WARM_UP))[9:20].mean()),
    ),
    Fact(
        "intraday_profile",
        "volume a minute in the first 10 minutes / in the rest of the session",
        1.2,
        INFINITE,
        "Jain and Joh, J. Financial and Quantitative Analysis 23 (1988): highest after the open",
        _first_minutes,
    ),
    Fact(
        "impact_concavity",
        "exponent of the immediate impact of single orders on their size",
        0.1,
        0.6,
        "Lillo, Farmer, Mantegna, Nature 421 (2003): 0.1 to 0.5",
        lambda f: _impact_exponent(f.after(WARM_UP)),
    ),
)


def facts_of(flow: Flow) -> dict[str, float | None]:
    """Return every fact of one market; None where it cannot be computed."""
    values = {fact.name: fact.compute(flow) for fact in FACTS}
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def curves_of(flow: Flow) -> dict[str, list[float | None]]:
    """Return the curves that the figure shows: autocorrelations, depth by level, volume by minute."""
    settled = flow.after(WARM_UP)
    short = returns(settled, STEP)
    curves = {
        "returns": autocorrelation(short, LAGS),
        "absolute_returns": autocorrelation(np.abs(short), LAGS),
        "signs": sign_autocorrelation(settled),
        "depth": depth_profile(settled),
        "volume": _by_minute(flow)[0],
    }
    return {
        name: [float(value) if math.isfinite(value) else None for value in values] for name, values in curves.items()
    }


def upstream_facts_of(flow: Flow) -> dict[str, float]:
    """Return the statistics that upstream was measured by (columns of `rmsc04_facts.csv`), of one market."""
    both = (flow.prices[:, :, 0] >= 0).all(axis=1)
    prices, sizes = flow.prices[both], flow.sizes[both]
    spread = prices[:, 1, 0] - prices[:, 0, 0]
    minutes = (flow.times[-1] - flow.times[0]) / MINUTE
    shares = flow.trades[:, 2]
    moves = returns(flow, 60)
    kinds = flow.messages[:, 1]
    return {
        "pct_two_sided": 100 * float(both.mean()),
        "spread_mean": float(spread.mean()),
        "spread_median": float(np.median(spread)),
        "depth1_bid": float(sizes[:, 0, 0].mean()),
        "depth1_ask": float(sizes[:, 1, 0].mean()),
        "depth5_bid": float(sizes[:, 0, :5].sum(axis=1).mean()),
        "depth5_ask": float(sizes[:, 1, :5].sum(axis=1).mean()),
        "n_levels_bid": float((prices[:, 0] >= 0).sum(axis=1).mean()),
        "n_levels_ask": float((prices[:, 1] >= 0).sum(axis=1).mean()),
        "trades_per_min": len(shares) / minutes,
        "volume_per_min": float(shares.sum()) / minutes,
        "mean_trade_qty": float(shares.mean()),
        "median_trade_qty": float(np.median(shares)),
        "ret1m_std_bps": float(moves.std(ddof=1)),
        "ret1m_kurt_excess": _excess_kurtosis(moves),
        "ac1_ret": float(autocorrelation(moves, 1)[0]),
        "ac1_absret": float(autocorrelation(np.abs(moves), 1)[0]),
        "hist_LIMIT": int((kinds == SUBMISSION).sum()),
        "hist_CANCEL": int((kinds == DELETION).sum()),
    }
