"""The same seed gives the same tape: twice, interleaved with another market, with subclasses, beside an idle agent."""

from __future__ import annotations

from typing import Any

import pytest

from abides_core import Kernel
from abides_core import Message
from abides_core import MessageBatch
from abides_core import abides
from abides_core.utils import subdict
from abides_markets.agents import TradingAgent
from abides_markets.configs import builder
from abides_markets.configs import rmsc04
from abides_markets.orders import LimitOrder
from abides_markets.orders import Side
from abides_markets.utils import config_append_agents
from tests.abides_markets.tapes import SECOND
from tests.abides_markets.tapes import SYMBOL
from tests.abides_markets.tapes import EntryRecorder
from tests.abides_markets.tapes import Tape
from tests.abides_markets.tapes import run_tape
from tests.abides_markets.tapes import tape_of

END = "09:45:00"
KERNEL_KEYS = ("start_time", "stop_time", "agents", "agent_latency_model", "default_computation_delay")


def kernel_of(config: dict[str, Any], recorder: EntryRecorder) -> Kernel:
    return Kernel(custom_properties=config["custom_properties"], trace=recorder, **subdict(config, KERNEL_KEYS))


def alone(seed: int) -> tuple[Tape, list[tuple[Any, ...]]]:
    recorder = EntryRecorder()
    tape = tape_of(abides.run(rmsc04.build_config(seed=seed, end_time=END), trace=recorder))
    return tape, recorder.rows


def test_same_seed_same_tape_and_another_seed_another() -> None:
    first, again, other = run_tape(5, END), run_tape(5, END), run_tape(6, END)
    assert first == again
    assert first.trades != other.trades


@pytest.mark.parametrize("step", [SECOND, 97 * SECOND])
def test_interleaved_markets_give_the_tapes_that_they_give_alone(step: int) -> None:
    """Three markets built together and run in turns, a stretch of simulated time each."""
    seeds = (5, 6, 5)
    expected = {seed: alone(seed) for seed in set(seeds)}
    configs = [rmsc04.build_config(seed=seed, end_time=END) for seed in seeds]
    recorders = [EntryRecorder() for _ in seeds]
    kernels = [kernel_of(config, recorder) for config, recorder in zip(configs, recorders, strict=True)]
    for kernel in kernels:
        kernel.initialize()
    now, stop = configs[0]["agents"][0].mkt_open, configs[0]["stop_time"]
    while now < stop:
        now = min(now + step, stop)
        for kernel in kernels:
            kernel.stop_time = now
            kernel.runner()
            LimitOrder(0, 0, SYMBOL, 1, Side.BID, 1)  # ids taken outside of a run are no run's
            Message()
    for seed, kernel, recorder in zip(seeds, kernels, recorders, strict=True):
        tape, entries = expected[seed]
        assert recorder.rows == entries
        assert tape_of(kernel.terminate()) == tape


@pytest.mark.parametrize(
    "name", ["ExchangeAgent", "NoiseAgent", "ValueAgent", "AdaptiveMarketMakerAgent", "MomentumAgent"]
)
def test_subclass_of_a_built_in_agent_gives_the_same_tape(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # To 10:00: momentum traders trade only after 50 observations, about half an hour.
    end = "10:00:00" if name == "MomentumAgent" else END
    expected = run_tape(7, end)
    base = getattr(builder, name)
    monkeypatch.setattr(builder, name, type(f"My{name}", (base,), {}))
    tape = run_tape(7, end)
    assert tape.trades == expected.trades
    assert tape.quotes == expected.quotes
    assert [row[2:] for row in tape.final] == [row[2:] for row in expected.final]
    if name != "ExchangeAgent":
        assert any(row[1] == f"My{name}" for row in tape.final)


def test_idle_agent_leaves_the_market_as_it_was() -> None:
    class Idle(TradingAgent):
        """Watches: asks for quotes once a second and never sends an order."""

        def get_wake_frequency(self) -> int:
            return SECOND

        def wakeup(self, current_time: int) -> None:
            if super().wakeup(current_time):
                self.get_current_spread(SYMBOL, depth=5)
                self.set_wakeup(current_time + SECOND)

    expected = run_tape(8, END)
    config = rmsc04.build_config(seed=8, end_time=END)
    count = len(config["agents"])
    idle = Idle(id=count, starting_cash=0)
    tape = tape_of(abides.run(config_append_agents(config, [idle])))
    assert tape.trades == expected.trades
    assert tape.quotes == expected.quotes
    assert tape.final[:-1] == expected.final
    assert tape.final[-1] == (count, "Idle", 0, 0)
    assert tape.events > expected.events
    assert idle.known_bids[SYMBOL]


def test_latencies_of_the_first_agents_do_not_depend_on_how_many_follow() -> None:
    config = rmsc04.build_config(seed=8, num_noise_agents=20)
    before = config["agent_latency_model"].min_latency
    count = len(config["agents"])
    after = config_append_agents(config, [TradingAgent(id=count), TradingAgent(id=count + 1)])
    assert (after["agent_latency_model"].min_latency[:count, :count] == before).all()


def test_agents_draw_from_streams_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A noise trader that draws more often than it used to shifts nobody else's seed."""
    plain = rmsc04.build_config(seed=3, num_noise_agents=20)["agents"]

    class Greedy(builder.NoiseAgent):
        def __init__(self, **parameters: Any) -> None:
            super().__init__(**parameters)
            self.random_state.rand(10)

    monkeypatch.setattr(builder, "NoiseAgent", Greedy)
    greedy = rmsc04.build_config(seed=3, num_noise_agents=20)["agents"]
    assert [a.random_state.rand() for a in plain[21:]] == [a.random_state.rand() for a in greedy[21:]]
    assert [a.wakeup_time for a in plain[1:21]] == [a.wakeup_time for a in greedy[1:21]]


def test_batch_numbers_its_parts_before_itself() -> None:
    first, second = Message(), Message()
    batch = MessageBatch([first, second])
    assert first.message_id < second.message_id < batch.message_id
