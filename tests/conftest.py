"""What every test runs under: one thread a process, no window, no telemetry, reproducible properties."""

from __future__ import annotations

import os

from hypothesis import HealthCheck
from hypothesis import settings

# Before anything imports torch, Ray or matplotlib: they read these once. Ray's workers inherit them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MPLBACKEND", "Agg")

# A test that passes must not fail for the machine's load (no deadline), nor in CI for the luck of the draw.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
