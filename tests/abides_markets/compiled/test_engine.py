"""`abides.run(config, engine="compiled")`: the recorded tapes, what is refused, what is left behind."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from abides_core import abides
from abides_core.engines import UnsupportedError
from abides_core.latency_model import LatencyModel
from abides_core.utils import parse_logs_df
from abides_markets.agents import ExchangeAgent
from abides_markets.agents import TradingAgent
from abides_markets.compiled.results import NotKeptError
from abides_markets.configs import rmsc03
from abides_markets.configs import rmsc04
from abides_markets.models import OrderSizeModel
from abides_markets.oracles import SparseMeanRevertingOracle
from abides_markets.switches import Switches
from abides_markets.tape import MarketTape
from abides_markets.utils import config_append_agents
from tests.abides_markets.compiled.worlds import build
from tests.abides_markets.compiled.worlds import each
from tests.abides_markets.tapes import tape_of
from tests.abides_markets.test_golden import GOLDEN
from tests.abides_markets.test_golden import GOLDEN_RMSC03


@pytest.mark.parametrize(
    ("seed", "end_time", "digests", "pops", "history"),
    [(seed, end, digests, pops, history) for seed, end, scripted, digests, pops, history in GOLDEN if not scripted],
)
def test_tape_is_the_recorded_one(
    seed: int, end_time: str, digests: tuple[str, str, str], pops: int, history: tuple[int, int, int]
) -> None:
    tape = tape_of(abides.run(rmsc04.build_config(seed=seed, end_time=end_time), engine="compiled"))
    assert tape.digests() == digests
    assert tape.events == pops
    assert tape.history == dict(zip(("LIMIT", "EXEC", "CANCEL"), history, strict=True))


def test_tape_of_rmsc03_is_the_recorded_one() -> None:
    """With the defaults of the configuration: the exchange and the agents would log orders, which is not kept."""
    tape = tape_of(abides.run(rmsc03.build_config(seed=0, end_time="09:45:00"), engine="compiled"))
    digests, pops, history = GOLDEN_RMSC03
    assert tape.digests() == digests
    assert tape.events == pops
    assert tape.history == dict(zip(("LIMIT", "EXEC", "CANCEL"), history, strict=True))


class OtherSizes(OrderSizeModel):
    pass


class OtherOracle(SparseMeanRevertingOracle):
    pass


class OtherExchange(ExchangeAgent):
    pass


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.update({name: value})


def _of_exchange(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(config: dict[str, Any]) -> None:
        change(config["agents"][0])

    return apply


def _of_oracle(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], None]:
    def apply(config: dict[str, Any]) -> None:
        change(config["custom_properties"]["oracle"])

    return apply


def _share_streams(config: dict[str, Any]) -> None:
    config["agents"][2].random_state = config["agents"][1].random_state


REFUSED: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    (
        "a market whose first agent is not an ExchangeAgent",
        _of_exchange(lambda x: setattr(x, "__class__", OtherExchange)),
    ),
    ("2 symbols", _of_exchange(lambda x: x.symbols.append("IBM"))),
    ("taken part in a run already", _of_exchange(lambda x: x.order_books["ABM"].history.append({}))),
    ("trading 'IBM'", each("Noise", symbol="IBM")),
    ("with subscribe=True", each("Momentum", subscribe=True)),
    ("taken part in a run already", each("Value", first_wake=False)),
    ("with holdings of CASH, IBM", each("Value", holdings={"CASH": 1, "IBM": 3})),
    ("an order size model of type OtherSizes", each("Noise", order_size_model=OtherSizes())),
    ("with order sizes from 1 to None", each("Noise", order_size_model=OrderSizeModel(least=1))),
    ("with retry_after=5", each("Noise", retry_after=5)),
    ("with full_windows=True", each("Momentum", full_windows=True)),
    ("with renew_on_imbalance=True", each("Adaptive", renew_on_imbalance=True)),
    ("an oracle with whole_cents=False", _of_oracle(lambda x: setattr(x, "whole_cents", False))),
    ("overshoot=False", _set("overshoot", False)),
    ("with kappa=1", each("Value", kappa=1)),
    ("with lambda_a=0", each("Value", lambda_a=0)),
    ("whose arrival_rate is not its wake_up_freq", each("Momentum", arrival_rate=5)),
    ("another makers_requote", each("Adaptive", switches=Switches.all_on())),
    ("the switch report_rejections", each("Exchange", switches=Switches(report_rejections=True))),
    ("with min_imbalance=-0.1", each("Adaptive", min_imbalance=-0.1)),
    ("a latency model other than", _set("agent_latency_model", None)),
    ("a latency model other than", _set("agent_latency_model", LatencyModel(np.random.RandomState(0), 10))),
    (
        "agents that are not connected",
        _set("agent_latency_model", LatencyModel(np.random.RandomState(0), -1, latency_model="deterministic")),
    ),
    ("per_agent_computation_delays", _set("per_agent_computation_delays", {1: 5})),
    ("an oracle of type NoneType", _set("custom_properties", {})),
    ("an oracle of type OtherOracle", _of_oracle(lambda x: setattr(x, "__class__", OtherOracle))),
    ("an oracle with r_bar=0.5", _of_oracle(lambda x: x.symbols["ABM"].update(r_bar=0.5))),
    ("a shock before the open", _of_oracle(lambda x: x.megashocks["ABM"][-1].update(MegashockTime=5))),
    ("a random stream that several agents share", _share_streams),
    ("logs on disk", _set("skip_log", False)),
]


@pytest.mark.parametrize("index", range(len(REFUSED)))
def test_what_is_not_supported_is_refused_by_name(index: int) -> None:
    named, change = REFUSED[index]
    config = build(0, num_noise_agents=5, num_value_agents=2, num_momentum_agents=1)
    change(config)
    with pytest.raises(UnsupportedError) as caught:
        abides.run(config, engine="compiled")
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "engine='reference'" in str(caught.value)


def test_a_trace_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a trace"):
        abides.run(build(0), engine="compiled", trace=lambda *entry: None)


def test_auto_takes_it_when_nobody_keeps_a_log_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    parameters = {"num_noise_agents": 5, "num_value_agents": 2, "num_momentum_agents": 1}
    with caplog.at_level(logging.INFO, logger="abides"):
        logging_market = abides.run(build(0, **parameters), engine="auto")
        assert "keeps an event log" in caplog.text
        assert logging_market["engine"] == "reference"
        assert len(parse_logs_df(logging_market))
        caplog.clear()
        silent = build(0, **parameters)
        for agent in silent["agents"]:
            agent.log_events = False
        assert abides.run(silent, engine="auto")["engine"] == "compiled"
        assert "compiled engine" in caplog.text


def test_unsupported_takes_the_reference_engine_with_auto() -> None:
    config = build(0, num_noise_agents=5, num_value_agents=2, num_momentum_agents=1)
    for agent in config["agents"]:
        agent.log_events = False
    each("Momentum", subscribe=True)(config)
    assert abides.run(config, engine="auto")["engine"] == "reference"


def test_what_is_not_kept_says_so() -> None:
    config = build(0)
    end_state = abides.run(config, engine="compiled")
    trader = end_state["agents"][1]
    for use in (
        lambda: parse_logs_df(end_state),
        lambda: list(trader.executed_orders),
        lambda: len(trader.orders),
        lambda: trader.get_known_bid_ask("ABM"),
        lambda: bool(trader.log),
        lambda: config["custom_properties"]["oracle"].f_log["ABM"],
    ):
        with pytest.raises(NotKeptError, match="engine='reference'"):
            use()


def test_a_configuration_runs_once() -> None:
    config = build(0, num_noise_agents=5)
    abides.run(config, engine="compiled")
    with pytest.raises(UnsupportedError, match="already"):
        abides.run(config, engine="compiled")


@pytest.mark.parametrize("watched", [None, 1050])
def test_a_tape_on_the_book_is_filled(watched: int | None) -> None:
    tapes = []
    for engine in ("reference", "compiled"):
        config = build(3)
        tape = config["agents"][0].order_books["ABM"].tape = MarketTape(watched)
        end_state = abides.run(config, engine=engine)
        assert end_state["agents"][0].order_books["ABM"].tape is tape
        tapes.append(tape)
    expected, filled = tapes
    assert filled.trades == expected.trades
    assert filled.quotes == expected.quotes
    assert (filled.queue_ahead, filled.accepted) == (expected.queue_ahead, expected.accepted)
    assert (filled.mid2, filled.one_sided) == (expected.mid2, expected.one_sided)
    assert bool(filled.accepted) == (watched is not None)


def test_the_book_offers_what_the_reference_book_offers() -> None:
    books = [
        abides.run(build(2), engine=engine)["agents"][0].order_books["ABM"] for engine in ("reference", "compiled")
    ]
    expected, replayed = books
    for left, right in zip(expected.book_log2, replayed.book_log2, strict=True):
        assert left["QuoteTime"] == right["QuoteTime"]
        assert left["bids"].tolist() == right["bids"].tolist()
        assert left["asks"].tolist() == right["asks"].tolist()
    for name in ("times", "bids", "asks"):
        assert (expected.get_L2_snapshots(3)[name] == replayed.get_L2_snapshots(3)[name]).all()
    assert (expected.get_L1_snapshots()["best_bids"] == replayed.get_L1_snapshots()["best_bids"]).all()
    assert replayed.pretty_print() == expected.pretty_print()
    assert replayed.buy_transactions == expected.buy_transactions
    with pytest.raises(AttributeError):
        replayed.no_such_thing  # noqa: B018


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_leaves_the_collector_as_it_was(fails: bool) -> None:
    class Looking(TradingAgent):
        def wakeup(self, current_time: int) -> None:
            super().wakeup(current_time)
            seen.append(gc.get_threshold())
            if fails:
                raise RuntimeError("as it may")

    seen: list[tuple[int, int, int]] = []
    before = gc.get_threshold()
    config = build(0, end_time="09:30:00")
    config_append_agents(config, [Looking(len(config["agents"]))])
    with pytest.raises(RuntimeError, match="as it may") if fails else nullcontext():
        abides.run(config, engine="compiled")
    assert gc.get_threshold() == before
    assert set(seen) == {(10_000, before[1], 100 * before[2])}
