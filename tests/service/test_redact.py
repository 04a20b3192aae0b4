"""Secrets are hidden in whatever is shown."""

from __future__ import annotations

import json

import pytest

from threathunting.service.redact import Redactor

SECRETS = ["hunter2", 'a"b\\c', "pass wörd/&?", "hunter22", "12345"]


class Shows:
    def __repr__(self) -> str:
        return "Shows(hunter2)"


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "form", [str, repr, json.dumps, ascii, lambda text: json.dumps(text, ensure_ascii=False)]
)
def test_a_secret_is_hidden_in_every_form(secret: str, form: type[str]) -> None:
    hidden = Redactor(SECRETS).text(f"login with {form(secret)} failed")
    assert hidden.replace("'", "").replace('"', "") == "login with *** failed"


def test_in_nested_values_and_objects() -> None:
    error = ValueError("no hunter2 here")
    value = {
        "hunter2": [("x", "hunter2!"), {"deep": error}],
        "n": 12345,
        "m": 123456,
        "o": Shows(),
        "f": 1.5,
        "b": b"hunter2",
    }
    assert Redactor(SECRETS).value(value) == {
        "***": [("x", "***!"), {"deep": "ValueError('no *** here')"}],
        "n": 12345,
        "m": 123456,
        "o": "Shows(***)",
        "f": 1.5,
        "b": "b'***'",
    }


def test_in_values_deeper_than_it_looks() -> None:
    value: list[object] = ["hunter2"]
    for _ in range(50):
        value = [value]
    assert "hunter2" not in repr(Redactor(SECRETS).value(value))


def test_in_urls() -> None:
    assert Redactor(["p/w d"]).text("http://u:p%2Fw%20d@x") == "http://u:***@x"


def test_without_secrets_nothing_changes_and_the_longest_goes_first() -> None:
    value = {"a": ["hunter2", 3]}
    assert Redactor([""]).value(value) is value
    redactor = Redactor(["hunter2"])
    redactor.add(["hunter22"])
    assert redactor.text("hunter22 hunter2") == "*** ***"
    assert redactor.value("ok") == "ok"
