"""Traffic and intel of any kind that meet, for the property tests of the matchers."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from threathunting.hunt.matching import Matcher
from threathunting.intel.canonical import indicator
from threathunting.intel.store import Store
from threathunting.intel.types import Indicator, IndicatorType, Item
from threathunting.plugins import BUILTIN, Registry
from threathunting.records import Batch

REGISTRY = Registry(BUILTIN)

HOSTS = [
    "evil.example",
    "EVIL.example.",
    "a.evil.example",
    "b.a.evil.example",
    "xevil.example",
    "evil.example:8080",
    "evil.example:80",
    "192.0.2.7",
    "192.0.2.7:8080",
    "192.0.2.300",
    "192.0.2.7\n",
    "[2001:db8::7]",
    "[2001:db8::7]:8443",
    "2001:DB8:0::7",
    "::ffff:192.0.2.7",
    "198.51.100.9",
    "bücher.example",
    "xn--bcher-kva.example",
    "user@evil.example",
    "*.evil.example",
    "com",
    "example",
    ".",
    "..",
    "x",
    " evil.example ",
    "evil example",
    "evil.example\n",
    "",
    "Kevil.example",
    "evil.example:",
    "http:",
]
PATHS = [
    "/",
    "/gate.php",
    "/gate.php?id=1",
    "/Gate.PHP",
    "//x",
    "*",
    "",
    "?q=http://evil.example/gate.php",
    "/\u00e9",
    "#f",
]
HASHES = [
    "d41d8cd98f00b204e9800998ecf8427e",
    "D4:1D:8C:D9:8F:00:B2:04:E9:80:09:98:EC:F8:42:7E",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
]
TEXTS = [
    "curl/8.5.0",
    "Curl/8.5.0 ",
    "evil.exe",
    "DIR\\evil.exe",
    "root",
    "CORP\\root",
    "a@evil.example",
    "Bad <A@evil.example>, b@x.example",
    "É",
    "t13d1516h2_8daaf6152771_e5627efa2ab1",
    "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
    "9e:10:7d:9d:37:2b:b6:82:6b:d8:1d:35:42:a4:19:d6",
]

host = st.sampled_from(HOSTS) | st.text(max_size=12)
url = st.builds(
    lambda scheme, host, path: scheme + host + path,
    st.sampled_from(["", "http://", "HTTPS://", "http://http://", "ftp://u:p@", "x://", "//"]),
    host,
    st.sampled_from(PATHS) | st.text(max_size=8),
)
text = host | url | st.sampled_from(HASHES + TEXTS + PATHS)
NOT_TEXT: list[Any] = [None, True, 5, 8080, 2.5, {}, [None, 7]]


@st.composite
def pools(draw: st.DrawFn) -> list[str]:
    """A few texts that both intel and traffic are made of, so that they meet."""
    return draw(st.lists(text, min_size=1, max_size=6)) + draw(
        st.lists(st.sampled_from(HOSTS[:20]), min_size=1, max_size=3)
    )


def written(pool: list[str]) -> st.SearchStrategy[str]:
    """A text of the pool, as it is or as logs write such things."""
    return st.sampled_from(pool) | st.builds(
        lambda form, one, other: form.format(one, other),
        st.sampled_from(
            [
                "{}{}",
                "http://{}",
                "https://{}/{}",
                "{}/gate.php?id=1",
                "{}:8080",
                "X-FORWARDED-FOR -> {}, {}",
                "FORWARDED -> for={}",
                "CN={},O={}",
                "emailAddress={},CN={}",
                "{}\\{}",
                "{}@{}",
                "Name <{}>",
                "{} ",
                "{}.",
                "x.{}",
                "from {} (x [{}])",
                "sip:{}@{};tag=1",
            ]
        ),
        st.sampled_from(pool),
        st.sampled_from(pool),
    )


@st.composite
def records(draw: st.DrawFn, log: str, pool: list[str]) -> list[dict[str, Any]]:
    fields = sorted({name for seen in REGISTRY.log(log).seen for name in seen.fields} | {"uid"})
    few = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=8, unique=True))
    one = written(pool)
    value = one | one | st.lists(one, max_size=3) | st.sampled_from(NOT_TEXT)
    rows = st.fixed_dictionaries({"ts": st.sampled_from([10.0, 10.0, 99.0, "x"])} | dict.fromkeys(few, value))
    return draw(st.lists(rows, min_size=1, max_size=6))


subnets = st.tuples(
    st.just(IndicatorType.SUBNET),
    st.sampled_from(["192.0.2.0/24", "198.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"]),
)
items = st.builds(
    Item,
    source=st.sampled_from("ab"),
    expires=st.sampled_from([None, None, 50.0]),
    subdomains=st.booleans(),
)


@st.composite
def stores(draw: st.DrawFn, log: str, pool: list[str]) -> Store:
    store = Store()
    types = sorted({seen.type for seen in REGISTRY.log(log).seen})
    made = st.tuples(st.sampled_from(types), written(pool) | st.sampled_from(pool))
    for (type, text_), item in draw(st.lists(st.tuples(made | made | made | subnets, items), max_size=25)):
        try:
            store.add(indicator(type, text_), item)
        except ValueError:
            continue
    return store


def found(matcher: Matcher, batch: Batch) -> list[Any]:
    return [(row, matches) for row, _, matches in matcher.matches(batch)]


def arm(store: Store, type: str, text: str, **item: Any) -> Indicator:
    armed = indicator(IndicatorType(type), text)
    store.add(armed, Item("feed", **item))
    return armed
