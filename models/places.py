"""Countries: where their people mostly are, and what time it is there.

Position is that of the largest urban area (degrees, from memory of an atlas, good to about half a degree): used only
for "how fast would one have to travel". Zone is the IANA zone most people live in. A country that is not listed
has no local time and no position: features that need them are missing, not zero.
"""

from __future__ import annotations

import datetime as dt
import math
import zoneinfo
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.memo import Memo

HOUR_MS = 3_600_000

_TABLE = """
AE 25.2 55.3 Asia/Dubai|AR -34.6 -58.4 America/Argentina/Buenos_Aires|AT 48.2 16.4 Europe/Vienna
AU -33.9 151.2 Australia/Sydney|BD 23.8 90.4 Asia/Dhaka|BE 50.8 4.4 Europe/Brussels|BG 42.7 23.3 Europe/Sofia
BR -23.5 -46.6 America/Sao_Paulo|CA 43.7 -79.4 America/Toronto|CH 47.4 8.5 Europe/Zurich|CL -33.4 -70.7 America/Santiago
CN 31.2 121.5 Asia/Shanghai|CO 4.7 -74.1 America/Bogota|CY 35.2 33.4 Asia/Nicosia|CZ 50.1 14.4 Europe/Prague
DE 52.5 13.4 Europe/Berlin|DK 55.7 12.6 Europe/Copenhagen|EE 59.4 24.8 Europe/Tallinn|EG 30.0 31.2 Africa/Cairo
ES 40.4 -3.7 Europe/Madrid|FI 60.2 24.9 Europe/Helsinki|FR 48.9 2.4 Europe/Paris|GB 51.5 -0.1 Europe/London
GH 5.6 -0.2 Africa/Accra|GR 38.0 23.7 Europe/Athens|HK 22.3 114.2 Asia/Hong_Kong|HU 47.5 19.0 Europe/Budapest
ID -6.2 106.8 Asia/Jakarta|IE 53.3 -6.3 Europe/Dublin|IL 32.1 34.8 Asia/Jerusalem|IN 19.1 72.9 Asia/Kolkata
IR 35.7 51.4 Asia/Tehran|IT 45.5 9.2 Europe/Rome|JP 35.7 139.7 Asia/Tokyo|KE -1.3 36.8 Africa/Nairobi
KH 11.6 104.9 Asia/Phnom_Penh|KP 39.0 125.8 Asia/Pyongyang|KR 37.6 127.0 Asia/Seoul|KW 29.4 48.0 Asia/Kuwait
LA 18.0 102.6 Asia/Vientiane|LK 6.9 79.9 Asia/Colombo|LT 54.7 25.3 Europe/Vilnius|LU 49.6 6.1 Europe/Luxembourg
LV 56.9 24.1 Europe/Riga|MA 33.6 -7.6 Africa/Casablanca|MM 16.8 96.2 Asia/Yangon|MO 22.2 113.5 Asia/Macau
MX 19.4 -99.1 America/Mexico_City|MY 3.1 101.7 Asia/Kuala_Lumpur|NG 6.5 3.4 Africa/Lagos|NL 52.4 4.9 Europe/Amsterdam
NO 59.9 10.8 Europe/Oslo|NP 27.7 85.3 Asia/Kathmandu|NZ -36.8 174.8 Pacific/Auckland|PE -12.0 -77.0 America/Lima
PH 14.6 121.0 Asia/Manila|PK 24.9 67.0 Asia/Karachi|PL 52.2 21.0 Europe/Warsaw|PT 38.7 -9.1 Europe/Lisbon
QA 25.3 51.5 Asia/Qatar|RO 44.4 26.1 Europe/Bucharest|RS 44.8 20.5 Europe/Belgrade|RU 55.8 37.6 Europe/Moscow
SA 24.7 46.7 Asia/Riyadh|SE 59.3 18.1 Europe/Stockholm|SG 1.4 103.8 Asia/Singapore|SK 48.1 17.1 Europe/Bratislava
TH 13.8 100.5 Asia/Bangkok|TR 41.0 29.0 Europe/Istanbul|TW 25.0 121.6 Asia/Taipei|TZ -6.8 39.3 Africa/Dar_es_Salaam
UA 50.5 30.5 Europe/Kyiv|US 40.7 -74.0 America/New_York|UZ 41.3 69.2 Asia/Tashkent|VN 10.8 106.7 Asia/Ho_Chi_Minh
ZA -26.2 28.0 Africa/Johannesburg
"""


