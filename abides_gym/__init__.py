"""Gymnasium environments over a running simulation."""
