"""Pseudonyms, the normal forms behind them, and the search for clear data among tokens."""

from __future__ import annotations

import hmac
import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.custody.keyring import KeyRing
from alerts.custody.pseudonym import (
    PURPOSES,
    Pseudonyms,
    normal_ip,
    normal_pan,
    normal_phone,
    same_content,
)
from models.clear_data import CONTENT_FORM, find_clear, luhn
from models.errors import EventError
from models.events import Heartbeat, Transaction

NOW = 1_790_000_000_000
RING = KeyRing.for_tests()


def test_a_token_is_128_bits_of_hmac_under_its_purpose_and_epoch() -> None:
    epoch, key = RING.purpose_key("card")
    letters = bytes.maketrans(b"0123456789abcdef", b"bcdfghjkmnpqstvx")
    digest = hmac.digest(key, b"4111111111111111", "sha256").hex()[:32].encode().translate(letters).decode()
    assert Pseudonyms(RING).token("card", "4111111111111111") == f"card_{epoch}_{digest}"


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_tokens_are_stable_and_cannot_be_linked_over_purposes_epochs_or_rings(value: str) -> None:
    rotated = RING.rotate("pseudonym", NOW)
    bodies = []
    for pseudonyms in (Pseudonyms(RING), Pseudonyms(rotated), Pseudonyms(KeyRing.generate(NOW))):
        for purpose in PURPOSES:
            token = pseudonyms.token(purpose, value)
            assert token == pseudonyms.token(purpose, value)
            bodies.append(token.rpartition("_")[2])
    assert len(set(bodies)) == len(bodies)
    assert Pseudonyms(rotated, epoch=1).token("card", value) == Pseudonyms(RING).token("card", value)


@given(st.text(max_size=40), st.text(max_size=40))
@settings(deadline=None)
def test_different_values_have_different_tokens_that_read_as_no_clear_data(one: str, other: str) -> None:
    pseudonyms = Pseudonyms(RING)
    first, second = pseudonyms.token("content", one), pseudonyms.token("content", other)
    assert (first == second) == (one == other)
    assert CONTENT_FORM.fullmatch(first)
    assert find_clear(Heartbeat(id=first, event_time=NOW, received_at=NOW, component=first)) is None


def test_content_of_two_epochs_cannot_be_judged() -> None:
    old, new = Pseudonyms(RING), Pseudonyms(RING.rotate("pseudonym", NOW))
    assert same_content(old.token("content", "a"), old.token("content", "a")) is True
    assert same_content(old.token("content", "a"), old.token("content", "b")) is False
    assert same_content(old.token("content", "a"), new.token("content", "a")) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
    ],
)
def test_one_address_has_one_spelling(written: str, normal: str) -> None:
    assert normal_ip(written) == normal


@pytest.mark.parametrize(
    "text", ["", "1.2.3", "256.1.1.1", "1.2.3.4.", "1.2.3.04", "CANARY", "1.2.3.4/8", "::g"]
)
def test_what_is_no_address_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(EventError, match=r"\$\.clear\.ip") as caught:
        normal_ip(text)
    assert not text or text not in str(caught.value)


@given(st.ip_addresses())
@settings(deadline=None)
def test_every_address_is_taken_and_stays_as_it_is(address: object) -> None:
    assert normal_ip(normal_ip(str(address))) == normal_ip(str(address))


GROUPS = st.lists(
    st.sampled_from(["0", "", "1", "00a", "ABCD", "ffff", "12345", "g", "1.2.3.4", "%1"]), max_size=9
)


@given(GROUPS)
@settings(deadline=None)
def test_a_version_6_address_has_the_form_that_the_standard_library_gives(groups: list[str]) -> None:
    text = ":".join(groups)
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        with pytest.raises(EventError):
            normal_ip(text if ":" in text else "x")
        return
    assert normal_ip(text) == str(address.ipv4_mapped or address)


def test_phone_numbers_in_two_spellings_are_one() -> None:
    assert normal_phone("+49 (151) 555-0100") == normal_phone("0049 151 5550100") == "+491515550100"
    assert normal_phone("0151 5550100") == "01515550100"


@given(st.text("0123456789", min_size=11, max_size=18), st.integers(0, 18), st.integers(1, 9))
@settings(deadline=None)
def test_one_wrong_digit_of_a_card_number_is_always_found(payload: str, position: int, change: int) -> None:
    number = next(payload + check for check in "0123456789" if luhn(payload + check))
    assert normal_pan(" ".join(number)) == number
    position %= len(number)
    wrong = number[:position] + str((int(number[position]) + change) % 10) + number[position + 1 :]
    with pytest.raises(EventError, match="Luhn"):
        normal_pan(wrong)


# clear data where it does not belong


def payment(**fields: object) -> Transaction:
    base = {
        "id": "tx",
        "event_time": NOW,
        "received_at": NOW,
        "amount": 1,
        "currency": "EUR",
        "channel": "cnp",
    }
    return Transaction(**(base | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"purpose": "4111111111111111"}, "$.purpose"),
        ({"purpose": "pay x4111111111111111y"}, "$.purpose"),
        ({"purpose": "4111 1111 1111 1111"}, "$.purpose"),
        ({"order_id": "5555-5555-5555-4444"}, "$.order_id"),
        ({"device": "3782 822463 10005"}, "$.device"),
        ({"card": "30569309025904"}, "$.card"),
        ({"id": "6011111111111117"}, "$.id"),
        ({"payer": "canary@example.com"}, "$.payer"),
        ({"decline_code": "see a.b@example.co"}, "$.decline_code"),
        ({"attributes": {"4111111111111111": 1.0}}, "$.attributes[...]"),
        ({"attributes": {"canary@example.com": 1.0}}, "$.attributes[...]"),
        ({"attributes": {"x": 4111111111111111.0}}, "$.attributes[...]"),
        ({"attributes": {"x": -5555555555554444.0}}, "$.attributes[...]"),
        ({"amount": 378282246310005}, "$.amount"),
        ({"ip": "203.0.113.7"}, "$.ip"),
        ({"ip": "2001:db8::1"}, "$.ip"),
        ({"envelope": "CANARY-Anna"}, "$.envelope"),
        ({"content": "CANARY-Anna"}, "$.content"),
    ],
)
def test_clear_data_is_found_and_its_place_named(fields: dict[str, object], place: str) -> None:
    found = find_clear(payment(**fields))
    assert found is not None
    assert found.endswith(f"`{place}`")
    assert "4111" not in found
    assert "canary" not in found.lower()


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "4111111111111112"},
        {"id": "1790000000000"},
        {"order_id": "ORD-2026-000123"},
        {"uetr": "97ed4827-7b6f-4491-a06f-b548d5a7512d"},
        {"device": "a4111111111111111bcdef0123456789"},
        {"purpose": "invoice 2026-11-23 10:00:00 @ desk"},
        {"attributes": {"x": 1e300, "y": 0.4111111111111111}},
    ],
)
def test_ordinary_ids_and_numbers_are_left_alone(fields: dict[str, object]) -> None:
    assert find_clear(payment(**fields)) is None
