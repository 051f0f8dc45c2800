"""One parent order in one market: the books balance, whatever the strategy, and nothing leaks from run to run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from abides_core.abides import new_kernel
from abides_core.engines import UnsupportedError
from abides_core.utils import str_to_ns
from abides_markets.tape import MarketTape
from agents import STRATEGIES
from agents import TWAPAgent
from agents.execution_agent import Decision
from agents.execution_agent import ExecutionAgent
from agents.market import build_market
from agents.market import exchange_of
from agents.registry import POLICY_KINDS
from agents.views import View
from analysis.costs import costs_of_fills
from analysis.records import write_table
from analysis.schema import RECORD_TABLES
from analysis.schema import sort_table
from configs import ConfigError
from configs import Experiment
from configs import Side
from envs import OptimalExecEnv
from experiments.episode import RECORDED_AFTER
from experiments.episode import Episode
from experiments.episode import check_strategies
from experiments.episode import make_agent
from experiments.episode import run_do_nothing
from experiments.episode import run_episode
from tests.agents.worlds import SECOND
from tests.agents.worlds import SYMBOL
from tests.agents.worlds import THIN
from tests.agents.worlds import RandomOrdersAgent
from tests.agents.worlds import experiment

SIDES: tuple[Side, Side] = ("buy", "sell")
EMPTY = {"num_noise_agents": 0, "num_value_agents": 0, "num_momentum_agents": 0}
COSTS = ["shortfall_cents", "execution_cents", "drift_cents", "opportunity_cents", "delay_cents"]


def with_strategy(name: str, **sections: Any) -> Experiment:
    """The short experiment, with random decisions as a strategy of one's own."""
    own = {"anything": {"kind": "tests.agents.worlds:RandomOrdersAgent", "interval": "2s"}}
    return experiment(strategies=own if name == "anything" else {}, decision_interval="5s", **sections)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Check after every activation that filled and working shares do not exceed the parent; count the checks."""
    checks: list[int] = []

    def watch(name: str) -> None:
        plain = getattr(ExecutionAgent, name)

        def checked(agent: ExecutionAgent, *arguments: Any) -> Any:
            result = plain(agent, *arguments)
            working = sum(order.quantity for order in agent.orders.values())
            assert agent.filled + working <= agent.order.quantity
            checks.append(working)
            return result

        monkeypatch.setattr(ExecutionAgent, name, checked)

    watch("wakeup")
    watch("receive_message")
    return checks


def check_accounts(episode: Episode) -> dict[str, Any]:
    agent, parent = episode.agent, episode.agent.order
    tables = episode.tables()
    assert list(tables) == list(RECORD_TABLES)
    (row,) = tables["episodes"].to_pylist()
    fills, orders = tables["fills"].to_pandas(), tables["orders"].to_pandas()

    # The tape, the agent and its child orders count the same fills.
    filled = int(fills["quantity"].sum())
    assert filled == row["filled"] == agent.filled == sum(fill.quantity for fill in agent.fills)
    by_order = fills.groupby("order_id")["quantity"].sum()
    assert by_order.to_dict() == orders.set_index("order_id")["filled"].loc[lambda s: s > 0].to_dict()
    assert [(f.order_id, f.price, f.quantity) for f in agent.fills] == list(
        fills[["order_id", "price_cents", "quantity"]].itertuples(index=False, name=None)
    )
    # Every order comes to its end, and nothing of it is lost.
    assert (orders["quantity"] == orders["filled"] + orders["cancelled"]).all()
    assert (orders["done_ns"] > orders["submitted_ns"]).all()
    assert (orders["done_ns"] <= episode.end + parent.settlement).all()
    rested = orders["accepted_ns"] >= 0
    assert (orders["kind"][rested] == "limit").all()
    assert (orders["accepted_ns"][rested] > orders["submitted_ns"][rested]).all()
    assert (orders["queue_ahead"][rested] >= 0).all()
    assert fills["order_id"][fills["passive"]].isin(orders["order_id"][rested]).all()
    # Cash and shares are those of the fills.
    sign = {"buy": 1, "sell": -1}[episode.side]
    assert agent.holdings.get(SYMBOL, 0) == sign * filled
    assert agent.holdings["CASH"] == -sign * int((fills["quantity"] * fills["price_cents"]).sum())

    # The parts of the cost, and the cost.
    parts = row["execution_cents"] + row["drift_cents"] + row["opportunity_cents"]
    assert row["shortfall_cents"] == pytest.approx(parts, abs=1e-9)
    again = costs_of_fills(fills, tables["episodes"].to_pandas()).iloc[0]
    for cost in COSTS:
        assert again[cost] == pytest.approx(row[cost], abs=1e-9), cost
    by_hand = sum(f.quantity * sign * (row["arrival_mid2"] / 2 - f.price) for f in agent.fills)
    by_hand += row["left"] * sign * (row["arrival_mid2"] - row["end_mid2"]) / 2
    assert row["shortfall_cents"] == pytest.approx(by_hand / parent.quantity, abs=1e-9)

    assert row["filled"] + row["left"] == row["quantity"] == parent.quantity
    assert row["completion"] == row["filled"] / row["quantity"]
    assert 0 < row["finish_fraction"] <= 1
    assert row["left"] == 0 or row["finish_fraction"] == 1
    assert row["child_orders"] == len(orders)
    assert row["fills"] == len(fills)
    assert 0 <= row["two_sided"] <= 1
    market = tables["market"].to_pandas()
    assert row["volume"] == market["quantity"].sum() == market["volume"].max()
    return dict(row)


@pytest.mark.parametrize("end_rule", ["leave", "sweep"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["twap", "aggressive", "passive", "random", "idle", "anything"])
def test_the_accounts_of_every_strategy_balance(name: str, side: Side, end_rule: str, watched: list[int]) -> None:
    episode = Episode(with_strategy(name, order={"end_rule": end_rule}), name, 1, side)
    row = check_accounts(episode)
    assert len(watched) > 20
    assert max(watched, default=0) > 0 or name == "idle"
    if name == "idle":
        assert row["filled"] == row["child_orders"] == 0
    elif end_rule == "sweep" or name == "twap":
        assert row["completion"] == 1
        assert max(episode.tables()["fills"]["time_ns"].to_pylist()) < episode.end
    elif name in ("passive", "random"):
        assert row["completion"] > 0


@pytest.mark.parametrize("end_rule", ["leave", "sweep"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["twap", "anything"])
def test_they_balance_in_a_market_with_gaps_too(name: str, side: Side, end_rule: str, watched: list[int]) -> None:
    of = with_strategy(name, order={"end_rule": end_rule}, market={"end_time": "09:34:00", "params": THIN})
    rows = [check_accounts(Episode(of, name, seed, side)) for seed in range(6)]
    assert any(row["two_sided"] < 1 for row in rows)
    assert watched


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("name", ["twap", "aggressive", "passive", "random", "anything"])
def test_they_balance_over_thirty_minutes(name: str, side: Side, watched: list[int]) -> None:
    of = with_strategy(name, market={"end_time": "10:20:00"}, order={"quantity": 20_000, "window": "30min"})
    check_accounts(Episode(of, name, 1_000_000, side))


# Pairing


def market_alone(of: Experiment, seed: int) -> tuple[MarketTape, list[dict[str, int]]]:
    """The market with nobody to trade a parent order, run to the same moment: its tape and everybody's holdings."""
    config = build_market(of.market, seed)
    tape = MarketTape()
    exchange_of(config).order_books[SYMBOL].tape = tape
    kernel = new_kernel(config, config["random_state_kernel"], "reference")
    kernel.stop_time = config["start_time"] + of.order.start + of.order.window + of.order.settlement
    kernel.initialize()
    kernel.runner()
    return tape, [agent.holdings for agent in config["agents"][1:]]


