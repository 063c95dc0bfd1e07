"""Chaos: real processes killed at random moments, and what they leave compared with an undisturbed run."""
