"""Reading hosts, addresses, names out of texts."""

from __future__ import annotations

import pytest

from threathunting.plugins import _values


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("a.example", "a.example"),
        ("a.example:8080", "a.example"),
        ("a.example:", "a.example"),
        (" a.example ", "a.example"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1", "[2001:db8::1"),
        ("a.example:http", "a.example:http"),
        ("", ""),
    ],
)
def test_bare_host(text: str, host: str) -> None:
    assert _values.bare_host(text) == host


def test_a_host_is_a_name_or_an_address() -> None:
    hosts = ["a.example:80", "192.0.2.1:80", "[2001:db8::1]:80", "", None, 7]
    assert _values.host_names(hosts) == ["a.example"]
    assert _values.host_addrs(hosts) == ["192.0.2.1", "2001:db8::1"]
    assert _values.host_names("1.2.3.4.5") == ["1.2.3.4.5"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/x", "a.example"),
        ("https://user:pw@a.example:8443?q", "a.example:8443"),
        ("http://[2001:db8::1]:80/x", "[2001:db8::1]:80"),
        ("http://a.example\\@b.example/", "a.example"),
        ("/path?u=x", ""),
        ("a.example/x", ""),
        ("http://", ""),
    ],
)
def test_url_host(url: str, host: str) -> None:
    assert _values.url_host(url) == host


def test_addresses_in_text() -> None:
    assert _values.addrs_in('for="[2001:db8::1]:4711";by=192.0.2.1:80, 192.0.2.2 (192.0.2.3)') == [
        "2001:db8::1",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]
    assert _values.addrs_in("from a.example ([192.0.2.9]) with ESMTP id 1.2.3; 12:01:00") == ["192.0.2.9"]
    assert _values.addrs_in(None, 5, "") == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@b.example", ["a@b.example"]),
        ('"Doe, John" <j.doe@b.example>', ["j.doe@b.example"]),
        ("a@b.example, C <c@d.example>; e@f.example", ["a@b.example", "c@d.example", "e@f.example"]),
        ("'a@b.example'", ["a@b.example"]),
        ("o'hara@b.example", ["o'hara@b.example"]),
        ("a@b.example (Name)", ["a@b.example"]),
        ("<mailto:a@b.example>", ["a@b.example"]),
        ("undisclosed-recipients:;", []),
        ("@", []),
        ("a@", []),
        ("@b", []),
    ],
)
def test_email_addresses(text: str, found: list[str]) -> None:
    assert _values.emails_in(text) == found


def test_email_addresses_as_zeek_cuts_them() -> None:
    assert '"a@b.example"' in _values.emails_with_marks('"a@b.example" <c@d.example>')
    assert "a@b.example" in _values.emails_with_marks('"a@b.example" <c@d.example>')


def test_file_names() -> None:
    assert list(_values.file_names("dir/a.txt")) == ["dir/a.txt", "a.txt"]
    assert list(_values.file_names(["a.txt", r"c:\dir\b.txt"])) == ["a.txt", r"c:\dir\b.txt", "b.txt"]
    assert _values.base_name("\\dir\\") == "dir"
    assert _values.base_name("") == ""


def test_user_names() -> None:
    assert list(_values.user_names("DOMAIN\\user")) == ["DOMAIN\\user", "user"]
    assert list(_values.user_names("user@realm")) == ["user@realm", "user"]
    assert list(_values.user_names("user")) == ["user"]
    assert list(_values.user_names("\\")) == ["\\"]


@pytest.mark.parametrize(
    ("subject", "names"),
    [
        ("CN=a.example,O=A\\, Inc.,C=US", ["a.example"]),
        ("C=US,O=CN\\=x,CN=a.example", ["a.example"]),
        ("CN=a.example+CN=b.example,C=US", ["a.example", "b.example"]),
        ("emailAddress=a@b.example,CN=A\\, B,C=US", ["A, B"]),
        ("CN=B\\C3\\BCro", ["Büro"]),
        ("SCN=x", []),
        ("", []),
    ],
)
def test_common_names(subject: str, names: list[str]) -> None:
    assert _values.common_names(subject) == names


def test_subject_emails() -> None:
    assert _values.subject_emails("emailAddress=a@b.example,CN=x,emailAddress=c@d.example") == [
        "a@b.example",
        "c@d.example",
    ]