@pytest.mark.parametrize("params", [{}, THIN], ids=["full", "thin"])
@pytest.mark.parametrize("end_rule", ["leave", "sweep"])
def test_an_idle_agent_leaves_the_market_that_it_finds(params: dict[str, int], end_rule: str) -> None:
    of = experiment(market={"end_time": "09:36:00", "params": params}, order={"end_rule": end_rule, "window": "4min"})
    traded = 0
    for seed in (0, 1, 2):
        tape, holdings = market_alone(of, seed)
        episode = Episode(of, "idle", seed, "buy", engine="reference")
        assert episode.tape.trades == tape.trades
        assert episode.tape.quotes == tape.quotes
        assert [agent.holdings for agent in episode._kernel.agents[1:-1]] == holdings
        assert episode.agent.holdings == {"CASH": 0}
        traded += len(tape.trades)
    assert traded


def test_an_active_agent_meets_the_market_that_an_idle_one_leaves() -> None:
    of = experiment()
    idle, active = (Episode(of, name, 1, "buy") for name in ("idle", "twap"))
    first = active.agent.fills[0]
    own = next(t for t in active.tape.trades if t.aggressor_agent == active.agent.id)
    assert (own.price, own.quantity) == (first.price, first.quantity)
    before = [quote for quote in active.tape.quotes if quote.time < own.time]
    assert len(before) > 50
    assert idle.tape.quotes[: len(before)] == before
    assert active.agent.arrival2 == idle.agent.arrival2


