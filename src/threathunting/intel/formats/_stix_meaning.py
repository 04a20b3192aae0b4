"""What a comparison of a STIX pattern looks for, where that is something we hunt."""

from __future__ import annotations

from threathunting.intel import canonical
from threathunting.intel.formats._shape import Shape, address, name
from threathunting.intel.formats._stix_pattern import Alternative, Comparison
from threathunting.intel.types import IndicatorType

_HASHES = frozenset(("md5", "sha1", "sha224", "sha256", "sha384", "sha512"))

_HTTP = ("extensions", "http-request-ext")
_PATHS: dict[tuple[str, ...], IndicatorType] = {
    ("ipv4-addr", "value"): IndicatorType.ADDR,
    ("ipv6-addr", "value"): IndicatorType.ADDR,
    ("domain-name", "value"): IndicatorType.DOMAIN,
    ("hostname", "value"): IndicatorType.DOMAIN,  # OpenCTI's own, as user-agent below
    ("url", "value"): IndicatorType.URL,
    ("email-addr", "value"): IndicatorType.EMAIL,
    ("email-message", "from_ref", "value"): IndicatorType.EMAIL,
    ("email-message", "sender_ref", "value"): IndicatorType.EMAIL,
    ("email-message", "to_refs", "value"): IndicatorType.EMAIL,
    ("email-message", "cc_refs", "value"): IndicatorType.EMAIL,
    ("file", "name"): IndicatorType.FILE_NAME,
    ("user-account", "user_id"): IndicatorType.USER_NAME,
    ("user-account", "account_login"): IndicatorType.USER_NAME,
    ("software", "name"): IndicatorType.SOFTWARE,
    ("user-agent", "value"): IndicatorType.SOFTWARE,
    ("network-traffic", "dst_ref", "value"): IndicatorType.ADDR,
    ("network-traffic", "src_ref", "value"): IndicatorType.ADDR,
    ("network-traffic", *_HTTP, "request_header", "user-agent"): IndicatorType.SOFTWARE,
    ("network-traffic", *_HTTP, "request_value"): IndicatorType.URL,
}
_HASHED = {
    "file": IndicatorType.FILE_HASH,
    "artifact": IndicatorType.FILE_HASH,
    "x509-certificate": IndicatorType.CERT_HASH,
}

_NARROWING = {
    # What may stand beside an indicator of that object without changing what we hunt. A hash alone tells its
    # file; ports are dropped in every format, since traffic to another port of a bad host is worth a look.
    "file": frozenset((("name",), ("size",), ("mime_type",), ("name_enc",))),
    "network-traffic": frozenset(
        (("dst_ref", "type"), ("src_ref", "type"), ("dst_port",), ("src_port",), ("protocols",))
    ),
}


def shapes(alternative: Alternative) -> list[Shape]:
    """What an alternative looks for, any of it enough; ValueError where its meaning would not survive.

    Of tests that must hold together only these are taken: hashes of one file (with its name and size), and an
    address with its ports.
    """
    if alternative.reason is not None:
        raise ValueError(alternative.reason)
    tests = alternative.tests
    if len({test.object_type for test in tests}) > 1:
        raise ValueError("AND asks for several things together")
    telling = [test for test in tests if _type(test) is not None]
    if len(tests) > 1:
        hashes = [test for test in telling if _type(test) is IndicatorType.FILE_HASH]
        telling = hashes or telling
        if len(telling) > 1 and not hashes:
            raise ValueError("AND asks for several things together")
        narrowing = _NARROWING.get(tests[0].object_type, frozenset())
        if telling and _type(telling[0]) not in (IndicatorType.FILE_HASH, IndicatorType.ADDR):
            narrowing = frozenset()
        for test in tests:
            if test not in telling and test.path not in narrowing:
                raise ValueError(f"AND with {_name(test)} asks for more than we hunt")
    if not telling:
        raise ValueError(f"{_name(tests[0])} is not hunted")
    return [_shape(test, value) for test in telling for value in test.values]


def _type(test: Comparison) -> IndicatorType | None:
    if test.path[0] == "hashes" and len(test.path) == 2:
        return _HASHED.get(test.object_type) if test.path[1].replace("-", "", 1) in _HASHES else None
    return _PATHS.get((test.object_type, *test.path))


def _name(test: Comparison) -> str:
    return f"{test.object_type}:{'.'.join(test.path)}"[:80]


def _shape(test: Comparison, value: str) -> Shape:
    type = _type(test)
    if type is None or test.operator not in ("=", "IN", "ISSUBSET"):
        raise ValueError(f"{test.operator} is not hunted")
    if test.operator == "ISSUBSET" and type is not IndicatorType.ADDR:
        raise ValueError("ISSUBSET is hunted on addresses only")
    if type is IndicatorType.ADDR:
        found = address(value)
        # The other end of network traffic may be given by its name.
        named = test.object_type == "network-traffic" and found.type is IndicatorType.ADDR
        return name(value) if named and not _is_address(found.value) else found
    return name(value) if type is IndicatorType.DOMAIN else Shape(type, value)


def _is_address(value: str) -> bool:
    try:
        canonical.addr(value)
    except ValueError:
        return False
    return True
