"""The configuration: what a file gives, and what is told of a wrong one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from threathunting.service.config import load
from threathunting.service.config_schema import Config

Load = Callable[..., Config]

BASE = '[kafka]\nbrokers = ["k:9092"]\n[[follow]]\npath = "logs"\n'
ZEEK = 'url = "ws://z:1"'
COMPACT = f'mode = "compact"\n{ZEEK}'


@pytest.fixture
def loaded(tmp_path: Path) -> Load:
    def load_text(text: str, environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "threathunting.toml"
        path.write_text(text)
        return load(path, environ or {})

    return load_text


@pytest.fixture
def told(tmp_path: Path, loaded: Load) -> Callable[..., list[str]]:
    def problems(text: str, environ: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(ValueError, match=r"threathunting\.toml") as error:
            loaded(text, environ)
        return str(error.value).replace(f"{tmp_path}/threathunting.toml", "T").splitlines()

    return problems


Told = Callable[..., list[str]]


def test_the_least_there_must_be_gives_all_defaults(loaded: Load, tmp_path: Path) -> None:
    config = loaded(BASE)
    assert config.kafka is not None
    assert config.kafka.brokers == ["k:9092"]
    assert config.intel.topic == "intelligence"
    assert config.output.kafka is not None
    assert config.output.kafka.sightings == "sightings"
    assert config.follow[0].path == (f"{tmp_path}/logs",)
    assert config.http.address == ("127.0.0.1", 9167)
    assert config.consume is None
    assert config.service.name


def test_the_name_is_of_the_host_and_the_state(loaded: Load) -> None:
    names = {loaded(f'{BASE}[service]\nstate = "{state}"').service.name for state in ("/a", "/b", "/a")}
    assert len(names) == 2
    assert all(name.startswith(os.uname().nodename) for name in names)
    assert loaded(f'{BASE}[service]\nname = "x"').service.name == "x"


def test_values_with_units(loaded: Load) -> None:
    hunt = loaded(
        f'{BASE}[hunt]\nlook_behind = "1.5m"\nlook_behind_bytes = "1GiB"\nconversation_idle = "7 d"'
    ).hunt
    assert (hunt.look_behind, hunt.look_behind_bytes, hunt.conversation_idle) == (90.0, 1 << 30, 604_800.0)
    config = loaded(
        f'{BASE}[commit]\ninterval = "250ms"\n[hunt]\nlook_behind = "0s"\nlook_behind_bytes = "2kB"'
    )
    assert (config.commit.interval, config.hunt.look_behind, config.hunt.look_behind_bytes) == (
        0.25,
        0.0,
        2000,
    )


@pytest.mark.parametrize("value", ['"5 parsecs"', '"5"', '""', '"-5s"', '"1m30s"', '"٣s"', '"inf s"'])
def test_what_is_no_duration(value: str, told: Told) -> None:
    assert told(f"{BASE}[hunt]\nlook_behind = {value}") == [
        f"T:6: hunt.look_behind: {value.replace(chr(34), chr(39))} is not a duration; write it as '90s', '5m' or '24h'"
    ]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("[hunt]\nlook_behind = 60", "60 must be text with its unit, as '90s'"),
        ('[hunt]\nlook_behind_bytes = "1XB"', "'1XB' is not a size; write it as '256MB' or '1GiB'"),
        ('[hunt]\nconversation_idle = "0s"', "'0s' is too small; it must be above 0"),
        ('[commit]\ninterval = "1m"', "'1m' is too much; the most is 30"),
        ("[commit]\nmax_records = 0", "0 is too small; the least is 1"),
        ("[commit]\nmax_records = 1.5", "1.5 must be a whole number"),
        ("[commit]\nmax_records = true", "true must be a whole number"),
        ('[hunt]\nscope = "conversations"', "is none of conversation, record; did you mean 'conversation'?"),
        ('[hunt]\nmodules = "HTTP"', "must be a list; write ['HTTP']"),
        ('[hunt]\nmodules = ["HTTP", 3]', "3 must be text in quotes"),
        ("[hunt]\nmodules = []", "names no module"),
        ('[hunt]\nmodules = ["HTTP", "GOPHER"]', "no module GOPHER (there are: CONN, "),
        ("[intel]\nlevels = 5", "5 must be a table"),
        ('[intel]\nlevels = {x = "hihg"}', "'hihg' is none of low, medium, high, critical; did you mean 'high'?"),
        ('[intel]\nallow = ["no.txt"]', "'no.txt' does not exist in "),
        ('[intel]\nallow = "/"', "'/' is a folder, not a file"),
        ('[intel]\nrejected = "a b"', "'a b' is no name of a topic"),
        ('[intel]\nrejected = "intelligence"', "'intelligence' is intel.topic already; give each its own topic"),
        ("[intel]\ndefault_expire = 2026-01-01", "a date or time must be text with its unit"),
        ("[http]\nlisten = 9167", "9167 must be text in quotes"),
        ('[http]\nlisten = "9167"', "'9167' is no address; write it as '127.0.0.1:9167'"),
        ('[http]\nlisten = "::1:9167"', "is no address"),
        ('[http]\nlisten = "localhost:70000"', "is no address"),
        ('[log]\nlevel = "warn"', "'warn' is none of debug, info, warning, error; did you mean 'warning'?"),
        ('[output]\nformat = "cef"', "'cef' is none of zeek, ecs"),
        ('[consume]\ntopics = []', "names no topic"),
        ('[consume]\ntopics = ["sightings"]', "'sightings' is output.kafka.sightings already"),
        ('[intel]\nrejected = "sightings"', "'sightings' is output.kafka.sightings already"),
        ('[consume]\nlogs = {b = "dns"}\ntopics = ["a"]', "'b' is none of topics"),
        ('[service]\nstate = ""', "is empty, and no path"),
        ('[service]\nstate = "/etc/passwd"', "/etc/passwd is no folder"),
        ('[service]\nstate = "${HOME}/x"', "names an environment variable, which must be the whole value"),
        ('[[follow]]\nrotated = [3]\npath = "x"', "3 must be text in quotes"),
        ('[[follow]]\npath = []', "names no file and no folder"),
        ('[[follow]]\npath = "logs"', "/logs is followed twice"),
        (f'[[zeek]]\ncapacity = 5\n{ZEEK}', "is for mode 'compact', and the mode is 'native'"),
        (f'[[zeek]]\nhold = "5s"\nmode = "native"\n{ZEEK}', "is for mode 'compact', and the mode is 'native'"),
        (f'[[zeek]]\nmode = "compcat"\n{ZEEK}', "is none of native, compact; did you mean 'compact'?"),
        (f'[[zeek]]\ncapacity = 0\n{COMPACT}', "0 is too small; the least is 1"),
        (f'[[zeek]]\nsubdomain_capacity = 10_000_000_000\n{COMPACT}', "is too much; the most is 1e+09"),
        (f'[[zeek]]\nfalse_positive_rate = 0.5\n{COMPACT}', "0.5 is too much; the most is 0.01"),
        (f'[[zeek]]\nfalse_positive_rate = 0\n{COMPACT}', "0 is too small; it must be above 0"),
        (f'[[zeek]]\nhold = 2\n{COMPACT}', "2 must be text with its unit, as '90s'"),
        (f'[[zeek]]\nhold = "5m"\n{COMPACT}', "'5m' is too much; the most is 60"),
        (f'[[zeek]]\nrebuild_share = 20\n{COMPACT}', "20 is too much; the most is 1"),
        (f'[[zeek]]\nrebuild_after = "0s"\n{COMPACT}', "'0s' is too small; it must be above 0"),
    ],
)  # fmt: skip
def test_one_thing_wrong_is_told_once_with_its_line(line: str, sentence: str, told: Told) -> None:
    problems = told(BASE + line)
    assert len(problems) == 1
    assert problems[0].startswith("T:6: ")
    assert sentence in problems[0]


def test_everything_wrong_is_told_in_the_order_of_the_file(told: Told) -> None:
    problems = told(
        """[service]
