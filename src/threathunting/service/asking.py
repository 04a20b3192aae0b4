"""Asks a running service for its state."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import urlsplit

import msgspec

from threathunting.service.config import load_http
from threathunting.service.status import Status

TIMEOUT_SECONDS = 5.0
MAX_BYTES = 1 << 26

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}


def url_of(path: str | os.PathLike[str]) -> str:
    """Where the service of a configuration file answers, by its ``[http] listen``.

    ValueError says why there is no answer to be had.
    """
    address = load_http(path).address
    if address is None:
        raise ValueError(f"{path}: http.listen is off, so this service can't be asked for its state")
    host, port = address
    if port == 0:
        raise ValueError(f"{path}: http.listen has port 0, any free one; name the one it got with --url")
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ask(url: str) -> tuple[bytes, Status]:
    """The state of the service at ``url``, as it came and decoded. OSError says in a sentence why there is none."""
    url = url.rstrip("/").removesuffix("/status")
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc:
        raise ValueError(f"'{url}' is no address of a service; write it as 'http://127.0.0.1:9167'")
    # Without proxies: the service is on this machine or near it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/status", timeout=TIMEOUT_SECONDS) as response:
            body = response.read(MAX_BYTES)
    except urllib.error.HTTPError as error:
        reason = error.read(1000).decode("utf-8", "replace").strip().partition("\n")[0]
        raise OSError(
            f"what answers at {url} gives no state: {error.code} {reason or error.reason}"
        ) from None
    except (OSError, ValueError, HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        reason = " ".join(
            (getattr(cause, "strerror", None) or str(cause) or type(cause).__name__).lower().split()
        )
        raise OSError(
            f"no service answers at {url} ({reason}); start it with 'threathunting run', or name another with --url"
        ) from None
    try:
        return body, msgspec.json.decode(body, type=Status)
    except ValueError as error:
        raise OSError(f"what answers at {url} is no threathunting: {error}") from None
