"""Synchronous scoring over a real socket, with a real flow behind it."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from alerts.redis_link import RedisLink
from alerts.redis_store import RedisStore
from models.decision import Decision
from tests.canaries import CANARY_PATTERNS, canary_lines
from tests.serving import PATIENT, Server, payment, serving

HASTY = {"Tidegate-Deadline-Ms": "50"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve")) as running:
        yield running


def post(server: Server, content: Any, **headers: str) -> httpx.Response:
    return server.client.post("/v1/transactions", json=content, headers={**PATIENT, **headers})


def on_the_stream(server: Server, id_: str) -> int:
    """How often an event of this id stands on the input stream."""
    entries = RedisLink(server.url).client.xrange("tg:in")
    return sum(json.loads(fields[b"e"])["id"] == id_ for _, fields in entries)


def test_a_payment_is_decided_and_can_be_looked_up(server: Server) -> None:
    sent = payment("one", clear={"pan": "4111111111111111", "payer_name": "CANARY-Payer 1"})
    answer = post(server, sent).json()
    assert (answer["fallback"], answer["repeated"]) == (False, False)
    decision = msgspec.convert(answer["decision"], Decision)
    assert (decision.id, decision.action, decision.band) == ("one", answer["action"], answer["band"])
    assert server.client.get("/v1/decisions/one").json() == answer["decision"]
    assert server.client.get("/v1/decisions/two%2Fthree").status_code == 404


def test_the_same_again_is_the_same_decision_and_other_content_a_conflict(server: Server) -> None:
    sent = payment("again/with slash")
    first = post(server, sent).json()
    again = post(server, {**sent, "type": "transaction"}).json()
    assert again == {**first, "repeated": True}
    other = post(server, {**sent, "amount": 2000})
    assert other.status_code == 409
    assert (other.json()["reason"], other.json()["place"]) == ("conflicting_duplicate", "$.id")
    assert on_the_stream(server, sent["id"]) == 1
    # After a while only the engine still knows the id.
    RedisLink(server.url).client.delete(f"tg:served:{sent['id']}")
    assert post(server, sent).json() == {**first, "repeated": True}
    RedisLink(server.url).client.delete(f"tg:served:{sent['id']}")
    late = post(server, {**sent, "amount": 2000})
    assert late.status_code == 409
    assert late.json()["place"] == "$.id"


def test_twenty_at_once_with_one_id_get_one_decision(server: Server) -> None:
    sent = payment("crowd")
    with ThreadPoolExecutor(20) as pool:
        answers = [r.json() for r in pool.map(lambda _: post(server, sent), range(20))]
    assert len({json.dumps(answer["decision"]) for answer in answers}) == 1
    assert sum(not answer["repeated"] for answer in answers) == 1
    assert on_the_stream(server, "crowd") == 1


def test_each_event_of_a_batch_stands_for_itself(server: Server) -> None:
    sent = [
        payment("b-1"), payment("b-2", amount=-1), payment("b-3", currency="XXX"), payment("b-1"),
        payment("b-4", purpose="card 4111111111111111"), 7, payment("b-5"),
    ]  # fmt: skip
    sent[3]["event_time"] = sent[0]["event_time"]
    results = post(server, sent).json()["results"]
    assert [r["status"] for r in results] == [200, 400, 422, 200, 422, 400, 200]
    assert [r.get("problem", {}).get("place") for r in results] == [
        None, "$[1].amount", "$[2].currency", None, "$[4].purpose", "$[5]", None
    ]  # fmt: skip
    assert "4111" not in json.dumps(results)
    # What the engine refused is refused again, not taken for something that still waits.
    assert post(server, sent[2]).status_code == 422


@pytest.mark.parametrize(
    ("content", "status", "place"),
    [
        (b"", 400, "$"),
        (b"{", 400, "$"),
        (b'{"id":"x"}', 400, "$"),
        (b"[]", 400, "$"),
        (b"[1,", 400, "$"),
        (b'"\xff"', 400, "$"),
        (b"[" * 5000, 400, "$"),
        (json.dumps([payment("x")] * 501).encode(), 413, "$"),
        (b" " * 1_048_577, 413, None),
        (json.dumps(payment("x", type="label")).encode(), 422, "$.type"),
        (json.dumps(payment("x", received_at=1)).encode(), 422, "$.received_at"),
        (json.dumps(payment("x", content="content_1_x")).encode(), 422, "$.content"),
        (json.dumps({**payment("x"), "event_time": 4_000_000_000_000}).encode(), 422, "$.event_time"),
        (json.dumps(payment("x", clear={"pan": "4111111111111111"}, card="c")).encode(), 422, "$.card"),
        (json.dumps(payment("x", amonut=1)).encode(), 400, "$"),
        (json.dumps(payment("mail canary@example.com")).encode(), 422, "$.id"),
    ],
    # Names of their own: the payments carry the present time, which differs between two workers.
    ids=[
        "nothing", "cut", "bare", "empty list", "cut list", "no text", "deep", "too many", "too long", "other type",
        "own arrival", "own content", "future", "card beside clear", "misspelt", "mailbox as id",
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_a_problem_with_its_place(
    server: Server, content: bytes, status: int, place: str | None
) -> None:
    answer = server.client.post(
        "/v1/transactions", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("place") == place
    assert answer.json()["status"] == status
    assert answer.json()["type"].startswith("urn:tidegate:problem:")


def test_requests_that_are_not_for_it(server: Server) -> None:
    client = server.client
    assert client.post("/v1/transactions", content=b"{}").status_code == 415
    assert client.get("/v1/transactions").status_code == 405
    assert client.get("/v1/transactions").headers["allow"] == "POST"
    assert client.get("/nowhere").json()["type"] == "urn:tidegate:problem:not_found"
    for asked in ("0", "-1", "60001", "soon", "1.5", "9" * 5000):
        answer = client.post("/v1/transactions", json=payment("x"), headers={"Tidegate-Deadline-Ms": asked})
        assert answer.status_code == 400
    for kept in (
        "",
        "Bearer",
        "Bearer x",
        "Basic " + server.key(),
        "Bearer " + server.key() + "x",
        "Bearer tgk_local_",
    ):
        answer = httpx.post(
            f"{server.address}/v1/transactions", json=payment("x"), headers={"Authorization": kept}
        )
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_labels_and_other_events_are_accepted(server: Server) -> None:
    client = server.client
    label = {
        "type": "label", "id": "l-1", "event_time": payment("")["event_time"], "transaction_id": "warm-up", "fraud": True,
        "source": "chargeback",
    }  # fmt: skip
    assert client.post("/v1/labels", json=label).json() == {"id": "l-1", "repeated": False}
    again = client.post(
        "/v1/labels", json=[label, {**label, "fraud": False}, payment("x", type="transaction")]
    )
    assert again.status_code == 202
    assert [r["status"] for r in again.json()["results"]] == [202, 409, 422]
    login = {
        "type": "behaviour",
        "kind": "login",
        "id": "e-1",
        "event_time": label["event_time"],
        "payer": "p",
    }
    assert client.post("/v1/events", json=login).status_code == 202
    control = {
        "type": "control",
        "kind": "pin",
        "id": "c-1",
        "event_time": label["event_time"],
        "version": "1",
    }
    assert client.post("/v1/events", json=control).status_code == 422
    assert post(server, payment("after-label")).status_code == 200
    store = RedisStore(server.url)
    server.wait(
        lambda: store.counters().labels == 1 and store.counters().behaviours == 1, "label and login counted"
    )


def test_late_decisions_fall_back_and_are_there_afterwards(server: Server) -> None:
    server.scorer.send_signal(signal.SIGSTOP)
    try:
        sent = payment("late")
        answer = server.client.post("/v1/transactions", json=sent, headers=HASTY).json()
        assert answer == {
            "id": "late", "action": "STEP_UP", "band": "medium", "risk": None, "fallback": True, "reason": "deadline",
            "repeated": False, "decision": None,
        }  # fmt: skip
        again = server.client.post("/v1/transactions", json=sent, headers=HASTY).json()
        assert again == {**answer, "repeated": True}
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(post, server, sent)
            server.scorer.send_signal(signal.SIGCONT)
            assert waiting.result().json()["fallback"] is False
        assert server.client.get("/v1/decisions/late").status_code == 200
    finally:
        server.scorer.send_signal(signal.SIGCONT)


def test_a_backlog_turns_callers_away_until_it_is_gone(server: Server) -> None:
    server.scorer.send_signal(signal.SIGSTOP)
    try:
        for batch in range(2):
            server.client.post(
                "/v1/transactions", json=[payment(f"q-{batch}-{n}") for n in range(300)], headers=HASTY
            )
        busy = server.wait(
            lambda: (r := server.client.post("/v1/transactions", json=payment("q"), headers=HASTY)).status_code == 429
            and r, "turned away"
        )  # fmt: skip
        assert 1 <= int(busy.headers["retry-after"]) <= 30
        assert busy.json()["retry_after"] == int(busy.headers["retry-after"])
    finally:
        server.scorer.send_signal(signal.SIGCONT)
    server.wait(lambda: post(server, payment("q-after")).status_code == 200, "taken again")
    counters = RedisStore(server.url).counters()
    assert counters.balanced()


def test_without_a_store_it_says_so_and_recovers(server: Server) -> None:
    server.valkey.stop()
    answer = post(server, payment("down"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert server.client.get("/v1/decisions/one").status_code == 503
    server.wait(lambda: server.client.get("/readyz").status_code == 503, "not ready")
    assert server.client.get("/healthz").status_code == 200
    server.valkey.start()
    # The supervisor's part: a scorer that lost its store ends, and is started again.
    server.scorer.kill()
    server.scorer.wait()
    server.scorer = server.start("scorer")
    server.wait(server.ready, "ready again")
    assert post(server, payment("down")).json()["fallback"] is False


def test_nothing_clear_is_written_anywhere(server: Server) -> None:
    lines = [json.loads(line) for line in canary_lines(300, 5) if _is_json(line)]
    for line in lines:
        line.pop("received_at", None)
    answers = [post(server, lines[n : n + 50]).text for n in range(0, len(lines), 50)]
    statuses = {r["status"] for text in answers for r in json.loads(text)["results"]}
    assert statuses == {200, 400, 422}
    written = [path for path in server.folder.rglob("*") if path.is_file()]
    assert {"serve.log", "scorer.log"} < {path.name for path in written}
    for name, data in [
        *((str(path), path.read_bytes()) for path in written),
        *(("answer", a.encode()) for a in answers),
    ]:
        assert not [pattern for pattern in CANARY_PATTERNS if pattern in data], name


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_the_log_tells_of_each_request_and_never_a_key(server: Server) -> None:
    post(server, payment("logged-event"))
    log = (server.folder / "serve.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"first_key_made", "listening", "request"} <= {line["event"] for line in lines}
    last = [line for line in lines if line["event"] == "request"][-1]
    assert (last["route"], last["status"], last["key"]) == ("/v1/transactions", 200, "local")
    assert server.key() not in log
    assert server.key().rpartition("_")[2] not in log
    assert "logged-event" not in log


def test_a_stop_lets_callers_finish(server: Server) -> None:
    """The last test of this server: it ends it."""
    server.scorer.send_signal(signal.SIGSTOP)
    answers: list[httpx.Response] = []
    headers = {"Tidegate-Deadline-Ms": "3000"}
    sent = payment("last")
    caller = threading.Thread(
        target=lambda: answers.append(server.client.post("/v1/transactions", json=sent, headers=headers))
    )
    caller.start()
    server.wait(lambda: on_the_stream(server, "last"), "appended")
    server.server.send_signal(signal.SIGTERM)
    caller.join()
    assert answers[0].json()["fallback"] is True
    assert server.server.wait(60) == 0
    assert Path(server.folder / "serve.log").read_text().rstrip().endswith('"event":"stopped"}')