@pytest.mark.parametrize("params", [{}, {"mm_wake_up_freq": "10s", "mm_num_ticks": 3}], ids=["full", "busy makers"])
def test_the_engines_leave_the_same_records(params: dict[str, Any]) -> None:
    """On the compiled engine all markets but the first are made without building their agents in Python."""
    of = experiment(market={"params": params})
    for name, seed, side in (("post_then_cross", 1, "buy"), ("passive", 2, "sell"), ("twap", 3, "buy")):
        compiled, reference = (Episode(of, name, seed, side, engine=engine) for engine in ("compiled", "reference"))
        for table, rows in compiled.tables().items():
            assert rows.equals(reference.tables()[table]), (table, name, seed)
        judged = [(one.makers_alive(), one.discarded(), one.two_sided()) for one in (compiled, reference)]
        assert judged[0] == judged[1]


def test_an_agent_that_the_compiled_engine_does_not_run_is_left_to_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Subscriber(TWAPAgent):
        subscribe = True

    of = experiment()
    expected = run_episode(of, "twap", 3, "buy")
    monkeypatch.setitem(STRATEGIES, "twap", Subscriber)
    with pytest.raises(UnsupportedError, match="with subscribe=True"):
        Episode(of, "twap", 3, "buy", engine="compiled")
    assert run_episode(of, "twap", 3, "buy") == expected
    with pytest.raises(ValueError, match="unknown engine 'fast'"):
        Episode(of, "twap", 3, "buy", engine="fast")


# The same seed, the same bytes


def fills_bytes(table: Any, folder: Path) -> bytes:
    return write_table(folder, "fills", table).read_bytes()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    of = experiment()
    tables = [run_episode(of, "passive", 5, "sell") for _ in range(2)]
    other = run_episode(of, "passive", 6, "sell")
    for name in RECORD_TABLES:
        first, second, third = (write_table(tmp_path, name, t[name]).read_bytes() for t in (*tables, other))
        assert first == second
        assert first != third
    assert tables[0]["fills"].num_rows > 5


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_seven_other_environments_in_the_process_change_no_byte(engine: str) -> None:
    of = experiment(decision_interval="5s")

    def one_run(others: list[OptimalExecEnv]) -> list[Any]:
        """An environment stepped with others between its steps, in an order that varies."""
        rng = np.random.default_rng(0)

        def disturb() -> None:
            for index in rng.permutation(len(others))[: rng.integers(0, len(others) + 1)]:
                other = others[index]
                if not other._in_progress:
                    other.reset(seed=int(rng.integers(20)), options={"side": SIDES[index % 2]})
                else:
                    other.step(int(rng.integers(5)))

        env = OptimalExecEnv(of, engine=engine)
        disturb()
        env.reset(seed=5, options={"side": "sell"})
        seen: list[Any] = []
        done = False
        while not done:
            disturb()
            observation, reward, done, _, info = env.step(len(seen) % 5)
            seen.append((observation.tobytes(), reward, info))
        if engine == "compiled":
            return [*seen, env._markets.stack.words.tobytes()]  # type: ignore[attr-defined]
        agent = env._markets.markets[0].agent  # type: ignore[attr-defined]
        return [*seen, agent.fills, agent.child_orders]

    alone = one_run([])
    assert one_run([OptimalExecEnv(of, engine=engine) for _ in range(7)]) == alone


