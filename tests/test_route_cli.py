"""`tidegate route` and `tidegate silence` over a real store; the shipped files; the settings that were there before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import redis

from alerts.receivers.specs import WebhookReceiver
from alerts.redis_store import RedisStore
from alerts.routing.change import Change
from alerts.routing.plan import default_plan, load_plan, read_plan
from dataflow.cli import main
from dataflow.embedded import embedded
from dataflow.sender import plan_of, receivers_of
from dataflow.settings import load_settings
from models.errors import SettingsError
from tests.receiver import Hook, hook
from tests.sending import ENV, advance, local, raise_alerts, sender_of

EXAMPLE = (files("alerts") / "data" / "routing_example.toml").read_text("utf-8")
SECRETS = {
    "PAGERDUTY_ROUTING_KEY": "0" * 32, "SLACK_WEBHOOK_URL": "https://hooks.test/canary", "MAIL_PASSWORD": "canary"
}  # fmt: skip

WEBHOOK = WebhookReceiver(url="https://hooks.test/x", secret_env="HOOK")
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def store(url: str) -> RedisStore:
    redis.Redis.from_url(url).flushall()
    return RedisStore(url)


@pytest.fixture
def run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("REDIS_URL", url)
    for name, value in {**SECRETS, **ENV}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        code = main(list(words))
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


@pytest.fixture
def receiver() -> Iterator[Hook]:
    with hook() as running:
        yield running


def last(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


class TestFiles:
    def test_the_example_is_whole_and_can_be_sent_by(self) -> None:
        plan = read_plan(EXAMPLE, "example")
        assert set(receivers_of(plan, SECRETS)) == {"pager", "team", "mail"}

    def test_the_shipped_tree_tells_the_webhooks_that_are_set(self) -> None:
        assert default_plan([]).receivers == {}
        (name,) = default_plan([WEBHOOK]).receivers
        assert name.startswith("webhook-")

    def test_both_settings_at_once_are_refused_with_the_way_out(self, tmp_path: Path) -> None:
        path = tmp_path / "routing.toml"
        path.write_text(EXAMPLE)
        with pytest.raises(SettingsError, match=r"move each of the latter into .*routing.toml"):
            load_plan(path, [WEBHOOK])

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"nowhere.toml: the routing file cannot be read"):
            load_plan(tmp_path / "nowhere.toml", [])

    def test_old_settings_still_work(self, tmp_path: Path) -> None:
        path = tmp_path / "tidegate.toml"
        path.write_text(
            '[[webhooks.receivers]]\nurl = "https://hooks.test/x"\nsecret_env = "HOOK"\nmin_severity = "S1"\n'
        )
        settings = load_settings(path)
        (made,) = receivers_of(plan_of(settings), ENV).values()
        assert made.spec.known_as == "https://hooks.test/x", "ids of messages are those of before"


class TestRoute:
    def test_check_tells_the_mistake_and_who_would_hear(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "r.toml"
        path.write_text(EXAMPLE)
        code, said = run(
            "route", "check", "r.toml", "--label", "severity=S1", "--label", "corridor=CN>US", "--json"
        )
        assert code == 0
        assert last(said)["would take it"] == ["* / pages", "* / team-copy"]
        assert last(said)["would hear"] == ["pager (schedule:duty)", "team"]
        assert [step["level"] for step in last(said)["if nobody acknowledges"]] == [1, 2]
        assert "* / incidents: no match (type=incident)" in last(said)["asked"]
        path.write_text(EXAMPLE.replace('notify = ["schedule:duty"]', 'notify = ["schedule:night"]', 1))
        code, said = run("route", "check", "r.toml")
        assert code == 1
        assert "r.toml: route.routes[1] (incidents): 'schedule:night' is none of [[schedules]]" in said
        assert "canary" not in said

    def test_a_missing_secret_fails_the_check_and_can_be_left_out(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "r.toml").write_text(EXAMPLE)
        monkeypatch.delenv("MAIL_PASSWORD")
        code, said = run("route", "check", "r.toml")
        assert (code, "receiver mail: environment variable MAIL_PASSWORD holds no secret" in said) == (
            1,
            True,
        )
        assert run("route", "check", "r.toml", "--no-secrets")[0] == 0

    def test_show_and_example(self, run: Run, store: RedisStore, tmp_path: Path) -> None:
        (tmp_path / "r.toml").write_text(EXAMPLE)
        (tmp_path / "tidegate.toml").write_text('routing = "r.toml"\n')
        code, said = run("route", "show", "--json")
        assert code == 0
        told = last(said)
        assert [(row["name"], row["kind"], row["rate"]) for row in told["receivers"]] == [
            ("pager", "pagerduty", "none"), ("team", "slack", "50/1m"), ("mail", "email", "20/1m"),
        ]  # fmt: skip
        assert [row["name"] for row in told["routes"]][:2] == ["root", "incidents"]
        assert told["in_force"] is False
        assert told["on_call"]["duty"] in ("duty-analyst", "duty-lead")
        code, said = run("route", "show", "--at", "2026-11-28T00:00Z", "--json")
        (shift,) = last(said)["shifts"]
        assert (shift["person"], shift["then"], shift["timezone"]) == (
            "duty-analyst",
            "duty-lead",
            "Asia/Shanghai",
        )
        assert shift["until"] == 1_796_000_400_000, "Monday 30 November 2026, 09:00 in Shanghai"
        assert run("route", "show", "--at", "tomorrow")[0] == 2
        assert "pages" in run("route", "show")[1]
        assert run("route", "example")[1] == EXAMPLE

    def test_why_of_what_tidegate_says_about_itself_takes_the_id_that_was_sent(
        self, run: Run, store: RedisStore, receiver: Hook
    ) -> None:
        now = time.time_ns() // 1_000_000
        store.announce(Change(kind="self", id="process_silent:scorer", severity="S1", at=now, version=now))
        advance(sender_of(store, [local(receiver)]), now, now + 60_000)
        (body,) = receiver.bodies.values()
        code, said = run("route", "why", body["data"]["self_id"], "--json")
        assert (code, last(said)["change"]["id"]) == (0, "process_silent:scorer")

    def test_why_sent_resend_reconcile(self, run: Run, store: RedisStore, receiver: Hook) -> None:
        now = time.time_ns() // 1_000_000
        (alert,) = raise_alerts(store, 1, 1, now=now)
        code, said = run("route", "why", alert.id)
        assert (code, "the router has no record of it" in said) == (1, True)
        assert run("route", "why", "al_none")[0] == 2
        receiver.status = 410
        assert store.routing_view(now) is None
        advance(sender_of(store, [local(receiver)]), now, now + 1000)
        view = store.routing_view(now + 1000)
        assert view is not None
        assert [(row.kind, row.breaker) for row in view.receivers] == [("webhook", "disabled")]
        code, said = run("route", "why", alert.id, "--json")
        assert code == 0
        (heard,) = last(said)["heard"]
        assert (heard["code"], heard["fate"]) == ("first_notification", "dead")
        assert "first notification of its group" in run("route", "why", alert.id)[1]
        assert "首次通知" in run("route", "why", alert.id, "--zh")[1]
        told = last(run("route", "why", str(alert.decision.context["card"]), "--json")[1])
        assert (told["change"]["id"], [one["outcome"] for one in told["attempts"]]) == (alert.id, ["dead"])
        assert heard["message"] in run("route", "why")[1], "without an id: what came up last"
        code, said = run("route", "reconcile", "--json")
        assert code == 1
        (gap,) = last(said)["gaps"]
        assert (gap["kind"], gap["message"]) == ("dead", heard["message"])
        (row,) = last(run("route", "sent", "--dead", "--json")[1])["messages"]
        assert (row["message"], row["outcome"]) == (heard["message"], "dead")
        assert heard["message"] in run("route", "sent")[1]
        assert run("route", "resend", "msg_none", "--reason", "x")[0] == 2
        assert run("route", "resend", heard["message"], "--reason", "it is back", "--role", "auditor")[0] == 2
        assert run("route", "resend", heard["message"], "--reason", "it is back")[0] == 0
        assert [one.message_id for one in store.resends()] == [heard["message"]]

    def test_a_test_message_tells_what_came_of_it(self, run: Run, receiver: Hook, tmp_path: Path) -> None:
        text = f'[route]\nnotify = ["desk"]\n[[receivers]]\ntype = "webhook"\nname = "desk"\nurl = "{receiver.url}"\n'
        (tmp_path / "r.toml").write_text(text + 'secret_env = "HOOK"\nallow_private = true\n')
        (tmp_path / "tidegate.toml").write_text('routing = "r.toml"\n')
        code, said = run("route", "test", "desk", "--json")
        assert (code, last(said)["verdict"], last(said)["status"]) == (0, "delivered", 204)
        (body,) = receiver.bodies.values()
        assert body["data"]["severity"] == "S4"
        receiver.status = 503
        assert run("route", "test", "desk")[0] == 1
        code, said = run("route", "test", "nobody")
        assert (code, "is no receiver of the routing in force: desk" in said) == (2, True)


class TestSilence:
    def test_add_list_expire(self, run: Run, store: RedisStore) -> None:
        assert "silences" in last(run("silence", "list", "--json")[1])
        code, said = run(
            "silence",
            "add",
            "corridor=CN>*",
            "severity<=S2",
            "--for",
            "2h",
            "--reason",
            "planned work",
            "--json",
        )
        assert code == 0
        made = last(said)
        assert made["ends_at"] - made["starts_at"] == 2 * 3_600_000
        assert made["actor"] == "analyst"
        assert "planned work" in run("silence", "list")[1]
        assert run("silence", "expire", made["id"], "--reason", "done", "--role", "analyst")[0] == 2
        assert run("silence", "expire", made["id"], "--reason", "done")[0] == 0
        assert run("silence", "expire", made["id"], "--reason", "done")[0] == 2
        assert [e.action for e in store.audit_of("silence", made["id"], 9)] == ["added", "expired"]

    @pytest.mark.parametrize(
        "words",
        [
            ("corridor", "--for", "2h"),
            ("corridor=x", "--for", "soon"),
            ("corridor=x", "--for", "40d"),
            ("a<=S2", "--for", "1h"),
            ("foo=bar", "--for", "1h"),
            ("severity=S9", "--for", "1h"),
            ("type=alarm", "--for", "1h"),
        ],
    )
    def test_what_makes_no_silence_is_told(self, run: Run, store: RedisStore, words: tuple[str, ...]) -> None:
        code, said = run("silence", "add", *words, "--reason", "x")
        assert code == 2
        assert said.startswith("tidegate: ")
        assert store.silences() == []


class TestPreviewAndSnooze:
    def test_matchers_are_tried_before_anybody_is_silenced(self, run: Run, store: RedisStore) -> None:
        raise_alerts(store, 1, 3, now=1)
        told = last(run("silence", "preview", "corridor=CN>*", "--json")[1])
        assert (told["alerts"], told["matched"], told["severities"]) == (3, 3, {"S1": 3})
        assert last(run("silence", "preview", "corridor=GB>*", "--json")[1])["matched"] == 0
        assert run("silence", "preview", "corridor")[0] == 2
        assert last(run("silence", "preview", "severity>=S3", "--json")[1])["matched"] == 0
        assert "is not one of S1, S2, S3, S4" in run("silence", "preview", "severity=S9")[1]
        assert run("silence", "preview", "severity=S1|S?", "typology!=T0?")[0] == 0
        assert store.silences() == []
        told = ("silence", "add", "severity<=S3", "--for", "1h", "--reason", "x")
        assert "fits 3 of 3 open alerts now, 3 of them S1" in run(*told)[1]
        assert last(run(*told, "--json")[1])["severities"] == {"S1": 3}

    def test_snoozes_are_set_listed_and_lifted(self, run: Run, store: RedisStore) -> None:
        who = ("R007", "card", "card_1")
        assert run("snooze", "set", *who, "--for", "30m", "--reason", "known", "--role", "analyst")[0] == 2
        assert run("snooze", "set", *who, "--for", "30m", "--reason", "known", "--json")[0] == 0
        (row,) = last(run("snooze", "list", "--json")[1])["snoozes"]
        assert (row["rule"], row["entity"], row["reason"]) == ("R007", "card_1", "known")
        assert "known" in run("snooze", "list")[1]
        assert run("snooze", "lift", *who, "--reason", "over")[0] == 0
        code, said = run("snooze", "lift", *who, "--reason", "over")
        assert (code, "is not snoozed" in said) == (2, True)
