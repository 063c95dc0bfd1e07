"""Platt scaling: finds known constants, undoes the sampling, keeps the order."""

from __future__ import annotations

import numpy as np
import pytest

from models.calibration import log_odds, platt


def test_platt_finds_the_constants_and_undoes_weights():
    generator = np.random.default_rng(4)
    z = generator.normal(size=30_000)
    fraud = (generator.random(30_000) < 1 / (1 + np.exp(-(1.7 * z - 2.0)))).astype(np.float64)
    a, b = platt(z, fraud, np.ones(30_000), 1.0, 0.0)
    assert (a, b) == (pytest.approx(1.7, abs=0.08), pytest.approx(-2.0, abs=0.08))
    kept = (fraud > 0.5) | (generator.random(30_000) < 0.1)
    weight = np.where(fraud > 0.5, 1.0, 10.0)
    a, b = platt(z[kept], fraud[kept], weight[kept], 1.0, log_odds(0.1))
    assert (a, b) == (pytest.approx(1.7, abs=0.15), pytest.approx(-2.0, abs=0.15))


def test_platt_never_turns_an_order_around():
    z = np.linspace(-3, 3, 500)
    a, b = platt(z, (z < 0).astype(np.float64), np.ones(500), 1.0, 0.0)
    assert a == 0.0
    assert b == pytest.approx(0.0, abs=0.1)
