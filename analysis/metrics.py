"""Transaction-cost analysis: small named metrics, each one value an episode.

A metric is a function of the records of many episodes. Its docstring is its documentation: what it is, `Formula:`,
`Unit:` and `Sign:`; `docs/metrics.md` is made of them. In the formulas s is +1 for a buy and −1 for a sell; Q are the
shares of the parent order, q those of a fill and F = Σ q all that were filled; p is the price of a fill, m the mid just
before it, m(t) the mid at a time; A is the arrival price, T the end of the window and t_c the time of the last fill.

A value that does not exist (no fill, no limit order, a record that ends too early) is NaN and drops out of every mean.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.costs import EPISODE
from analysis.episode_records import EpisodeRecords
from analysis.episode_records import Floats
from analysis.episode_records import ratio

SECOND = 10**9
AFTER_SECONDS = 300
"""When the price after an order is taken, seconds after the last fill."""

Compute = Callable[[EpisodeRecords], Floats]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name, the column that it gives.
        description: What it is.
        formula: How it is computed.
        unit: Unit of a value.
        sign: What a positive value means.
        compute: From the records of N episodes to values of shape (N,).
    """

    name: str
    description: str
    formula: str
    unit: str
    sign: str
    compute: Compute


METRICS: dict[str, Metric] = {}
"""All metrics by name, in the order of the documentation."""


def metric(compute: Compute) -> Compute:
    """Register a function as a metric under its own name.

    Raises:
        ValueError: If its docstring lacks one of the lines `Formula:`, `Unit:` and `Sign:`.
    """
    name = compute.__name__
    text = inspect.cleandoc(compute.__doc__ or "")
    description, *parts = re.split(r"^(Formula|Unit|Sign): ", text, flags=re.MULTILINE)
    if parts[::2] != ["Formula", "Unit", "Sign"]:
        raise ValueError(f"metric {name}: its docstring must have the lines Formula, Unit and Sign, got {parts[::2]}")
    description, formula, unit, sign = (" ".join(part.split()) for part in (description, *parts[1::2]))
    METRICS[name] = Metric(name, description, formula, unit, sign, compute)
    return compute


# What the order cost, by part.


@metric
def shortfall_cents(records: EpisodeRecords) -> Floats:
    """Implementation shortfall (Perold 1988): what the order gained over trading it all at the arrival price.

    Formula: Σ q s (A − p) / Q + (Q − F) s (A − m(T)) / Q
    Unit: cents per share of the parent order
    Sign: positive is better
    """
    return records.costs["shortfall_cents"].to_numpy()


@metric
def execution_cents(records: EpisodeRecords) -> Floats:
    """Execution cost: the fills against the mid just before each; the sum of `spread_cents` and `depth_cents`.

    Formula: Σ q s (m − p) / Q
    Unit: cents per share of the parent order
    Sign: positive is better
    """
    return records.costs["execution_cents"].to_numpy()


@metric
def spread_cents(records: EpisodeRecords) -> Floats:
    """Spread captured by resting orders less spread paid by taking ones, up to the touch (the best opposite price).

    Formula: Σ q s (m − touch) / Q, where a resting fill's touch is its own price
    Unit: cents per share of the parent order
    Sign: positive: captured; negative: paid
    """
    fills = records.fills
    touch = np.where(fills.resting, fills.price, fills.touch)
    return records.sum(fills.quantity * fills.sign * (fills.mid_before - touch)) / records.quantity


@metric
def depth_cents(records: EpisodeRecords) -> Floats:
    """Cost of walking into the book, beyond the touch.

    Formula: Σ q s (touch − p) / Q over taking fills
    Unit: cents per share of the parent order
    Sign: positive is better (it is never above 0)
    """
    fills = records.fills
    beyond = fills.quantity * fills.sign * (fills.touch - fills.price) * ~fills.resting
    return records.sum(beyond) / records.quantity


@metric
def delay_cents(records: EpisodeRecords) -> Floats:
    """Delay, a part of execution: what the mid did between the decision and the match.

    Formula: Σ q s (m(decision) − m) / Q
    Unit: cents per share of the parent order
    Sign: positive is better
    """
    return records.costs["delay_cents"].to_numpy()


@metric
def drift_cents(records: EpisodeRecords) -> Floats:
    """Drift, or timing: what the mid did from arrival to each fill, whether the order moved it or not.

    Formula: Σ q s (A − m) / Q
    Unit: cents per share of the parent order
    Sign: positive is better
    """
    return records.costs["drift_cents"].to_numpy()