nmae = "x"
[kafka]
brokers = []
password = "hunter2"
ca = "x.pem"
acks = 1
settings = { "acks" = 1, "linger.ms" = [] }
[intel]
files = ["nope", 3]
look_behind = "3s"
levels = { x = "hihg", y = 3 }
[[follow]]
path = "a"
[[follow]]
hunt = false
ship = false
[bogus]
x = 1
"""
    )
    assert [problem.split(" ")[0] for problem in problems] == [
        "T:2:",
        "T:4:",
        "T:5:",
        "T:6:",
        "T:7:",
        "T:8:",
        "T:10:",
        "T:10:",
        "T:11:",
        "T:12:",
        "T:12:",
        "T:15:",
        "T:16:",
        "T:18:",
    ]
    text = "\n".join(problems)
    assert "service.nmae: is no key of the configuration; did you mean 'name'?" in text
    assert "kafka.acks: is no key of the configuration (known here: brokers, tls" in text
    assert "kafka.settings.'linger.ms': a list must be text in quotes, a number, or true or false" in text
    assert "intel.look_behind: is no key here; it belongs to [hunt]" in text
    assert "follow: has no path, which is needed" in text
    assert "bogus: is no key of the configuration (known here: service, kafka" in text
    assert "nothing to hunt for" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[kafka]\nbrokers = \n", 2),
        ("[kafka\n", 1),
        ("[kafka]\n\nbrokers = [\n", 3),
        ("a = 1\na = 2\n", 2),
        ("password = hunter2\n", 1),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int, told: Told) -> None:
    problems = told(text)
    assert len(problems) == 1
    assert problems[0].startswith(f"T:{line}: not TOML: ")
    assert "hunter2" not in problems[0]


def test_files_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "threathunting.toml"
    with pytest.raises(ValueError, match=r"threathunting\.toml can't be read: no such file"):
        load(path)
    path.write_bytes(b"[kafka]\nbrokers = '\xff'")
    with pytest.raises(ValueError, match=r"byte 19 is no UTF-8"):
        load(path)
    path.write_text("a = " + "[" * 5000 + "]" * 5000)
    with pytest.raises(ValueError, match=r"nested too deeply"):
        load(path)
    path.write_text("\ufeff" + BASE)
    assert load(path).follow


def test_the_environment_is_asked_and_never_shown(loaded: Load, told: Told) -> None:
    environ = {"B": "a:1, b:2", "N": "7", "S": "hunter2", "ON": "true", "EMPTY": ""}
    text = '[kafka]\nbrokers = "${B}"\ntls = "${ON}"\nsasl="PLAIN"\nusername="u"\npassword="${S}"\n'
    config = loaded(f'{text}[[follow]]\npath = "x"\n[commit]\nmax_records = "${{N}}"', environ)
    assert config.kafka is not None
    assert (config.kafka.brokers, config.kafka.tls, config.kafka.password) == (
        ["a:1", "b:2"],
        True,
        "hunter2",
    )
    assert config.commit.max_records == 7
    assert config.secrets() == ("hunter2",)
    assert "hunter2" not in repr(config)
    assert told(
        f'{BASE}[commit]\nmax_records = "${{S}}"\ninterval = "${{S}}"\n[hunt]\nscope = "${{NONE}}"', environ
    ) == [
        "T:6: commit.max_records: '${S}' must be a whole number",
        "T:7: commit.interval: '${S}' is not a duration; write it as '90s', '5m' or '24h'",
        "T:9: hunt.scope: environment variable NONE is not set",
    ]
    assert told('[kafka]\nbrokers = ["${EMPTY}"]\n[[follow]]\npath="x"', environ)[0].startswith(
        "T:2: kafka.brokers: "
    )


@pytest.mark.parametrize("value", ["123456", "[123456]", "1979-05-27"])
def test_a_wrong_password_is_not_shown(value: str, told: Told) -> None:
    problems = told(
        f'[kafka]\nbrokers=["k"]\nsasl="PLAIN"\nusername="u"\npassword = {value}\n[[follow]]\npath="x"'
    )
    assert problems == ["T:5: kafka.password: it must be text in quotes"]


def test_a_password_may_look_like_a_variable(loaded: Load) -> None:
    sasl = 'sasl = "PLAIN"\nusername = "u"\npassword = "a${B}"\n[['
    config = loaded(BASE.replace("[[", sasl, 1))
    assert config.secrets() == ("a${B}",)


def test_secrets_from_files(loaded: Load, told: Told, tmp_path: Path) -> None:
    text = (
        '[kafka]\nbrokers=["k"]\nsasl="PLAIN"\nusername="u"\npassword_file = "secret"\n[[follow]]\npath="x"'
    )
    assert told(text) == [f"T:5: kafka.password_file: 'secret' does not exist in {tmp_path}"]
    (tmp_path / "secret").write_text("\n")
    assert told(text) == [
        f"T:5: kafka.password_file: {tmp_path}/secret is empty, so no secret can be read from it"
    ]
    (tmp_path / "secret").write_bytes(b"\xff\xfe")
    assert "holds no UTF-8 text" in told(text)[0]
    (tmp_path / "secret").write_text(" hunter2 \r\n")
    config = loaded(text)
    assert config.secrets() == (" hunter2 ",)
    assert config.kafka is not None
    assert config.kafka.client()["sasl.password"] == " hunter2 "
    assert (
        "T:5: kafka.password_file: password and password_file are two ways"
        in told(text.replace("[[", 'password = "y"\n[['))[0]
    )


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('ca = "pem"', "ca is for TLS; set tls = true or take it out"),
        ('tls = true\nkey = "pem"', "certificate and key belong together"),
        ('username = "u"', "username and password are for SASL"),
        ('sasl = "PLAIN"\nusername = "u"', "sasl = 'PLAIN' needs username and password"),
        ('sasl = "GSSAPI"', "'GSSAPI' is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ('settings."group.id" = "x"', "settings.'group.id' is not to be changed"),
    ],
)
def test_connections_that_contradict_themselves(
    lines: str, sentence: str, told: Told, tmp_path: Path
) -> None:
    (tmp_path / "pem").write_text("x")
    problems = told(BASE.replace("[[", f"{lines}\n[[", 1))
    assert len(problems) == 1
    assert sentence in problems[0]
    assert problems[0].split(":")[1] in {"3", "4"}


def test_without_kafka_there_are_no_topics(loaded: Load, told: Told, tmp_path: Path) -> None:
    (tmp_path / "feed.txt").write_text("evil.example\n")
    follow = '[[follow]]\npath = "x"\n[output.files]\nfolder = "out"\n'
    config = loaded(f'{follow}[intel]\nfiles = "feed.txt"')
    assert (config.intel.topic, config.intel.rejected, config.output.kafka) == (None, None, None)
    assert config.intel.files == (f"{tmp_path}/feed.txt",)
    assert config.output.files is not None
    assert config.output.files.folder == f"{tmp_path}/out"
    problems = told(f'{follow}[intel]\ntopic = "a"\n[output.kafka]\n[consume]\ntopics = ["b"]')
    assert [problem.split(" ")[1] for problem in problems] == ["intel.topic:", "output.kafka:", "consume:"]
    assert all("there is no [kafka]" in problem for problem in problems)
    assert (
        loaded(f'{follow}[output.kafka]\nenabled = false\n[intel]\nfiles = "feed.txt"').output.kafka is None
    )


def test_what_must_be_there(told: Told, loaded: Load) -> None:
    kafka = '[kafka]\nbrokers = ["k:9092"]\n'
    assert told("") == [
        "T: intel: names neither a topic nor files, so there is nothing to hunt for",
        "T: there is nothing to hunt in; add a [[follow]] with logs, [consume] with topics, or a [[zeek]]",
        "T: output: no output is on; add [kafka] or [output.files], or name topics in [output.kafka]",
    ]
    assert told("[kafka]\n[[follow]]\npath = 'x'") == ["T:1: kafka: has no brokers, which is needed"]
    assert "nothing to hunt for" in told(f"{BASE}[intel]\ntopic = false")[0]
    assert "nothing to hunt in" in told(kafka)[0]
    for off in ("enabled = false", 'sightings = false\ninvestigations = ""'):
        assert told(f"{BASE}[output.kafka]\n{off}") == [
            "T:5: output: no output is on; add [kafka] or [output.files], or name topics in [output.kafka]"
        ]
    assert loaded(f"{BASE}[output.kafka]\nsightings = false").output.kafka.sightings is None  # type: ignore[union-attr]
    assert loaded(f'{BASE}[output.kafka]\nsightings = "siem"\ninvestigations = "siem"')


@pytest.mark.parametrize(
    "text", ["kafka = 3", "kafka = []", "[[kafka]]", "output = 1\n[kafka]\nbrokers=['k']"]
)
def test_sections_that_are_no_tables(text: str, told: Told) -> None:
    assert any("must be a table" in problem for problem in told(f"{text}\n[[follow]]\npath = 'x'"))


def test_off_is_false_or_empty(loaded: Load) -> None:
    config = loaded(f'{BASE}[intel]\nrejected = ""\n[http]\nlisten = false')
    assert config.intel.rejected is None
    assert config.http.address is None
    assert loaded(f'{BASE}[http]\nlisten = "[::1]:0"').http.address == ("::1", 0)


def test_paths_are_taken_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/c.toml").write_text(f'{BASE}rotated = "/old/*"\n[service]\nstate = "~/state"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/x")
    config = load("etc/c.toml")
    assert config.follow[0].path == (f"{tmp_path}/etc/logs",)
    assert config.follow[0].rotated == ("/old/*",)
    assert config.service.state == "/home/x/state"


def test_a_zeek_in_compact_mode(loaded: Load) -> None:
    (zeek,) = loaded(f"{BASE}[[zeek]]\n{COMPACT}").zeek
    assert (zeek.capacity, zeek.subdomain_capacity, zeek.false_positive_rate) == (10_000_000, 1_000_000, 1e-6)
    assert (zeek.hold, zeek.rebuild_share, zeek.rebuild_after) == (2.0, 0.2, 86_400.0)
    (zeek,) = loaded(f'{BASE}[[zeek]]\n{COMPACT}\ncapacity = 5\nhold = "500ms"\nrebuild_share = 1').zeek
    assert (zeek.capacity, zeek.hold, zeek.rebuild_share) == (5, 0.5, 1.0)
    # A default that is written out contradicts nothing.
    assert loaded(f'{BASE}[[zeek]]\n{ZEEK}\ncapacity = 10_000_000\nrebuild_after = "24h"').zeek
