"""Drills: simulated attacks and losses, played through the real parts, scored against targets."""
