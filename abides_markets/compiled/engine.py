"""The compiled engine as `abides.run` knows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from abides_markets.compiled.kernel import CompiledKernel
from abides_markets.compiled.kernel import rare_collections
from abides_markets.compiled.translate import first_fault


class CompiledEngine:
    """Runs a configuration over tables, with the tape of the reference engine."""

    def fault(self, config: dict[str, Any]) -> str | None:
        """Return what in a configuration the engine does not support, as a noun, or `None` if it runs it."""
        return first_fault(config)

    def kernel(self, config: dict[str, Any], random_state: np.random.RandomState) -> Any:
        """Return a kernel for a configuration, not yet started."""
        kernel: Any = CompiledKernel(config)
        kernel.random_state = random_state
        return kernel

    def run(self, config: dict[str, Any], random_state: np.random.RandomState) -> dict[str, Any]:
        """Run a configuration to its end; the kernel's stream is not drawn from, as latencies are fixed."""
        with rare_collections():
            kernel = self.kernel(config, random_state)
            end_state: dict[str, Any] = kernel.run()
            kernel.fill_in()
        return end_state
