"""Countries, currencies, corridors and trades of the simulated world (data only).

Shares and factors are engineering choices that give a plausible picture, not statistics of any market.
Exchange rates are fixed: the world needs plausible tickets, not a market. They equal the newest rates of the
default FX table, so that a sum chosen just under a line in USD is judged to be there.
"""

from __future__ import annotations

from typing import NamedTuple


class Country(NamedTuple):
    """customers, merchants: shares of each. qr, wallet: shares of its purchases. declines, fraud: factors
    on the base rates. strong: share of purchases with strong customer authentication. iins: issuer numbers,
    taken from the card schemes' published test numbers and so never those of an issuer."""

    code: str
    currency: str
    zone: str
    region: str
    customers: float
    merchants: float
    qr: float
    wallet: float
    declines: float
    fraud: float
    strong: float
    iins: tuple[str, ...]


COUNTRIES: tuple[Country, ...] = (
    Country("CN", "CNY", "Asia/Shanghai", "asia", 21, 24, 0.34, 0.10, 0.9, 0.8, 0.60,
            ("620000", "621094", "621234")),
    Country("HK", "HKD", "Asia/Hong_Kong", "asia", 7, 9, 0.15, 0.17, 0.9, 1.0, 0.55, ("401288", "620550")),
    Country("US", "USD", "America/New_York", "america", 13, 16, 0.01, 0.16, 1.0, 1.4, 0.08,
            ("411111", "424242", "545454")),
    Country("DE", "EUR", "Europe/Berlin", "europe", 7, 6, 0.01, 0.12, 0.8, 0.7, 0.88, ("555555", "400005")),
    Country("GB", "GBP", "Europe/London", "europe", 7, 6, 0.01, 0.20, 0.8, 0.9, 0.86, ("444433", "510510")),
    Country("FR", "EUR", "Europe/Paris", "europe", 5, 4, 0.01, 0.13, 0.9, 0.9, 0.87, ("497010", "520082")),
    Country("SG", "SGD", "Asia/Singapore", "asia", 5, 5, 0.18, 0.18, 0.8, 0.8, 0.70, ("446203",)),
    Country("JP", "JPY", "Asia/Tokyo", "asia", 6, 6, 0.14, 0.16, 0.8, 0.6, 0.50, ("353011", "356600")),
    Country("KR", "KRW", "Asia/Seoul", "asia", 4, 4, 0.08, 0.21, 0.8, 0.6, 0.60, ("352800",)),
    Country("BR", "BRL", "America/Sao_Paulo", "america", 4, 2, 0.22, 0.06, 1.9, 2.2, 0.25, ("222300",)),
    Country("NG", "NGN", "Africa/Lagos", "africa", 2, 1, 0.03, 0.04, 2.6, 3.0, 0.40, ("506099",)),
    Country("VN", "VND", "Asia/Ho_Chi_Minh", "asia", 3, 2, 0.27, 0.08, 1.5, 1.7, 0.50, ("400000",)),
    Country("AE", "AED", "Asia/Dubai", "gulf", 3, 3, 0.03, 0.20, 1.1, 1.2, 0.60, ("222242",)),
    Country("AU", "AUD", "Australia/Sydney", "pacific", 3, 3, 0.01, 0.20, 0.9, 0.9, 0.20, ("401200",)),
    Country("ID", "IDR", "Asia/Jakarta", "asia", 3, 2, 0.26, 0.06, 1.7, 1.9, 0.45, ("491730",)),
    Country("PH", "PHP", "Asia/Manila", "asia", 3, 1, 0.20, 0.08, 1.7, 1.8, 0.40, ("550000",)),
    Country("IN", "INR", "Asia/Kolkata", "asia", 2, 2, 0.30, 0.05, 1.4, 1.3, 0.85, ("601111",)),
    Country("MX", "MXN", "America/Mexico_City", "america", 2, 1, 0.04, 0.06, 1.8, 2.0, 0.20, ("222100",)),
    Country("CA", "CAD", "America/Toronto", "america", 2, 2, 0.01, 0.18, 0.9, 0.9, 0.15, ("601100",)),
    Country("TH", "THB", "Asia/Bangkok", "asia", 2, 1, 0.28, 0.08, 1.3, 1.2, 0.45, ("491761",)),
    Country("MY", "MYR", "Asia/Kuala_Lumpur", "asia", 2, 2, 0.20, 0.10, 1.1, 1.1, 0.55, ("675964",)),
)  # fmt: skip

CODES = tuple(country.code for country in COUNTRIES)
INDEX = {code: index for index, code in enumerate(CODES)}

UNITS_PER_USD = {
    "CNY": 7.05, "HKD": 7.79, "USD": 1.0, "EUR": 0.855, "GBP": 0.745, "SGD": 1.29, "JPY": 156.0,
    "KRW": 1460.0, "BRL": 5.45, "NGN": 1450.0, "VND": 26300.0, "AED": 3.6725, "AUD": 1.50, "IDR": 16650.0,
    "PHP": 58.8, "INR": 89.5, "MXN": 18.1, "CAD": 1.38, "THB": 31.7, "MYR": 4.10,
}  # fmt: skip
CURRENCIES = tuple(UNITS_PER_USD)
CURRENCY_INDEX = {currency: index for index, currency in enumerate(CURRENCIES)}
MINOR_UNITS = {currency: (1 if currency in ("JPY", "KRW", "VND") else 100) for currency in CURRENCIES}
PRICE_STEP = {"JPY": 10, "KRW": 100, "VND": 1000, "IDR": 100_000, "NGN": 5_000, "THB": 100, "PHP": 100}
"""Minor units prices are rounded to where nobody counts the small change."""

