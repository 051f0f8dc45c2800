"""The cost of an order, recomputed from its fills.

Definitions (all in cents per share of the parent order Q, positive is better; s is +1 for a buy, -1 for a sell):

- execution = Σ q s (mid just before the match − price) / Q
- drift = Σ q s (arrival − mid just before the match) / Q
- opportunity = left s (arrival − mid at the end of the window) / Q
- shortfall = Σ q s (arrival − price) / Q + left s (arrival − mid at the end of the window) / Q
- delay = Σ q s (mid at the decision − mid just before the match) / Q, a part of execution

The decomposition is Perold's implementation shortfall (A. Perold, "The implementation shortfall: paper versus
reality", Journal of Portfolio Management 14(3), 1988), with the executed part split at the mid of each fill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

EPISODE = ["strategy", "seed", "side"]


@dataclass(frozen=True, slots=True)
class FillCost:
    """A cost that adds up over fills.

    Attributes:
        name: Name of the column that it gives.
        description: What it is.
        per_share: From the fills, the cost of one share of each fill in cents, before the sign of the side.
    """

    name: str
    description: str
    per_share: Callable[[pd.DataFrame], pd.Series[float]]


FILL_COSTS = (
    FillCost("execution_cents", "against the mid just before each fill", lambda f: f.mid2_before / 2 - f.price_cents),
    FillCost("drift_cents", "from arrival to the mid before each fill", lambda f: (f.arrival_mid2 - f.mid2_before) / 2),
    FillCost("delay_cents", "from decision to fill, within execution", lambda f: (f.mid2_decision - f.mid2_before) / 2),
    FillCost("traded_cents", "against arrival: execution + drift", lambda f: f.arrival_mid2 / 2 - f.price_cents),
)


def sign_of(side: pd.Series[str]) -> pd.Series[int]:
    """Return +1 for `buy` and -1 for `sell`."""
    return side.map({"buy": 1, "sell": -1}).astype("int64")


def fill_contributions(fills: pd.DataFrame, episodes: pd.DataFrame) -> pd.DataFrame:
    """Return each fill with what it adds to its episode's costs.

    Args:
        fills: Rows of the `fills` table.
        episodes: Rows of the `episodes` table, one for every episode that has a fill.

    Returns:
        The fills with the parent's size `parent`, the time since arrival `elapsed_ns`, and a column for each of
        `FILL_COSTS`, cents per share of the parent order.

    Raises:
        ValueError: If a fill belongs to no episode.
    """
    parents = episodes[[*EPISODE, "quantity", "arrival_ns"]].rename(columns={"quantity": "parent"})
    rows = fills.merge(parents, on=EPISODE, how="left", validate="many_to_one")
    orphans = rows["parent"].isna()
    if orphans.any():
        strategy, seed, side = rows.loc[orphans, EPISODE].iloc[0]
        raise ValueError(f"fills of {strategy}, seed {seed}, {side} belong to no row of episodes")
    rows["parent"] = rows["parent"].astype("int64")
    rows["elapsed_ns"] = rows["time_ns"] - rows["arrival_ns"].astype("int64")
    weight = rows["quantity"] * sign_of(rows["side"]) / rows["parent"]
    for cost in FILL_COSTS:
        rows[cost.name] = cost.per_share(rows) * weight
    return rows.drop(columns="arrival_ns")


def costs_of_fills(fills: pd.DataFrame, episodes: pd.DataFrame) -> pd.DataFrame:
    """Recompute every episode's costs from its fills.

    Args:
        fills: Rows of the `fills` table.
        episodes: Rows of the `episodes` table: only sizes, arrival and end mids are taken from it.

    Returns:
        One row an episode, in the order of `episodes`: strategy, seed, side, filled, left, and
        shortfall, execution, drift, opportunity and delay in cents per share of the parent order; opportunity and
        shortfall are NaN where there was no arrival price.

    Raises:
        ValueError: If a fill belongs to no episode.
    """
    rows = fill_contributions(fills, episodes)
    names = [cost.name for cost in FILL_COSTS]
    sums = rows.groupby(EPISODE, sort=False)[["quantity", *names]].sum().rename(columns={"quantity": "filled"})
    result = episodes[[*EPISODE, "quantity", "arrival_mid2", "end_mid2"]].merge(
        sums.reset_index(), on=EPISODE, how="left", validate="one_to_one"
    )
    result[["filled", *names]] = result[["filled", *names]].fillna(0)
    result["filled"] = result["filled"].astype("int64")
    result["left"] = result["quantity"] - result["filled"]
    gain = sign_of(result["side"]) * (result["arrival_mid2"] - result["end_mid2"]) / 2
    # Without a two-sided book in the window there is no arrival price, and no cost of what was left.
    gain = gain.where(result["arrival_mid2"] >= 0)
    result["opportunity_cents"] = result["left"] * gain / result["quantity"]
    result["shortfall_cents"] = result["traded_cents"] + result["opportunity_cents"]
    costs = ["shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents", "delay_cents"]
    return result[[*EPISODE, "filled", "left", *costs]]


def costs_by_role(fills: pd.DataFrame, episodes: pd.DataFrame) -> pd.DataFrame:
    """Split each strategy's fills into resting and taking ones.

    Args:
        fills: Rows of the `fills` table.
        episodes: Rows of the `episodes` table.

    Returns:
        By strategy and role (`resting`, `taking`): the share of the shares filled that way, and what one share filled
        that way gained against the mid just before it (execution) and against arrival (execution + drift), cents.
    """
    rows = fill_contributions(fills, episodes)
    rows["role"] = rows["passive"].map({True: "resting", False: "taking"})
    # Back from cents per share of the parent to cents, so that roles of any size compare.
    for name in ("execution_cents", "traded_cents"):
        rows[name] = rows[name] * rows["parent"]
    sums = rows.groupby(["strategy", "role"])[["quantity", "execution_cents", "traded_cents"]].sum()
    share = sums["quantity"] / sums.groupby("strategy")["quantity"].transform("sum")
    return pd.DataFrame(
        {
            "share": share,
            "execution": sums["execution_cents"] / sums["quantity"],
            "execution + drift": sums["traded_cents"] / sums["quantity"],
        }
    )


def cumulative_on_grid(rows: pd.DataFrame, episodes: pd.DataFrame, value: str, grid_ns: np.ndarray) -> np.ndarray:
    """Add up a value of each fill over time, for every episode.

    Args:
        rows: Fills from `fill_contributions` (or any rows with the episode's key and `elapsed_ns`).
        episodes: One row an episode.
        value: Column of `rows` to add up.
        grid_ns: Times since arrival, ns, ascending, shape (T,).

    Returns:
        The sum over fills at or before each time, shape (len(episodes), T); later fills are not counted.
    """
    keys = pd.MultiIndex.from_frame(episodes[EPISODE])
    episode = keys.get_indexer(pd.MultiIndex.from_frame(rows[EPISODE]))
    bins = np.searchsorted(grid_ns, rows["elapsed_ns"].to_numpy(), side="left")
    steps = np.zeros((len(episodes), len(grid_ns) + 1))
    inside = episode >= 0
    np.add.at(steps, (episode[inside], bins[inside]), rows[value].to_numpy(dtype="float64")[inside])
    cumulative: np.ndarray = np.cumsum(steps[:, :-1], axis=1)
    return cumulative