def test_environments_stepped_from_within_an_episode_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hardest interleaving: other kernels run while this one is in the middle of delivering a message.
    of = experiment(decision_interval="5s")
    others = [OptimalExecEnv(of) for _ in range(3)]

    class Disturbed(TWAPAgent):
        def decide(self, view: View) -> Decision:
            for index, other in enumerate(others):
                if not other._in_progress:
                    other.reset(seed=view.decision + index)
                else:
                    other.step(view.decision % 5)
            return super().decide(view)

    alone = fills_bytes(run_episode(of, "twap", 5, "buy")["fills"], tmp_path)
    monkeypatch.setitem(STRATEGIES, "twap", Disturbed)
    assert fills_bytes(run_episode(of, "twap", 5, "buy")["fills"], tmp_path) == alone


# Records


def test_the_market_table_shows_the_grid_and_every_trade() -> None:
    of = experiment()
    episode = Episode(of, "twap", 3, "buy")
    market = episode.tables()["market"].to_pandas()
    grid, trades = market[market["event"] == "grid"], market[market["event"] == "trade"]
    assert grid["time_ns"].tolist() == list(range(episode.start, episode.end + 1, SECOND))
    inside = [t for t in episode.tape.trades if episode.start <= t.time <= episode.end]
    assert sorted(zip(trades["time_ns"], trades["price"], trades["quantity"], strict=True)) == sorted(
        (t.time, t.price, t.quantity) for t in inside
    )
    for _, row in grid.iloc[:: len(grid) // 7].iterrows():
        quote = [q for q in episode.tape.quotes if q.time <= row["time_ns"]][-1]
        shown = tuple(row[["bid", "bid_size", "ask", "ask_size", "bid_depth", "ask_depth"]])
        assert shown == tuple(quote[1:])
        before = [t for t in inside if t.time <= row["time_ns"]]
        assert row["volume"] == sum(t.quantity for t in before)
        assert row["notional_cents"] == sum(t.quantity * t.price for t in before)
    # A market order meets the book that the row shows, and takes from its best price first.
    lone = trades[trades["aggressor"] != 0].drop_duplicates("time_ns")
    best = np.where(lone["aggressor"] > 0, lone["ask"], lone["bid"])
    assert (lone["price"] == best).all()


def test_the_record_goes_on_after_the_window_until_the_close_and_changes_nothing_before() -> None:
    of = experiment()
    short = Episode(of, "twap", 3, "buy")
    tables, alone = (
        {name: sort_table(name, table) for name, table in found.items()}
        for found in (run_episode(of, "twap", 3, "buy"), short.tables())
    )
    market = tables.pop("market").to_pandas()
    close = short.start - of.order.start + of.market.end_time
    assert market["time_ns"].max() == close < short.end + RECORDED_AFTER
    window = market[market["time_ns"] <= short.end].reset_index(drop=True)
    pd.testing.assert_frame_equal(window, alone.pop("market").to_pandas())
    assert (market["event"][market["time_ns"] > short.end] == "trade").any()
    for name, table in tables.items():
        assert table.equals(alone[name]), name


@pytest.mark.parametrize("params", [{}, THIN], ids=["full", "thin"])
def test_the_mid_of_a_fill_is_the_last_two_sided_one_before_its_match(params: dict[str, int]) -> None:
    of = with_strategy("anything", market={"end_time": "09:34:00", "params": params})
    fills = []
    for seed in (1, 2, 3):
        episode = Episode(of, "anything", seed, "buy")
        for fill in episode.tables()["fills"].to_pylist():
            before = [quote for quote in episode.tape.quotes if quote.time < fill["time_ns"]]
            two_sided = [quote for quote in before if quote.bid >= 0 and quote.ask >= 0]
            assert fill["mid2_before"] == two_sided[-1].bid + two_sided[-1].ask
            assert fill["one_sided"] == (two_sided[-1] is not before[-1])
            fills.append(fill)
    assert {fill["passive"] for fill in fills} == {True, False}


def test_a_last_fill_after_the_window_is_a_finish_at_its_end() -> None:
    episode = Episode(experiment(), "twap", 1, "buy")
    last = max(trade.time for trade in episode.tape.trades if trade.aggressor_agent == episode.agent.id)
    fraction = (last - episode.start) / (episode.end - episode.start)
    assert episode.tables()["episodes"]["finish_fraction"].to_pylist() == [fraction]
    episode.end = last - 1
    assert episode.tables()["episodes"]["finish_fraction"].to_pylist() == [1.0]


def test_the_decisions_table_is_what_the_agent_saw_and_did() -> None:
    episode = Episode(with_strategy("anything"), "anything", 3, "buy")
    table = episode.tables()["decisions"].to_pandas()
    records = episode.agent.decisions
    assert table["decision"].tolist() == list(range(len(records)))
    assert len(records) > 10
    assert table["market_quantity"].tolist() == [r.decision.market for r in records]
    assert table["limit_price"].tolist() == [r.decision.limit_price for r in records]
    assert table["time_ns"].tolist() == [r.view.time for r in records]
    fills = episode.tables()["fills"].to_pandas()
    at = np.searchsorted(table["time_ns"], fills["time_ns"], side="right") - 1
    swept = fills["decision"] == 60
    assert (fills["decision"][~swept] <= at[~swept]).all()
    for decision, mid2 in zip(fills["decision"], fills["mid2_decision"], strict=True):
        assert mid2 == table["mid2"][min(decision, len(table) - 1)]


def test_without_an_arrival_price_a_cost_is_not_a_number() -> None:
    of = experiment(market={"end_time": "09:34:00", "params": EMPTY})
    (row,) = run_episode(of, "twap", 0, "buy")["episodes"].to_pylist()
    assert (row["filled"], row["left"], row["arrival_mid2"]) == (0, 2_000, -1)
    assert math.isnan(row["shortfall_cents"])
    assert math.isnan(row["opportunity_cents"])
    assert row["two_sided"] == 0


# The do-nothing market


def test_a_market_is_judged_on_its_do_nothing_run() -> None:
    of = experiment(comparison={"validity": {"volume": 1_000}})
    found = run_do_nothing(of, 1)
    idle = Episode(of, "idle", 1, "sell")
    assert found == {
        "seed": 1,
        "valid": True,
        "reason": "",
        "two_sided": idle.two_sided(),
        "makers_alive": 2,
        "volume": idle.volume(),
        "discarded": 0,
    }


def test_each_threshold_that_fails_is_a_reason() -> None:
    of = experiment(market={"end_time": "09:34:00", "params": EMPTY})
    found = run_do_nothing(of, 1)
    assert not found["valid"]
    assert found["reason"] == "two_sided 0 below 0.95; volume 0 below 10000"
    # The reference market's makers fall silent when they see no two-sided quote, and remainders vanish.
    silent = {"end_time": "09:34:00", "params": EMPTY, "switches": {"makers_requote": False}}
    assert "makers_alive 0 below 2" in run_do_nothing(experiment(market=silent), 1)["reason"]


@pytest.mark.parametrize("reported", [True, False])
def test_an_order_that_vanishes_is_counted(reported: bool) -> None:
    market = {"end_time": "09:34:00", "params": THIN, "switches": {"report_unfilled": reported}}
    of = experiment(market=market, order={"quantity": 50_000})
    assert (Episode(of, "aggressive", 1, "buy").discarded() > 0) is not reported


# Which strategies there are


def test_strategies_are_checked_before_anything_runs(tmp_path: Path) -> None:
    of = experiment(
        strategies={
            "fast": {"kind": "twap", "interval": "1s"},
            "typo": {"kind": "aggressive", "params": {"lots": 3}},
            "negative": {"kind": "passive", "params": {"lot": -3}},
            "lost": {"kind": "nowhere:Agent"},
            "learned": {"kind": "dqn", "interval": "1s"},
        }
    )
    check_strategies(of, ["twap", "fast", "aggressive", "passive", "random", "idle"], None)
    garbage = tmp_path / "policy.npz"
    garbage.write_bytes(b"garbage")
    for name, policy, message in (
        ("twapp", None, r"unknown strategy 'twapp'; allowed: .*fast.*twap"),
        ("typo", None, "unknown parameter 'lots' of aggressive; allowed: lot"),
        ("negative", None, "'negative': a lot must be positive, got -3"),
        ("lost", None, "nowhere:Agent"),
        ("dqn", None, "give --policy PATH"),
        ("dqn", tmp_path / "none.npz", "no policy"),
        ("dqn", garbage, "is not a policy"),
        ("learned", garbage, "decides every decision_interval"),
    ):
        with pytest.raises(ConfigError, match=message) as error:
            check_strategies(of, [name], policy)
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"strategies\.odd\.interval must divide order\.window \(120s\), got 7s"):
        experiment(strategies={"odd": {"kind": "twap", "interval": "7s"}})


