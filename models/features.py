"""The feature catalogue: every number the models see, with its entity, unit, formula and wording.

One entry in models/catalogue adds a feature: it is then computed, served, explained, documented and tested. Formulas
are in models/formulas.py. Order is the order of the vector; names are stable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.catalogue.buyer import BUYER
from models.catalogue.feature import Feature
from models.catalogue.payee import PAYEE
from models.catalogue.place import PLACE
from models.catalogue.signals import SIGNALS
from models.columns import Float, Kind, attribute_column
from models.view import View

CATALOGUE: tuple[Feature, ...] = (*BUYER, *PLACE, *PAYEE)

NAMES: tuple[str, ...] = tuple(feature.name for feature in CATALOGUE)
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in CATALOGUE}
INDEX: dict[str, int] = {name: index for index, name in enumerate(NAMES)}
_CAPS = np.array([np.inf if feature.cap is None else feature.cap for feature in CATALOGUE])
RULE_KINDS: dict[str, Kind] = {
    f.name: "flag" if f.unit == "flag" else "number" for f in (*CATALOGUE, *SIGNALS)
}
"""Names and kinds for the rule language."""


def names_with(attributes: Sequence[str]) -> tuple[str, ...]:
    """Names of the vector's columns where transactions carry these attributes: the catalogue's, then theirs."""
    return (*NAMES, *map(attribute_column, attributes))


def matrix(view: View, attributes: Sequence[str] = ()) -> Float:
    """Feature matrix (m, len(CATALOGUE) + len(attributes)), NaN = missing; infinite values cannot occur.

    attributes: names of the view's columns that follow the catalogue, as `names_with` gives them.
    """
    out = np.empty((len(CATALOGUE) + len(attributes), view.times.shape[0]))
    for place, name in enumerate(attributes, len(CATALOGUE)):
        out[place] = view.columns[name]
    with np.errstate(invalid="ignore", divide="ignore"):
        for index, feature in enumerate(CATALOGUE):
            out[index] = feature.formula(view)
    # Formulas give columns, models and reasons read rows.
    return np.ascontiguousarray(out.T)


def signals(view: View) -> dict[str, Float]:
    """The columns that only rules know, by name; the view has followed accounts and documents."""
    return {signal.name: np.ascontiguousarray(signal.formula(view)) for signal in SIGNALS}


def for_models(rows: Float) -> Float:
    """The matrix as models see it: growing quantities held at their cap. A copy."""
    caps = np.full(rows.shape[1], np.inf)
    caps[: len(_CAPS)] = _CAPS
    held: Float = np.minimum(rows, caps)
    return held