def _read() -> dict[str, tuple[float, float, str]]:
    rows = [row.split() for line in _TABLE.strip().splitlines() for row in line.split("|")]
    return {code: (float(lat), float(lon), zone) for code, lat, lon, zone in rows}


PLACES: dict[str, tuple[float, float, str]] = _read()
_zones: dict[str, zoneinfo.ZoneInfo] = {}
_offsets: dict[tuple[str, int], int] = {}
_distances: dict[tuple[str, str], float] = {}


def zone_offset_ms(zone: str, time: int) -> int:
    """Offset of local time from UTC in ms at `time` (ms), by the hour."""
    hour = time // HOUR_MS
    found = _offsets.get((zone, hour))
    if found is None:
        if len(_offsets) > 200_000:
            _offsets.clear()
        info = _zones.get(zone)
        if info is None:
            info = _zones[zone] = zoneinfo.ZoneInfo(zone)
        offset = dt.datetime.fromtimestamp(hour * 3600, info).utcoffset()
        found = _offsets[(zone, hour)] = int(offset.total_seconds() * 1000) if offset else 0
    return found


def local_offsets(countries: Sequence[str | None], times: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Local time less UTC in ms for a batch: NaN for a country that is not listed, 0 where there is none."""
    at = zip(countries, (times // HOUR_MS).tolist(), strict=True)
    return np.fromiter(map(_local.__getitem__, at), np.float64, len(countries))


def _local_offset(at: tuple[str | None, int]) -> float:
    country, hour = at
    if country is None:
        return 0.0
    place = PLACES.get(country)
    return math.nan if place is None else float(zone_offset_ms(place[2], hour * HOUR_MS))


_local = Memo(_local_offset, 100_000)


def distance_km(a: str, b: str) -> float:
    """Great-circle distance between two countries' main cities in km; NaN when one is not listed."""
    if a == b:
        return 0.0
    found = _distances.get((a, b))
    if found is None:
        if a not in PLACES or b not in PLACES:
            return float("nan")
        (lat1, lon1, _), (lat2, lon2, _) = PLACES[a], PLACES[b]
        p, q = math.radians(lat1), math.radians(lat2)
        h = (
            math.sin((q - p) / 2) ** 2
            + math.cos(p) * math.cos(q) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
        )
        found = _distances[(a, b)] = 2 * 6371.0 * math.asin(min(1.0, math.sqrt(h)))
    return found


_CHARACTER = 21
"""Bits of a character."""


def place_code(country: str | None) -> int:
    """A number for a country code of two characters, −1 for none: the same in every process."""
    return -1 if country is None else ord(country[0]) << _CHARACTER | ord(country[1])


place_codes = Memo(place_code, 10_000)
"""`place_code`, kept: for batches."""


def place_of(code: int) -> str:
    """The way back from `place_code`."""
    return chr(code >> _CHARACTER) + chr(code & (1 << _CHARACTER) - 1)


def civil_buckets(times: npt.NDArray[np.int64], period: str, zone: str) -> npt.NDArray[np.int64]:
    """Number of the civil `day`, `month` or `year` since 1970 in a zone, for times in ms."""
    hours, place = np.unique(times // HOUR_MS, return_inverse=True)
    offsets = [zone_offset_ms(zone, hour * HOUR_MS) for hour in hours.tolist()]
    local = times + np.array(offsets, dtype=np.int64)[place]
    unit = {"day": "D", "month": "M", "year": "Y"}[period]
    return local.astype("datetime64[ms]").astype(f"datetime64[{unit}]").astype(np.int64)
