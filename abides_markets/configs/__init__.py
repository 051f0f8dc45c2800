"""Configurations of whole markets: modules with a `build_config` function."""
