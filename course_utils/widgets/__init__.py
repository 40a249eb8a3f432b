"""Explore a probe: one file per panel. Nothing imports this package but notebooks."""
