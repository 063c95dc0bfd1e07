"""API keys and the settings around them: kept hashed, closed to others, revoked at once; TLS where it is needed."""

from __future__ import annotations

import datetime as dt
import ssl
import stat
from pathlib import Path

import httpx
import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dataflow.cli import main
from dataflow.serve.keys import SCOPES, VARIABLE, KeyFile, new_key, parse
from dataflow.serve.settings import ServeSettings, check
from models.errors import CustodyError, SettingsError
from tests.serving import Server, payment


def test_a_key_is_kept_hashed_and_revoked_for_those_who_read_before(tmp_path: Path) -> None:
    path = tmp_path / "serve" / "api_keys"
    clear, key = new_key("shop-1", frozenset({"score"}))
    file, reader = KeyFile(path, {}), KeyFile(path, {})
    file.add(key)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert clear.rpartition("_")[2].encode() not in path.read_bytes()
    assert reader.owner(clear) is None
    reader.reload()
    assert reader.owner(clear) == key
    for wrong in ("", clear[:-1], clear + "x", clear.replace("shop-1", "shop-2"), "tgk_", "é", f"{clear}\n"):
        assert reader.owner(wrong) is None
    with pytest.raises(SettingsError, match="revoke it first"):
        file.add(new_key("shop-1", frozenset({"read"}))[1])
    file.revoke("shop-1")
    reader.reload()
    assert reader.owner(clear) is None


def test_the_first_key_is_made_once_and_only_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "serve" / "api_keys"
    found = KeyFile(path, {}).first()
    assert found is not None
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    owner = KeyFile(path, {}).owner(found.read_text().strip())
    assert owner is not None
    assert owner.scopes == set(SCOPES)
    assert KeyFile(path, {}).first() is None
    given = {VARIABLE: new_key("pod", frozenset({"score"}))[1].line()}
    assert KeyFile(tmp_path / "other" / "api_keys", given).first() is None


def test_files_open_to_others_and_broken_keys_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "serve" / "api_keys"
    file = KeyFile(path, {})
    file.add(new_key("a", frozenset({"score"}))[1])
    path.chmod(0o644)
    with pytest.raises(CustodyError, match="chmod 600"):
        KeyFile(path, {})
    digest = "0" * 64
    for bad in (
        "a",
        f"a:score:{digest[1:]}",
        f"a:all:{digest}",
        f"A b:score:{digest}",
        f"a:score:{digest} a:read:{digest}",
    ):
        with pytest.raises(SettingsError, match="the file") as caught:
            parse(bad, "the file")
        assert digest[1:] not in str(caught.value)
    for name, scopes in (("A", {"score"}), ("a_b", {"score"}), ("a", set()), ("a", {"root"})):
        with pytest.raises(SettingsError):
            new_key(name, frozenset(scopes))


def test_keys_by_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    assert main(["serve", "--add-key", "shop", "--scopes", "score,labels", "--json"]) == 0
    made = msgspec.json.decode(capsys.readouterr().out)
    assert main(["serve", "--keys", "--json"]) == 0
    listed = capsys.readouterr().out
    assert msgspec.json.decode(listed) == {"keys": {"shop": ["labels", "score"]}}
    assert made["key"] not in listed
    assert main(["serve", "--revoke-key", "shop", "--json"]) == 0
    assert main(["serve", "--revoke-key", "shop"]) == 2
    assert "has no key called shop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"address": "0.0.0.0"}, "plain_http"),
        ({"tls_key": "x"}, "neither"),
        ({"deadline_ms": 0}, "serve.deadline_ms"),
        ({"port": 70_000}, "serve.port"),
    ],
)
def test_settings_that_do_not_go_together_say_so(changed: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check(msgspec.convert(changed, ServeSettings))
    check(ServeSettings(address="0.0.0.0", plain_http=True))
    check(ServeSettings(address="::1"))


def test_scopes_bind_and_tls_is_spoken(tmp_path: Path) -> None:
    certificate = _certificate(tmp_path)
    server = Server(
        tmp_path, f'tls_certificate = "{certificate}"\ntls_key = "{tmp_path / "key.pem"}"', "https"
    )
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        server.client = httpx.Client(base_url=server.address, verify=context, timeout=60)
        server.wait(server.ready, "ready over TLS")
        clear, key = new_key("reader", frozenset({"read"}))
        KeyFile(tmp_path / "var" / "serve" / "api_keys", {}).add(key)
        headers = {"Authorization": f"Bearer {clear}"}
        assert server.client.get("/v1/decisions/x", headers=headers).status_code == 404
        refused = server.client.post("/v1/transactions", json=payment("x"), headers=headers)
        assert refused.status_code == 403
        assert "`score`" in refused.json()["detail"]
        with pytest.raises(httpx.TransportError):
            httpx.get(server.address.replace("https", "http") + "/healthz")
    finally:
        server.stop()


def _certificate(folder: Path) -> Path:
    """A certificate for localhost, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder(
        issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1,
        not_valid_before=now - dt.timedelta(hours=1), not_valid_after=now + dt.timedelta(days=1),
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)  # fmt: skip
    pem = serialization.Encoding.PEM
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "certificate.pem").write_bytes(built.sign(key, hashes.SHA256()).public_bytes(pem))
    return folder / "certificate.pem"
