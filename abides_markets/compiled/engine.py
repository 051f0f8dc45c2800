"""The compiled engine as `abides.run` knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_markets.compiled import layout as at
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.results import NOT_KEPT
from abides_markets.compiled.results import from_buffer
from abides_markets.compiled.translate import first_fault
from abides_markets.compiled.translate import is_built_in


class CompiledEngine:
    """Runs a configuration over tables, with the tape of the reference engine."""

    def fault(self, config: dict[str, Any]) -> str | None:
        """Return what in a configuration the engine does not support, as a noun, or `None` if it runs it."""
        return first_fault(config)

    def kernel(self, config: dict[str, Any], random_state: np.random.RandomState) -> Any:
        """Return a kernel for a configuration, not yet started."""
        kernel: Any = CompiledKernel(config)
        kernel.random_state = random_state
        for agent in kernel.agents:
            agent.kernel = kernel
        return kernel

    def run(self, config: dict[str, Any], random_state: np.random.RandomState) -> dict[str, Any]:
        """Run a configuration to its end; the kernel's stream is not drawn from, as latencies are fixed."""
        kernel = self.kernel(config, random_state)
        end_state: dict[str, Any] = kernel.run()
        from_buffer(kernel.buffer, config)
        _add_results(kernel)
        return end_state


def _add_results(kernel: Any) -> None:
    """Value the built-in agents at the last trade they know of, as they do themselves at the end of a run."""
    for agent in kernel.agents[1:]:
        if is_built_in(agent):
            price = agent.last_trade.get(agent.symbol) or 0
            value = agent.holdings["CASH"] + price * agent.holdings.get(agent.symbol, 0)
            kernel.mean_result_by_agent_type[agent.type] += value - agent.starting_cash
            kernel.agent_count_by_type[agent.type] += 1
    if any(is_built_in(agent) and agent.log_events for agent in kernel.agents):
        kernel.summary_log = NOT_KEPT
    kernel.agent_current_times = _free_times(kernel)


def _free_times(kernel: Any) -> list[int]:
    first = int(kernel.buffer[at.AGENTS])
    rows = kernel.buffer[first : first + len(kernel.agents) * at.AGENT_WORDS].reshape(-1, at.AGENT_WORDS)
    return [int(time) for time in rows[:, at.A_FREE]]
