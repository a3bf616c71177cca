"""Decides: limits on a run, verdicts between two runs, and the gate. Pure functions on numbers."""
