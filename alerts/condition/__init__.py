"""Tidegate's own condition: what is wrong with it, as values that are routed like any alert."""
