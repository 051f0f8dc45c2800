"""The records of many episodes at once, as arrays, with the look-ups that metrics share.

Everything is vectorised over episodes: a fill or an order knows the place of its episode (0 … N − 1), and the market
at a time is found in all episodes by one binary search.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.costs import EPISODE
from analysis.costs import costs_of_fills
from analysis.costs import sign_of
from analysis.records import RecordsError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Fills:
    """Fills of N episodes, F in all, as arrays of shape (F,).

    Attributes:
        episode: Place of its episode.
        sign: +1 for a buy, −1 for a sell.
        time: Time of the match, ns.
        price: Cents.
        quantity: Shares.
        mid_before: Mid just before the match, cents.
        resting: Whether the own order was resting.
        touch: Best price of the fills of the same order at the same time, cents: where the book began.
        entered: Time at which its order came to rest, ns; −1 if it never did.
    """

    episode: Ints
    sign: Ints
    time: Ints
    price: Ints
    quantity: Ints
    mid_before: Floats
    resting: NDArray[np.bool_]
    touch: Ints
    entered: Ints


class EpisodeRecords:
    """The records of N episodes.

    Args:
        episodes: Rows of the `episodes` table.
        orders: Rows of the `orders` table.
        fills: Rows of the `fills` table.
        market: Rows of the `market` table; only times, events, bid, ask, volume and notional are read.

    Attributes:
        episodes: One row an episode, in the order given.
        sign: +1 for a buy, −1 for a sell, (N,).
        quantity: Shares of the parent order, (N,).
        arrival: Arrival price, cents, (N,); NaN where no two-sided book gave one.
        end: End of the window, ns, (N,).
        end_mid: Mid at the end of the window, cents, (N,).
        costs: Their costs, as `analysis.costs.costs_of_fills` returns them.
        fills: Their fills.
        orders: Their orders, with the place of the episode as column `episode`.

    Raises:
        RecordsError: If an episode has no row in `market`, or its fills do not add up to what it says was filled; one
            line that names file and column.
    """

    def __init__(self, episodes: pd.DataFrame, orders: pd.DataFrame, fills: pd.DataFrame, market: pd.DataFrame) -> None:
        self.episodes = episodes.reset_index(drop=True)
        self._keys = pd.MultiIndex.from_frame(self.episodes[EPISODE])
        self.sign: Ints = np.asarray(sign_of(self.episodes["side"]))
        self.quantity: Ints = self.episodes["quantity"].to_numpy(dtype=np.int64)
        self.arrival = _cents(self.episodes["arrival_mid2"])
        self.end: Ints = self.episodes["end_ns"].to_numpy(dtype=np.int64)
        self.end_mid = _cents(self.episodes["end_mid2"])
        self.orders = orders.assign(episode=self._places(orders, "orders"))
        self.fills = self._make_fills(fills)
        self._check_filled()
        self.costs = costs_of_fills(fills, self.episodes)
        self._index_market(market)

    def __len__(self) -> int:
        return len(self.episodes)

    def sum(self, values: NDArray[np.generic]) -> Floats:
        """Add up a value of each fill by episode: (F,) to (N,)."""
        sums = np.bincount(self.fills.episode, weights=values.astype(np.float64), minlength=len(self))
        return sums.astype(np.float64)  # without a fill they are whole numbers

    @property
    def filled(self) -> Floats:
        """Shares filled, (N,)."""
        return self.sum(self.fills.quantity)

    @property
    def mean_price(self) -> Floats:
        """Mean price of the shares filled, cents, (N,); NaN without a fill."""
        return ratio(self.sum(self.fills.quantity * self.fills.price), self.filled)

    @property
    def last_fill(self) -> Ints:
        """Time of the last fill, ns, (N,); −1 without a fill."""
        last = np.full(len(self), -1, dtype=np.int64)
        np.maximum.at(last, self.fills.episode, self.fills.time)
        return last

    def mid_at(self, time: Ints, episode: Ints | None = None) -> Floats:
        """Return the last two-sided mid that is on record at each time.

        The record is a grid of one second and every trade (with the book that it met), so the mid is at most a second
        old.

        Args:
            time: ns, shape (K,).
            episode: Places of the episodes, (K,); all of them, in order, by default.

        Returns:
            Cents, (K,); NaN where the record has ended, or has no two-sided book yet.
        """
        return self._look_up(self._mid, time, episode)

    def volume_at(self, time: Ints) -> Floats:
        """Return the shares traded since the start of the window, own ones included, (N,); NaN beyond the record."""
        return self._look_up(self._volume, time, None)

    def notional_at(self, time: Ints) -> Floats:
        """Return price × shares since the start of the window, cents, (N,); NaN beyond the record."""
        return self._look_up(self._notional, time, None)

    def mean_mid_in_window(self) -> Floats:
        """Return the mean of the mid on the one-second grid up to the end of the window, cents, (N,)."""
        rows = self._grid & (self._time <= self.end[self._episode]) & np.isfinite(self._mid)
        places = self._episode[rows]
        total = np.bincount(places, weights=self._mid[rows], minlength=len(self))
        return ratio(total, np.bincount(places, minlength=len(self)))

    def _places(self, rows: pd.DataFrame, table: str) -> Ints:
        """Return the place of the episode of each row."""
        places: Ints = self._keys.get_indexer(pd.MultiIndex.from_frame(rows[EPISODE])).astype(np.int64)
        if (places < 0).any():
            strategy, seed, side = rows[EPISODE].iloc[int(np.argmax(places < 0))]
            raise RecordsError(
                f"{table}.parquet: column 'strategy': {strategy}, seed {seed}, {side} is no row of episodes.parquet"
            )
        return places

    def _make_fills(self, rows: pd.DataFrame) -> Fills:
        episode = self._places(rows, "fills")
        sign = self.sign[episode]
        price = rows["price_cents"].to_numpy()
        # The first price of a sweep through the book is the best one: the lowest that is paid, the highest received.
        event = [episode, rows["order_id"].to_numpy(), rows["time_ns"].to_numpy()]
        touch = sign * pd.Series(sign * price).groupby(event).transform("min").to_numpy()
        ids = pd.MultiIndex.from_arrays([self.orders["episode"], self.orders["order_id"]])
        found = ids.get_indexer(pd.MultiIndex.from_arrays([episode, rows["order_id"]]))
        if (found < 0).any():
            missing = rows["order_id"].iloc[int(np.argmax(found < 0))]
            raise RecordsError(f"fills.parquet: column 'order_id': {missing} is no row of orders.parquet")
        entered = self.orders["accepted_ns"].to_numpy()[found]
        return Fills(
            episode=episode,
            sign=sign,
            time=rows["time_ns"].to_numpy(),
            price=price,
            quantity=rows["quantity"].to_numpy(),
            mid_before=rows["mid2_before"].to_numpy() / 2,
            resting=rows["passive"].to_numpy(dtype=bool),
            touch=touch,
            entered=entered,
        )

    def _check_filled(self) -> None:
        said = self.episodes["filled"].to_numpy()
        wrong = said != self.filled
        if wrong.any():
            place = int(np.argmax(wrong))
            strategy, seed, side = self._keys[place]
            raise RecordsError(
                f"fills.parquet: column 'quantity': {strategy}, seed {seed}, {side} adds up to"
                f" {self.filled[place]:.0f} shares, the column 'filled' of episodes.parquet says {said[place]}"
            )

    def _index_market(self, rows: pd.DataFrame) -> None:
        """Sort the market by episode and time, and carry the last two-sided mid forward."""
        episode, time = self._places(rows, "market"), rows["time_ns"].to_numpy()
        volume = rows["volume"].to_numpy()
        order = np.lexsort((volume, time, episode))
        self._episode, self._time = episode[order], time[order]
        counts = np.bincount(self._episode, minlength=len(self))
        if (counts == 0).any():
            strategy, seed, side = self._keys[int(np.argmin(counts))]
            raise RecordsError(f"market.parquet: column 'time_ns': no row of {strategy}, seed {seed}, {side}")
        self._first = np.concatenate([[0], np.cumsum(counts)[:-1]])
        self._ends = self._time[self._first + counts - 1]
        self._begin = int(self._time.min())
        self._span = int(self._time.max()) - self._begin + 1
        self._place_in_time = self._key(self._episode, self._time)
        self._grid: NDArray[np.bool_] = (rows["event"].to_numpy() == "grid")[order]
        self._volume = volume[order].astype(np.float64)
        self._notional = rows["notional_cents"].to_numpy()[order].astype(np.float64)
        bid, ask = rows["bid"].to_numpy()[order], rows["ask"].to_numpy()[order]
        two_sided = (bid >= 0) & (ask >= 0)
        last = np.maximum.accumulate(np.where(two_sided, np.arange(len(order)), -1))
        known = last >= self._first[self._episode]
        self._mid: Floats = np.where(known, (bid + ask)[last] / 2, np.nan)

    def _key(self, episode: Ints, time: Ints) -> Ints:
        """Return a number that grows with the episode and, within it, with the time."""
        return episode * self._span + (time - self._begin)

    def _look_up(self, values: Floats, time: Ints, episode: Ints | None) -> Floats:
        episode = np.arange(len(self)) if episode is None else episode
        on_record = (time >= self._begin) & (time <= self._ends[episode])
        inside = np.where(on_record, time, self._begin)
        row = np.searchsorted(self._place_in_time, self._key(episode, inside), side="right") - 1
        on_record &= row >= self._first[episode]
        return np.where(on_record, values[np.maximum(row, 0)], np.nan)


def _cents(mid2: pd.Series[int]) -> Floats:
    """Return a mid in cents from half cents; NaN where there was none."""
    return np.where(mid2 >= 0, mid2 / 2, np.nan)


def ratio(above: NDArray[np.generic], below: NDArray[np.generic]) -> Floats:
    """Divide; NaN where the divisor is zero."""
    result = np.full(len(below), np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result