CORRIDORS: dict[str, tuple[str, ...]] = {
    "CN": ("HK", "JP", "KR", "US", "AU"), "HK": ("CN", "JP", "GB"), "US": ("CN", "GB", "CA", "MX"),
    "DE": ("CN", "GB", "FR"), "GB": ("CN", "US", "DE"), "FR": ("DE", "CN", "GB"), "SG": ("CN", "MY", "JP"),
    "JP": ("CN", "US", "KR"), "KR": ("CN", "JP", "US"), "BR": ("CN", "US"), "NG": ("CN", "GB", "AE"),
    "VN": ("CN", "KR", "SG"), "AE": ("CN", "IN", "GB"), "AU": ("CN", "US", "GB"), "ID": ("CN", "SG"),
    "PH": ("CN", "SG", "HK"), "IN": ("CN", "AE", "US"), "MX": ("US", "CN"), "CA": ("US", "CN"),
    "TH": ("CN", "JP"), "MY": ("SG", "CN"),
}  # fmt: skip
"""Where the customers of a country like to buy abroad."""

REMITTANCES: dict[str, tuple[str, ...]] = {
    "CN": ("HK", "US", "AU", "GB"), "HK": ("PH", "ID", "CN"), "US": ("MX", "PH", "IN", "CN", "VN", "NG"),
    "DE": ("FR", "IN", "CN"), "GB": ("NG", "IN", "PH"), "FR": ("VN", "DE"), "SG": ("ID", "PH", "IN", "MY"),
    "JP": ("VN", "PH", "CN"), "KR": ("VN", "CN"), "BR": ("US", "FR"), "NG": ("GB", "CN"), "VN": ("US", "JP"),
    "AE": ("PH", "IN", "NG"), "AU": ("PH", "VN", "CN"), "ID": ("SG", "MY"), "PH": ("US", "SG"),
    "IN": ("US", "GB"), "MX": ("US",), "CA": ("PH", "IN", "CN"), "TH": ("SG", "CN"), "MY": ("SG", "ID"),
}  # fmt: skip
"""Where the customers of a country send transfers."""


class Trade(NamedTuple):
    """A merchant category. ticket: median in USD; spread: sigma of the log-normal; goods: shipped to an
    address; counter: also paid by wallet or QR code at a counter; fraud: factor on the base rate."""

    mcc: str
    share: float
    ticket: float
    spread: float
    goods: bool
    counter: bool
    fraud: float


TRADES: tuple[Trade, ...] = (
    Trade("5399", 16, 34, 0.8, True, False, 1.0),
    Trade("5651", 13, 52, 0.7, True, True, 0.8),
    Trade("5732", 9, 165, 0.9, True, True, 2.0),
    Trade("5977", 7, 38, 0.6, True, True, 0.7),
    Trade("5945", 5, 31, 0.7, True, False, 0.7),
    Trade("5942", 4, 19, 0.6, True, False, 0.4),
    Trade("5944", 2, 240, 0.9, True, True, 2.4),
    Trade("5499", 5, 27, 0.6, True, True, 0.4),
    Trade("5816", 7, 11, 0.9, False, False, 1.8),
    Trade("5815", 6, 8, 0.5, False, False, 0.7),
    Trade("4511", 4, 380, 0.7, False, False, 1.2),
    Trade("7011", 5, 190, 0.7, False, True, 0.8),
    Trade("5812", 6, 23, 0.6, False, True, 0.2),
    Trade("4121", 4, 12, 0.5, False, True, 0.2),
    Trade("5311", 4, 74, 0.8, True, True, 0.7),
    Trade("8299", 2, 260, 0.8, False, False, 0.3),
    Trade("6051", 1, 140, 1.0, False, False, 2.8),
)

GOODS: dict[str, tuple[str, float]] = {
    "5399": ("392490", 600.0), "5651": ("610910", 250.0), "5732": ("851713", 350.0), "5977": ("330499", 150.0),
    "5945": ("950300", 500.0), "5942": ("490199", 450.0), "5944": ("711319", 40.0), "5499": ("210690", 500.0),
    "5311": ("420222", 800.0),
}  # fmt: skip
"""What the trades that ship goods declare: Harmonized System code, and grams a piece."""

PURPOSES: tuple[tuple[str, float, float], ...] = (
    ("FAMI", 210, 0.6), ("EDUC", 1900, 0.7), ("GDDS", 640, 1.0), ("RENT", 820, 0.4), ("SALA", 1450, 0.4),
    ("SCVE", 380, 0.9),
)  # fmt: skip
"""ISO 20022 external purpose codes with the median in USD and the spread of a transfer."""


class Partner(NamedTuple):
    """A payment service provider; declines is its base rate of refused authorisations."""

    id: str
    declines: float
    share: float


PARTNERS: tuple[Partner, ...] = (
    Partner("psp-aurora", 0.035, 30),
    Partner("psp-borealis", 0.05, 22),
    Partner("psp-cassia", 0.065, 18),
    Partner("psp-delta", 0.085, 14),
    Partner("psp-ember", 0.11, 10),
    Partner("psp-fjord", 0.16, 6),
)
"""In order of reliability; purchases only."""

REMITTERS = ("rail-harbour", "rail-meridian")
DECLINE_CODES = (
    "insufficient_funds",
    "do_not_honor",
    "invalid_credential",
    "expired_card",
    "invalid_account",
)
DECLINE_SHARES = (0.46, 0.33, 0.11, 0.07, 0.03)
