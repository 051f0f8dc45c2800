"""Measurements: speed of the simulator, effect of its switches. Not part of the tests."""
