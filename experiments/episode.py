"""One parent order worked by one strategy in one market, and the records of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from abides_core.engines import AUTO
from abides_core.streams import random_state
from abides_markets.agents import AdaptiveMarketMakerAgent
from abides_markets.tape import Quote
from abides_markets.tape import Trade
from agents import STRATEGIES
from agents import check_parameters
from agents import strategy_class
from agents.execution_agent import ExecutionAgent
from agents.execution_agent import ParentOrder
from agents.market import SYMBOL
from agents.market import new_market
from agents.market import parent_order
from agents.numpy_policy import NumpyPolicy
from agents.registry import POLICY_KINDS
from agents.strategies import PAPER_INTERVAL
from analysis.schema import make_table
from configs import ConfigError
from configs import Experiment
from configs import Side
from configs.models import SECOND
from configs.models import StrategyConfig

PAPER_KINDS = ("aggressive", "passive", "random")
NO_PRICE = -1
SEEDS_END = 2**32
RECORDED_AFTER = 300 * SECOND
"""Length of the market's record after the window, ns: what the price did once the order was done."""
KEEPS_MAKERS_ALIVE = {
    "WakeupMsg",
    "QuerySpreadMsg",
    "QuerySpreadResponseMsg",
    "QueryTransactedVolMsg",
    "QueryTransactedVolResponseMsg",
}
"""Messages from or to a market maker after which it wakes again."""


def strategy_config(experiment: Experiment, name: str) -> StrategyConfig:
    """Return the configuration of a strategy: the experiment's, or a kind of `STRATEGIES` with its defaults.

    Raises:
        ConfigError: If the name, or the kind behind it, is unknown.
    """
    configured = experiment.strategies.get(name)
    if configured is None:
        if name not in STRATEGIES:
            allowed = sorted({*STRATEGIES, *experiment.strategies})
            raise ConfigError(f"unknown strategy {name!r}; allowed: {', '.join(allowed)}")
        return StrategyConfig(kind=name)
    strategy_class(configured.kind)
    return configured


def check_seeds(seeds: Sequence[int]) -> None:
    """Refuse seeds that no market can have.

    Raises:
        ConfigError: If one is negative or too large.
    """
    if min(seeds) < 0 or max(seeds) >= SEEDS_END:
        raise ConfigError(f"seeds must be from 0 to {SEEDS_END - 1}, got {min(seeds)} to {max(seeds)}")


def check_strategies(experiment: Experiment, names: Sequence[str], policy: str | Path | None) -> None:
    """Make sure that every strategy can be built, before anything runs.

    Raises:
        ConfigError: If a strategy is unknown, its parameters are wrong, or it needs a policy and there is none.
    """
    for name in names:
        config = strategy_config(experiment, name)
        if config.kind in POLICY_KINDS:
            if policy is None:
                raise ConfigError(f"strategy {name!r} trades with a policy: give --policy PATH (a policy.npz)")
            if not Path(policy).is_file():
                raise ConfigError(f"no policy at {str(policy)!r}: give the policy.npz that training exported")
        try:
            check_parameters(config.kind, config.params)
            make_agent(experiment, name, seed=0, side="buy", agent_id=0, policy=policy)
        except (TypeError, ValueError) as error:
            if isinstance(error, ConfigError):
                raise
            raise ConfigError(f"strategy {name!r}: {error}") from error


def make_agent(
    experiment: Experiment,
    strategy: str,
    seed: int,
    side: Side,
    agent_id: int,
    policy: str | Path | None = None,
) -> ExecutionAgent:
    """Return the execution agent of a strategy for the market of one seed.

    Its own random stream depends on the seed and the strategy, not on the side.
    """
    config = strategy_config(experiment, strategy)
    order = parent_order(experiment, side)
    interval = config.interval or _default_interval(config.kind, order, experiment)
    digest = hashlib.sha256(f"{seed}:{strategy}".encode()).digest()
    named: dict[str, Any] = dict(config.params)
    if config.kind in POLICY_KINDS:
        if config.interval not in (None, experiment.decision_interval):
            raise ConfigError(f"strategy {strategy!r} decides every decision_interval of the experiment, not otherwise")
        assert policy is not None
        named |= {
            "policy": NumpyPolicy.load(policy),
            "observation": experiment.observation,
            "actions": experiment.actions,
        }
    return strategy_class(config.kind)(
        id=agent_id,
        symbol=SYMBOL,
        order=order,
        interval=interval,
        name=strategy,
        random_state=random_state(int.from_bytes(digest[:4], "big")),
        **named,
    )


