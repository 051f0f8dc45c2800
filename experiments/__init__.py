"""Command-line entry points: training, sweeps, comparisons."""
