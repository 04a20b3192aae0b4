"""The configuration of the live service: one TOML file, read whole before anything starts.

``examples/threathunting.toml`` documents every key.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from threathunting.kafka.connection import Connection
from threathunting.service.config_checks import CHECKS, across, folders, with_secrets
from threathunting.service.config_schema import (
    Commit,
    Config,
    Consume,
    FilesOutput,
    Http,
    Hunt,
    Intel,
    KafkaOutput,
    Service,
)
from threathunting.service.config_text import places
from threathunting.service.config_values import Problems, Reader


def load(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration in a file. A value that is wholly ``${NAME}`` is taken from ``environ``.

    Raises ValueError with one line per problem, ``FILE:LINE: KEY: sentence``, and all that can be told at once.
    """
    text = _text(path)
    problems = Problems(str(path), _places(path, text))
    document = tomllib.loads(text)
    reader = Reader(problems, Path(path).absolute().parent, environ, CHECKS, _HOMES)
    _without_kafka(document, problems)
    config: Config | None = reader.struct(Config, document, ())
    if config is not None:
        config = _completed(config)
        across(config, problems)
        folders(config, problems)
        config = with_secrets(config, problems)
    if config is None or problems:
        raise ValueError(problems.text())
    return config


def load_http(path: str | os.PathLike[str], environ: Mapping[str, str] = os.environ) -> Http:
    """Section ``[http]`` alone: who asks a service for its state needs neither its secrets nor its files.

    Raises ValueError as ``load`` does.
    """
    text = _text(path)
    problems = Problems(str(path), _places(path, text))
    section = tomllib.loads(text).get("http", {})
    http: Http | None = Reader(problems, Path(path).absolute().parent, environ, CHECKS).struct(
        Http, section, ("http",)
    )
    if http is None or problems:
        raise ValueError(problems.text())
    return http


def _text(path: str | os.PathLike[str]) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path} can't be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: byte {error.start:,} is no UTF-8, in which TOML is written") from None


def _places(path: str | os.PathLike[str], text: str) -> Mapping[Any, int]:
    try:
        return places(text)
    except RecursionError:
        raise ValueError(f"{path}: values are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        match = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.S)
        reason, line = (match[1], match[2]) if match else (str(error), None)
        line = line or text.rstrip().count("\n") + 1
        raise ValueError(f"{path}:{line}: not TOML: {reason[:1].lower()}{reason[1:]}") from None


_TOPICS = (("intel", "topic"), ("intel", "rejected"))


def _without_kafka(document: dict[str, Any], problems: Problems) -> None:
    """Fill in what depends on ``[kafka]``: its output where it is there, and no topics where it isn't."""
    if "kafka" in document:
        output = document.setdefault("output", {})
        if isinstance(output, dict):
            output.setdefault("kafka", {})
        return
    missing = "there is no [kafka] to say where it is; add one, or take this out"
    for section, name in _TOPICS:
        table = document.setdefault(section, {})
        if isinstance(table, dict) and table.setdefault(name, False):
            problems.tell((section, name), f"names a topic, but {missing}")
    output = document.get("output")
    if (
        isinstance(output, dict)
        and isinstance(sink := output.get("kafka"), dict)
        and sink.get("enabled") is not False
    ):
        problems.tell(("output", "kafka"), f"sends to Kafka, but {missing}")
    if "consume" in document:
        problems.tell(("consume",), f"reads from Kafka, but {missing}")


def _completed(config: Config) -> Config:
    service, output = config.service, config.output
    if not service.name:
        state = hashlib.sha256(service.state.encode()).hexdigest()[:8]
        service = msgspec.structs.replace(service, name=f"{socket.gethostname()}-{state}")
    if output.kafka is not None and not output.kafka.enabled:
        output = msgspec.structs.replace(output, kafka=None)
    return msgspec.structs.replace(config, service=service, output=output)


def _homes() -> dict[str, str]:
    """The section of each key that only one section has."""
    sections: dict[str, type[msgspec.Struct]] = {
        "service": Service,
        "kafka": Connection,
        "intel": Intel,
        "hunt": Hunt,
        "consume": Consume,
        "output.kafka": KafkaOutput,
        "output.files": FilesOutput,
        "commit": Commit,
        "http": Http,
    }
    homes: dict[str, list[str]] = {}
    for section, kind in sections.items():
        for name in kind.__struct_fields__:
            homes.setdefault(name, []).append(section)
    return {name: found[0] for name, found in homes.items() if len(found) == 1}


_HOMES = _homes()