def test_parameters_reach_the_strategy() -> None:
    of = experiment(strategies={"slow": {"kind": "aggressive", "interval": "30s", "params": {"lot": 5}}})
    agent = make_agent(of, "slow", 0, "buy", 7)
    assert (agent.name, agent.id, agent.interval) == ("slow", 7, 30 * SECOND)
    assert agent.decide(None).market == 10  # type: ignore[arg-type]
    assert agent.order.start == str_to_ns("09:31:00")


def test_the_papers_baselines_decide_every_second_and_others_when_the_experiment_says() -> None:
    of = experiment(decision_interval="20s")
    names = [name for name in STRATEGIES if name not in POLICY_KINDS]
    intervals = {name: make_agent(of, name, 0, "buy", 7).interval // SECOND for name in names}
    papers = {"aggressive", "passive", "random"}
    assert intervals == {name: 1 if name in papers else 20 for name in intervals}


def test_a_strategys_stream_depends_on_the_seed_and_the_name_not_on_the_side() -> None:
    of = experiment()

    def draws(name: str, seed: int, side: Side) -> list[int]:
        return make_agent(of, name, seed, side, 7).random_state.randint(0, 1 << 30, 8).tolist()

    assert draws("passive", 1, "buy") == draws("passive", 1, "sell")
    assert len({tuple(draws(name, seed, "buy")) for name in ("passive", "random") for seed in (1, 2)}) == 4


def test_a_policy_is_read_anew_for_every_episode(tmp_path: Path) -> None:
    from tests.envs.test_policy_parity import random_policy

    of, path = experiment(), tmp_path / "policy.npz"
    random_policy(of, 1, path)
    before = run_episode(of, "dqn", 1, "buy", path)["decisions"]["action"].to_pylist()
    random_policy(of, 2, path)
    assert run_episode(of, "dqn", 1, "buy", path)["decisions"]["action"].to_pylist() != before


def test_random_orders_are_what_the_balance_tests_mean_by_anything() -> None:
    episode = Episode(with_strategy("anything"), "anything", 1, "buy")
    decisions = pd.DataFrame(record.decision for record in episode.agent.decisions)
    assert decisions["cancel"].nunique() == 2
    assert (decisions["market"] > 0).any()
    assert (decisions["limit"] > 2_000).any()
    assert isinstance(episode.agent, RandomOrdersAgent)
