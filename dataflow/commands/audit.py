"""`tidegate audit`: verify the audit chain, export it, sign its root."""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dataflow.commands import options, showing
from models.errors import SettingsError

if TYPE_CHECKING:
    from alerts.store import Store
    from dataflow.settings import Settings

NAME = "audit"
HELP = "verify the audit chain, export it, sign a root of it to keep outside"
PAGE = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    text = "find and locate every change of the chain; exit code 1 if there is one"
    verify = verbs.add_parser("verify", help=text, description=text)
    verify.add_argument("--chain", type=Path, metavar="FILE", help="an exported chain (default: the store)")
    verify.add_argument(
        "--root", type=Path, metavar="FILE", help="signed roots that were kept outside, one a line"
    )
    verify.add_argument(
        "--key", action="append", metavar="KEY",
        help="public key (base64) that roots are trusted by; may be repeated (default: the key ring's)",
    )  # fmt: skip
    text = "write the chain as JSON lines"
    export = verbs.add_parser("export", help=text, description=text)
    text = "sign the newest link; append the root to FILE, and copy that file out of reach of the store"
    root = verbs.add_parser("root", help=text, description=text)
    for verb in (export, root):
        verb.add_argument("--out", type=Path, metavar="FILE", help="file to write to (default: stdout)")
    text = "print the public key that verifies roots"
    key = verbs.add_parser("key", help=text, description=text)
    for verb in (verify, export, root, key):
        options.add_config(verb)
        options.add_json(verb)


def run(args: argparse.Namespace) -> int:
    """Verify, export, sign or print the key."""
    settings = options.settings_of(args)
    return {"verify": _verify, "export": _export, "root": _root, "key": _key}[args.verb](args, settings)


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.custody.audit_root import checked_root
    from alerts.custody.audit_verify import verify

    roots = []
    if args.root is not None:
        trusted = args.key or [_public_key(settings)]
        roots = [checked_root(line, trusted) for line in args.root.read_bytes().splitlines()]
        if not roots:
            raise SettingsError(f"{args.root}: no root is in it")
    lines = args.chain.read_bytes().splitlines() if args.chain is not None else list(_lines(_store(settings)))
    findings = verify(lines, roots)
    told = {
        "intact": not findings, "links": len(lines), "roots": len(roots),
        "findings": [finding._asdict() for finding in findings],
    }  # fmt: skip
    showing.show(told, "audit verify", as_json=args.json)
    return 1 if findings else 0


def _export(args: argparse.Namespace, settings: Settings) -> int:
    count = 0
    out: BinaryIO = sys.stdout.buffer if args.out is None else _private(args.out, os.O_TRUNC)
    try:
        for line in _lines(_store(settings)):
            out.write(line + b"\n")
            count += 1
    finally:
        out.flush()
        if args.out is not None:
            out.close()
    if args.out is not None:
        showing.show({"links": count, "file": str(args.out)}, "audit export", as_json=args.json)
    return 0


def _root(args: argparse.Namespace, settings: Settings) -> int:
    from alerts.custody.audit_root import PURPOSE, root_line, signed_root
    from dataflow.worker import ring_of

    last = None
    store, after = _store(settings), 0
    while links := store.audit_chain(after, PAGE):
        last, after = links[-1], links[-1].seq
    if last is None:
        raise SettingsError("the audit chain is empty: there is nothing to sign yet")
    line = root_line(signed_root(last, ring_of(settings).ed25519(PURPOSE), time.time_ns() // 1_000_000))
    if args.out is None:
        print(line.decode(), flush=True)
    else:
        with _private(args.out, os.O_APPEND) as out:
            out.write(line + b"\n")
        showing.show(
            {"link": last.seq, "hash": last.hash, "file": str(args.out)}, "audit root", as_json=args.json
        )
    return 0


def _key(args: argparse.Namespace, settings: Settings) -> int:
    key = _public_key(settings)
    if args.json:
        showing.show({"key": key}, "audit key", as_json=True)
    else:
        print(key, flush=True)
    return 0


def _public_key(settings: Settings) -> str:
    from alerts.custody.audit_root import PURPOSE
    from dataflow.worker import ring_of

    public = ring_of(settings).ed25519(PURPOSE).public_key().public_bytes_raw()
    return base64.b64encode(public).decode()


def _store(settings: Settings) -> Store:
    from alerts.redis_store import RedisStore
    from dataflow.store_access import address_of

    return RedisStore(address_of(settings))


def _lines(store: Store) -> Iterator[bytes]:
    from alerts.custody.audit import line_of

    after = 0
    while links := store.audit_chain(after, PAGE):
        yield from map(line_of, links)
        after = links[-1].seq


def _private(path: Path, how: int) -> BinaryIO:
    return os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "ab" if how == os.O_APPEND else "wb"
    )
