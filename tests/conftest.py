"""Settings of the whole suite."""

from __future__ import annotations

from hypothesis import settings

# The first example of a property may have to compile kernels; how long one takes is no test.
settings.register_profile("tidegate", deadline=None)
settings.load_profile("tidegate")