@metric
def opportunity_cents(records: EpisodeRecords) -> Floats:
    """Opportunity cost of what was left, charged at the mid at the end of the window.

    Formula: (Q − F) s (A − m(T)) / Q
    Unit: cents per share of the parent order
    Sign: positive is better
    """
    return records.costs["opportunity_cents"].to_numpy()


# The mean price against what a desk compares it with.


@metric
def vwap_slippage_cents(records: EpisodeRecords) -> Floats:
    """Slippage against the market's volume-weighted average price of the window, own trades included.

    Formula: s (VWAP − Σ q p / F), VWAP = Σ price × shares / Σ shares over all trades from the start of the window to T
    Unit: cents per share filled
    Sign: positive is better; weighted by volume over all agents it is zero
    """
    vwap = ratio(records.notional_at(records.end), records.volume_at(records.end))
    return records.sign * (vwap - records.mean_price)


@metric
def twap_slippage_cents(records: EpisodeRecords) -> Floats:
    """Slippage against the time-weighted average price: the mean of the mid on the one-second grid of the window.

    Formula: s (TWAP − Σ q p / F)
    Unit: cents per share filled
    Sign: positive is better
    """
    return records.sign * (records.mean_mid_in_window() - records.mean_price)


@metric
def close_slippage_cents(records: EpisodeRecords) -> Floats:
    """Slippage against the close, which is the mid at the end of the order's window, not of the trading day.

    Formula: s (m(T) − Σ q p / F)
    Unit: cents per share filled
    Sign: positive is better
    """
    return records.sign * (records.end_mid - records.mean_price)


# What the price did with the order and after it, as far as one run can tell: the market's own drift is in it, and
# cancels only between buying and selling on the same seed.


@metric
def peak_impact_cents(records: EpisodeRecords) -> Floats:
    """Impact when the order was done: the mid one second after the last fill against arrival.

    Formula: s (m(t_c + 1 s) − A)
    Unit: cents
    Sign: positive: the price moved with the order, against whoever trades it
    """
    return records.sign * (_mid_after(records, 1) - records.arrival)


@metric
def permanent_impact_cents(records: EpisodeRecords) -> Floats:
    """Permanent impact: what is left of it 300 s after the last fill (Almgren, Thum, Hauptmann and Li 2005, I).

    Formula: s (m(t_c + 300 s) − A)
    Unit: cents
    Sign: positive: the price moved with the order, against whoever trades it
    """
    return records.sign * (_mid_after(records, AFTER_SECONDS) - records.arrival)


@metric
def temporary_impact_cents(records: EpisodeRecords) -> Floats:
    """Temporary impact (Almgren, Thum, Hauptmann and Li 2005, J − I / 2).

    The mean price against arrival, less half the permanent impact, which an even schedule pays on average.

    Formula: s (Σ q p / F − A) − permanent impact / 2
    Unit: cents per share filled
    Sign: positive is a cost
    """
    realised = records.sign * (records.mean_price - records.arrival)
    return realised - permanent_impact_cents(records) / 2


@metric
def reversal_cents(records: EpisodeRecords) -> Floats:
    """Reversal after completion: how far the price came back within 300 s; peak impact less permanent impact.

    Formula: s (m(t_c + 1 s) − m(t_c + 300 s))
    Unit: cents
    Sign: positive: the price came back
    """
    return records.sign * (_mid_after(records, 1) - _mid_after(records, AFTER_SECONDS))


def _mid_after(records: EpisodeRecords, seconds: int) -> Floats:
    """Return the mid some seconds after the last fill; NaN without a fill."""
    last = records.last_fill
    return np.where(last >= 0, records.mid_at(last + seconds * SECOND), np.nan)


# What the price did after each fill.


def _markout(records: EpisodeRecords, seconds: int) -> Floats:
    """Return the mean gain of a fill against the mid some seconds later, over the fills that the record covers."""
    fills = records.fills
    later = records.mid_at(fills.time + seconds * SECOND, fills.episode)
    known = np.isfinite(later)
    gain = np.where(known, fills.quantity * fills.sign * (later - fills.price), 0.0)
    return ratio(records.sum(gain), records.sum(fills.quantity * known))


