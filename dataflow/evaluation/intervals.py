"""How sure a measure is: bootstrap intervals over what is independent (Efron and Tibshirani, 1993).

Payments of one card are frauds together, so whole cards are drawn; card precision is a mean over days, so days are
drawn within their fold. Without a card payments are drawn, frauds and good ones apart: with few frauds that is what
the width depends on. Every model meets the same draws, which makes a ratio of two models far surer than either.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from dataflow.evaluation.protocol import DAY_MS, METRICS, TOP_CARDS, Flags, Float, Fold, Ints, Scored
from models import quality

Interval = tuple[float, float]
Samples = dict[str, Float]
ROUNDS = 200
LEVEL = 0.95


def bootstrap(data: Scored, folds: Sequence[Fold], rounds: int = ROUNDS, seed: int = 7) -> Samples:
    """By measure its mean over the folds in `rounds` samples; equal seeds draw equally, whatever the scores."""
    rankings = [quality.Ranking(data.fraud[fold.test], data.score[fold.test]) for fold in folds]
    auc, precision = (np.full((rounds, len(folds)), np.nan) for _ in range(2))
    for round_, weights in enumerate(_draws(data, folds, rounds, seed)):
        for at, (ranking, weight) in enumerate(zip(rankings, weights, strict=True)):
            auc[round_, at] = ranking.roc_auc(weight)
            precision[round_, at] = ranking.average_precision(weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a sample without a fraud in any fold says nothing
        samples = {"roc_auc": np.nanmean(auc, axis=1), "average_precision": np.nanmean(precision, axis=1)}
    if data.card is not None:
        samples["card_precision_100"] = _card_precision(data, data.card, folds, rounds, seed)
    return samples


def intervals(samples: Samples) -> dict[str, Interval]:
    """The middle 95 % of the samples; a measure that is never defined is left out."""
    return {
        name: (float(low), float(high))
        for name in METRICS
        if name in samples and not np.isnan(samples[name]).all()
        for low, high in [np.nanquantile(samples[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])]
    }


def ratio_intervals(ours: Samples, theirs: Samples) -> dict[str, Interval]:
    """Intervals of ours / theirs, sample by sample."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = {name: ours[name] / theirs[name] for name in ours if name in theirs}
    return intervals({name: np.where(np.isfinite(values), values, np.nan) for name, values in ratio.items()})


def _draws(data: Scored, folds: Sequence[Fold], rounds: int, seed: int) -> Iterator[list[Float]]:
    """For each round the weights of each fold's rows."""
    generator = np.random.default_rng(seed)
    draw = _by_row(data.fraud, folds) if data.card is None else _by_card(data.card, folds)
    for _ in range(rounds):
        yield draw(generator)


def _by_card(card: Ints, folds: Sequence[Fold]) -> Callable[[np.random.Generator], list[Float]]:
    rows = [np.flatnonzero(fold.test) for fold in folds]
    cards, codes = np.unique(card[np.concatenate(rows)], return_inverse=True)
    by_fold = np.split(codes, np.cumsum([len(part) for part in rows])[:-1])

    def draw(generator: np.random.Generator) -> list[Float]:
        times = _times(generator, len(cards))
        return [times[part] for part in by_fold]

    return draw


def _by_row(fraud: Flags, folds: Sequence[Fold]) -> Callable[[np.random.Generator], list[Float]]:
    labels = [fraud[fold.test] for fold in folds]

    def draw(generator: np.random.Generator) -> list[Float]:
        weights = []
        for label in labels:
            weight = np.empty(len(label))
            for kind in (label, ~label):
                weight[kind] = _times(generator, int(kind.sum()))
            weights.append(weight)
        return weights

    return draw


def _times(generator: np.random.Generator, n: int) -> Float:
    """How often each of n is among n drawn with replacement."""
    return np.bincount(generator.integers(0, n, n) if n else [], minlength=n).astype(np.float64)


def _card_precision(data: Scored, card: Ints, folds: Sequence[Fold], rounds: int, seed: int) -> Float:
    generator = np.random.default_rng(seed)
    by_fold = []
    for fold in folds:
        rows = fold.test
        day = data.time[rows] // DAY_MS
        _, by_day = quality.card_precision(data.fraud[rows], data.score[rows], card[rows], day, TOP_CARDS)
        drawn = generator.choice(np.array(by_day), (rounds, len(by_day)))
        by_fold.append(drawn.mean(axis=1))
    mean: Float = np.mean(by_fold, axis=0)
    return mean