def _default_interval(kind: str, order: ParentOrder, experiment: Experiment) -> int:
    """The paper's baselines decide every second; everybody else when the experiment says."""
    if kind in PAPER_KINDS and order.window % PAPER_INTERVAL == 0:
        return PAPER_INTERVAL
    return experiment.decision_interval


class Episode:
    """One market run with one execution agent to the end of its parent order.

    Args:
        experiment: The experiment.
        strategy: Name of the strategy.
        seed: Seed of the market.
        side: Side of the parent order.
        policy: Exported policy, for a strategy that trades with one.
        engine: As for `abides.run`: all engines give the same tape.
        after: For how long the market goes on and is recorded after the window, at most until its close, ns.

    Attributes:
        agent: The execution agent.
        tape: Trades and quotes of the market.
        start: Start of the window, ns since the epoch.
        end: End of the window.
        recorded_until: End of the market's record.
    """

    def __init__(
        self,
        experiment: Experiment,
        strategy: str,
        seed: int,
        side: Side,
        policy: str | Path | None = None,
        engine: str = AUTO,
        after: int = 0,
    ) -> None:
        self.experiment = experiment
        self.strategy, self.seed, self.side = strategy, seed, side
        self._kernel, self.tape = new_market(
            experiment.market, seed, partial(make_agent, experiment, strategy, seed, side, policy=policy), engine
        )
        self.agent: ExecutionAgent = self._kernel.agents[-1]
        order, midnight = experiment.order, self._kernel.start_time
        self.start = midnight + order.start
        self.end = self.start + order.window
        self.recorded_until = min(self.end + after, midnight + experiment.market.end_time)
        # Nothing later belongs to the episode, and stopping early changes nothing before.
        self._kernel.stop_time = max(self.end + order.settlement, self.recorded_until)
        self._kernel.initialize()
        self._kernel.runner()

    # What the market was like

    def two_sided(self) -> float:
        """Return the share of the window in which both sides of the book had an order."""
        quotes = self._quotes
        begins = np.clip(quotes["time"], self.start, self.end)
        ends = np.append(begins[1:], self.end)
        return float((ends - begins)[_two_sided(quotes)].sum() / (self.end - self.start))

    def volume(self) -> int:
        """Return the shares traded in the window."""
        return int(self._trades_until(self.end)["quantity"].sum())

    def makers_alive(self) -> int:
        """Return the number of market makers with a pending wake-up, or a pending answer that they will act on."""
        makers = set(self._kernel.find_agents_by_type(AdaptiveMarketMakerAgent))
        awake = {
            agent_id
            for _, sender, recipient, name in self._kernel.pending_messages()
            if name in KEEPS_MAKERS_ALIVE
            for agent_id in (sender, recipient)
        }
        return len(makers & awake)

    def discarded(self) -> int:
        """Return the number of orders that the exchange dropped without telling their agent."""
        return int(self._kernel.agents[0].order_books[SYMBOL].discarded)

    @cached_property
    def _quotes(self) -> dict[str, NDArray[np.int64]]:
        return _columns(self.tape.quote_rows(), Quote)

    def _trades_until(self, end: int) -> dict[str, NDArray[np.int64]]:
        """Return the trades from the start of the window to `end`, included."""
        rows = self.tape.trade_rows()
        return _columns(rows[(rows[:, 0] >= self.start) & (rows[:, 0] <= end)], Trade)

    def _own_trades(self) -> dict[str, NDArray[np.int64]]:
        trades = _columns(self.tape.trade_rows(), Trade)
        own = (trades["passive_agent"] == self.agent.id) | (trades["aggressor_agent"] == self.agent.id)
        return {name: column[own] for name, column in trades.items()}

    def _mid2_at(self, time: int) -> int:
        """Return twice the last two-sided mid at or before a time."""
        quotes = self._quotes
        found = np.flatnonzero(_two_sided(quotes) & (quotes["time"] <= time))
        return int(quotes["bid"][found[-1]] + quotes["ask"][found[-1]]) if len(found) else NO_PRICE

    # Records

    def tables(self) -> dict[str, pa.Table]:
        """Return the five record tables of the episode (`analysis.schema`)."""
        return {
            name: make_table(name, self._with_run(rows))
            for name, rows in (
                ("episodes", self._episode()),
                ("decisions", self._decisions()),
                ("orders", self._orders()),
                ("fills", self._fills()),
                ("market", self._market()),
            )
        }

    def _with_run(self, columns: dict[str, Any]) -> dict[str, Any]:
        count = len(next(iter(columns.values())))
        run = {"strategy": [self.strategy] * count, "seed": [self.seed] * count, "side": [self.side] * count}
        return {**run, **columns}

    def _episode(self) -> dict[str, Any]:
        agent, quantity = self.agent, self.agent.order.quantity
        sign = agent.order.sign
        arrival2 = agent.arrival2 if agent.arrival2 is not None else NO_PRICE
        end_mid2 = self._mid2_at(self.end)
        fills = self._fills()
        shares, prices2, before2 = fills["quantity"], 2 * fills["price_cents"], fills["mid2_before"]
        decision2 = np.array(fills["mid2_decision"], dtype=np.int64)
        filled = int(shares.sum())
        left = quantity - filled

        def per_share(half_cents: int) -> float:
            return sign * half_cents / 2 / quantity

        # Each part on its own, in whole half cents, so that the identity between them is a check and not a definition.
        # Without a two-sided book in the window there is no arrival price, and no cost of what was left.
        opportunity = per_share(left * (arrival2 - end_mid2)) if agent.arrival2 is not None else math.nan
        costs = {
            "shortfall_cents": per_share(int((shares * (arrival2 - prices2)).sum())) + opportunity,
            "execution_cents": per_share(int((shares * (before2 - prices2)).sum())),
            "drift_cents": per_share(int((shares * (arrival2 - before2)).sum())),
            "opportunity_cents": opportunity,
            "delay_cents": per_share(int((shares * (decision2 - before2)).sum())),
        }
        # A resting order may still trade while its cancellation, sent at the end, travels to the exchange.
        last_fill = min(self.end, int(fills["time_ns"].max(initial=self.start)))
        row: dict[str, Any] = {
            "quantity": quantity,
            "filled": filled,
            "left": left,
            "completion": filled / quantity,
            "arrival_ns": agent.decisions[0].view.time if agent.decisions else self.start,
            "arrival_mid2": arrival2,
            "end_ns": self.end,
            "end_mid2": end_mid2,
            "finish_fraction": (last_fill - self.start) / (self.end - self.start) if left == 0 else 1.0,
            **costs,
            "two_sided": self.two_sided(),
            "volume": self.volume(),
            "child_orders": len(agent.child_orders),
            "fills": len(shares),
        }
        return {name: [value] for name, value in row.items()}

    def _decisions(self) -> dict[str, Any]:
        views = [record.view for record in self.agent.decisions]
        taken = [record.decision for record in self.agent.decisions]
        return {
            "decision": [view.decision for view in views],
            "time_ns": [view.time for view in views],
            "filled": [view.filled for view in views],
            "resting": [view.resting for view in views],
            "bid": [view.bids[0][0] if view.bids else NO_PRICE for view in views],
            "ask": [view.asks[0][0] if view.asks else NO_PRICE for view in views],
            "mid2": [view.mid2 for view in views],
            "action": [decision.action for decision in taken],
            "market_quantity": [decision.market for decision in taken],
            "limit_quantity": [decision.limit for decision in taken],
            "limit_price": [decision.limit_price for decision in taken],
            "cancel": [decision.cancel for decision in taken],
        }

    def _orders(self) -> dict[str, Any]:
        orders = list(self.agent.child_orders.values())
        tape = self.tape
        return {
            "order_id": [order.order_id for order in orders],
            "decision": [order.decision for order in orders],
            "kind": [order.kind for order in orders],
            "quantity": [order.quantity for order in orders],
            "limit_price": [order.limit_price for order in orders],
            "submitted_ns": [order.submitted for order in orders],
            "accepted_ns": [tape.accepted.get(order.order_id, -1) for order in orders],
            "done_ns": [order.done for order in orders],
            "filled": [order.filled for order in orders],
            "cancelled": [order.cancelled for order in orders],
            "queue_ahead": [tape.queue_ahead.get(order.order_id, -1) for order in orders],
        }

    def _fills(self) -> dict[str, Any]:
        trades = self._own_trades()
        passive = trades["passive_agent"] == self.agent.id
        ids = np.where(passive, trades["passive_order_id"], trades["aggressor_order_id"]).tolist()
        decisions = [self.agent.child_orders[order_id].decision for order_id in ids]
        mids = {record.view.decision: record.view.mid2 for record in self.agent.decisions}
        last_mid2 = self.agent.decisions[-1].view.mid2 if self.agent.decisions else self.agent.arrival2
        return {
            "fill_id": np.arange(len(ids)),
            "order_id": ids,
            "decision": decisions,
            "time_ns": trades["time"],
            "price_cents": trades["price"],
            "quantity": trades["quantity"],
            "passive": passive,
            "mid2_before": trades["mid2"],
            "mid2_decision": [mids.get(decision, last_mid2) for decision in decisions],
            "arrival_mid2": [self.agent.arrival2] * len(ids),
            "one_sided": trades["one_sided"].astype(np.bool_),
        }

    def _market(self) -> dict[str, Any]:
        quotes, trades = self._quotes, self._trades_until(self.recorded_until)
        grid = np.arange(self.start, self.recorded_until + 1, SECOND, dtype=np.int64)
        # The grid shows the book at its time, a trade the book that it met; before the first quote there is none.
        at = np.concatenate(
            [
                np.searchsorted(quotes["time"], grid, side="right"),
                np.searchsorted(quotes["time"], trades["time"], side="left"),
            ]
        )
        traded = np.searchsorted(trades["time"], grid, side="right")

        def cumulative(values: NDArray[np.int64]) -> NDArray[np.int64]:
            sums = np.concatenate([[0], np.cumsum(values)])
            return np.concatenate([sums[traded], sums[1:]])

        def after_grid(values: NDArray[np.int64], nothing: int) -> NDArray[np.int64]:
            return np.concatenate([np.full(len(grid), nothing), values])

        book = {
            name: np.concatenate([[NO_PRICE if name in ("bid", "ask") else 0], quotes[name]])[at]
            for name in ("bid", "bid_size", "ask", "ask_size", "bid_depth", "ask_depth")
        }
        return {
            "time_ns": np.concatenate([grid, trades["time"]]),
            "event": ["grid"] * len(grid) + ["trade"] * len(trades["time"]),
            **book,
            "volume": cumulative(trades["quantity"]),
            "notional_cents": cumulative(trades["quantity"] * trades["price"]),
            "price": after_grid(trades["price"], NO_PRICE),
            "quantity": after_grid(trades["quantity"], 0),
            "aggressor": after_grid(trades["aggressor_sign"], 0).astype(np.int8),
        }


