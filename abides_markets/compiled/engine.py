"""The compiled engine as `abides.run` knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_markets.compiled import layout as at
from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.results import NOT_KEPT
from abides_markets.compiled.results import agent_rows
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
    rows = agent_rows(kernel.buffer)
    prices = np.where(rows[:, at.A_KNOWS_TRADE] == 1, rows[:, at.A_LAST_TRADE], 0)
    values = (rows[:, at.A_CASH] + prices * rows[:, at.A_SHARES]).tolist()
    totals, counts = kernel.mean_result_by_agent_type, kernel.agent_count_by_type
    for agent, value in zip(kernel.agents[1:], values[1:], strict=True):
        if is_built_in(agent):
            totals[agent.type] += value - agent.starting_cash
            counts[agent.type] += 1
    if any(agent.log_events and is_built_in(agent) for agent in kernel.agents):
        kernel.summary_log = NOT_KEPT
    kernel.agent_current_times = rows[:, at.A_FREE].tolist()
