"""`tidegate serve`: decisions over HTTP, and the API keys of those who ask for them."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING

from dataflow.commands import options, showing

if TYPE_CHECKING:
    from dataflow.serve.keys import KeyFile

NAME = "serve"
HELP = "answer POST /v1/transactions with decisions (API keys, deadline, fallback, OpenAPI, metrics)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--port", type=int, help="port to listen on (default: serve.port, else 8080)")
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("--add-key", metavar="NAME", help="make an API key, print it once, and end")
    asked.add_argument("--revoke-key", metavar="NAME", help="take an API key out of force, and end")
    asked.add_argument("--keys", action="store_true", help="list names and scopes of the API keys, and end")
    parser.add_argument(
        "--scopes", default="score,read", metavar="S,S",
        help="what a new key may do: score, labels, read, metrics (default: score,read)",
    )  # fmt: skip
    options.add_config(parser)
    options.add_json(parser)
    parser.epilog = (
        "It works on the store of a running `tidegate up`, or on REDIS_URL. The first start makes a key for this machine "
        "in serve/local.key of the data directory. docs/serving.md shows requests and answers."
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; or see to the keys."""
    import msgspec

    from dataflow import worker
    from dataflow.cli import version
    from dataflow.observe.logs import configure as configure_logs
    from dataflow.parent import stop
    from dataflow.serve.keys import KeyFile
    from dataflow.serve.server import keys_path, serve
    from dataflow.store_access import address_of

    settings = options.settings_of(args)
    if args.add_key or args.revoke_key or args.keys:
        return _keys(args, KeyFile(keys_path(settings)))
    if args.port is not None:
        settings = msgspec.structs.replace(
            settings, serve=msgspec.structs.replace(settings.serve, port=args.port)
        )
    url = address_of(settings)
    configure_logs("serve")
    worker.prepare()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    serve(settings, url, worker.ring_of(settings), stop, version())
    return 0


def _keys(args: argparse.Namespace, file: KeyFile) -> int:
    from dataflow.serve.keys import new_key

    if args.add_key:
        scopes = frozenset(scope for scope in args.scopes.split(",") if scope)
        clear, key = new_key(args.add_key, scopes)
        file.add(key)
        if args.json:
            showing.show({"name": key.name, "key": clear, "scopes": sorted(scopes)}, "key", as_json=True)
        else:
            showing.say("this key is shown once; only its hash is kept:")
            print(clear)
    elif args.revoke_key:
        file.revoke(args.revoke_key)
        showing.show({"revoked": args.revoke_key}, "key", as_json=args.json)
    else:
        known = {key.name: sorted(key.scopes) for key in file.all()}
        showing.show({"keys": known}, "keys", as_json=args.json)
    return 0