def _columns(rows: NDArray[np.int64], kind: type[Trade] | type[Quote]) -> dict[str, NDArray[np.int64]]:
    """Return rows of a tape as columns, by the names of the fields."""
    return dict(zip(kind._fields, rows.T, strict=True))


def _two_sided(quotes: dict[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
    return (quotes["bid"] >= 0) & (quotes["ask"] >= 0)


def run_episode(
    experiment: Experiment, strategy: str, seed: int, side: Side, policy: str | Path | None = None
) -> dict[str, pa.Table]:
    """Work the parent order of an experiment in the market of one seed, and record the market until 300 s after it.

    Args:
        experiment: The experiment.
        strategy: Name of the strategy.
        seed: Seed of the market.
        side: Side of the parent order.
        policy: Exported policy, for a strategy that trades with one.

    Returns:
        The five record tables (`analysis.schema`), sorted.
    """
    return Episode(experiment, strategy, seed, side, policy, after=RECORDED_AFTER).tables()


def run_do_nothing(experiment: Experiment, seed: int) -> dict[str, Any]:
    """Run the market of one seed with nobody trading the parent order, and judge it.

    Returns:
        `seed`, `valid`, `reason` (empty if valid), `two_sided` (share of the window), `makers_alive`, `volume`
        (shares), `discarded` (orders).
    """
    episode = Episode(experiment, "idle", seed, "buy")
    found: dict[str, Any] = {
        "two_sided": episode.two_sided(),
        "makers_alive": episode.makers_alive(),
        "volume": episode.volume(),
        "discarded": episode.discarded(),
    }
    limits = experiment.comparison.validity
    reasons = [
        f"{name} {found[name]:g} below {least:g}"
        for name, least in (
            ("two_sided", limits.two_sided),
            ("makers_alive", limits.makers_alive),
            ("volume", limits.volume),
        )
        if found[name] < least
    ]
    if found["discarded"] > limits.discarded:
        reasons.append(f"discarded {found['discarded']} above {limits.discarded}")
    return {"seed": seed, "valid": not reasons, "reason": "; ".join(reasons), **found}