@metric
def markout_1s_cents(records: EpisodeRecords) -> Floats:
    """Markout at 1 s: the mid one second after each fill against its price. Negative after resting: adverse selection.

    Formula: Σ q s (m(t + 1 s) − p) / Σ q, over fills at t
    Unit: cents per share filled
    Sign: positive: the price went the way of the fill
    """
    return _markout(records, 1)


@metric
def markout_10s_cents(records: EpisodeRecords) -> Floats:
    """Markout at 10 s.

    Formula: Σ q s (m(t + 10 s) − p) / Σ q, over fills at t
    Unit: cents per share filled
    Sign: positive: the price went the way of the fill
    """
    return _markout(records, 10)


@metric
def markout_60s_cents(records: EpisodeRecords) -> Floats:
    """Markout at 60 s. The order's own further trading is in it from here on.

    Formula: Σ q s (m(t + 60 s) − p) / Σ q, over fills at t
    Unit: cents per share filled
    Sign: positive: the price went the way of the fill
    """
    return _markout(records, 60)


@metric
def markout_300s_cents(records: EpisodeRecords) -> Floats:
    """Markout at 300 s.

    Formula: Σ q s (m(t + 300 s) − p) / Σ q, over fills at t
    Unit: cents per share filled
    Sign: positive: the price went the way of the fill
    """
    return _markout(records, 300)


# How the order was traded.


@metric
def completion(records: EpisodeRecords) -> Floats:
    """Part of the parent order that was filled.

    Formula: F / Q
    Unit: share of one
    Sign: from 0 to 1
    """
    return records.filled / records.quantity


@metric
def participation(records: EpisodeRecords) -> Floats:
    """Participation: own shares in all shares traded from the start of the window to the last fill.

    Formula: F / (shares traded until t_c, own ones included)
    Unit: share of one
    Sign: from 0 to 1
    """
    last = records.last_fill
    return np.where(last >= 0, ratio(records.filled, records.volume_at(last)), np.nan)


@metric
def resting_share(records: EpisodeRecords) -> Floats:
    """Part of the shares filled that a resting order filled.

    Formula: Σ q over resting fills / F
    Unit: share of one
    Sign: from 0 to 1
    """
    return ratio(records.sum(records.fills.quantity * records.fills.resting), records.filled)


@metric
def limit_fill_ratio(records: EpisodeRecords) -> Floats:
    """Fill ratio of limit orders: shares filled of those sent.

    Formula: Σ filled / Σ quantity, over limit orders
    Unit: share of one
    Sign: from 0 to 1
    """
    limit = records.orders[records.orders["kind"] == "limit"]
    sums = limit.groupby("episode")[["filled", "quantity"]].sum().reindex(range(len(records)), fill_value=0)
    return ratio(sums["filled"].to_numpy(), sums["quantity"].to_numpy())


@metric
def queue_time_s(records: EpisodeRecords) -> Floats:
    """Queue time: how long a share of a limit order rested before it was filled.

    Formula: Σ q (t − time at which its order came to rest) / Σ q, over resting fills at t
    Unit: seconds
    Sign: from 0 up
    """
    fills = records.fills
    waited = np.where(fills.resting, fills.quantity * (fills.time - fills.entered) / SECOND, 0.0)
    return ratio(records.sum(waited), records.sum(fills.quantity * fills.resting))


@metric
def queue_ahead_shares(records: EpisodeRecords) -> Floats:
    """Queue ahead: visible shares before an own limit order when it came to rest.

    Formula: mean over limit orders that came to rest
    Unit: shares
    Sign: from 0 up
    """
    rested = records.orders[records.orders["queue_ahead"] >= 0]
    means = rested.groupby("episode")["queue_ahead"].mean().reindex(range(len(records)))
    return means.to_numpy(dtype=np.float64)


def compute_metrics(records: EpisodeRecords) -> pd.DataFrame:
    """Return every metric of every episode: one row an episode, in order, with its key and a column a metric."""
    values = {name: one.compute(records) for name, one in METRICS.items()}
    return records.episodes[EPISODE].assign(**values)


def describe_metrics() -> str:
    """Return the metrics as a Markdown table, as in `docs/metrics.md`."""
    lines = ["| metric | what it is | formula | unit | sign |", "|---|---|---|---|---|"]
    for one in METRICS.values():
        lines.append(f"| `{one.name}` | {one.description} | {one.formula} | {one.unit} | {one.sign} |")
    return "\n".join(lines) + "\n"
