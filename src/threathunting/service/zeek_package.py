"""The ThreatHunting package for Zeek: where ours lies, which Zeek there is, and putting one into the other."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

import threathunting
from threathunting.sensors.pcap import find_sensor

NAME = "threathunting"
"""The package's folder among Zeek's scripts, and what is loaded."""

LOAD = f"@load {NAME}"
LISTEN = f"@load {NAME}/listen"

OLDEST = (8, 0)
"""The oldest Zeek that has what the package needs: the Cluster WebSocket API, hooks on the intel store."""

ENVIRONMENT = {"ZEEK_DNS_FAKE": "1", "CLUSTER_NODE": ""}
"""For every Zeek that we start ourselves: it asks no name server, and is no node of anybody's cluster."""

_VERSION = re.compile(r"version (\d+)\.(\d+)[\w.+\-]*")
_PACKAGE_VERSION = re.compile(r'^\s*const version = "([^"]+)"', re.M)
_MODULE = re.compile(r"^module ThreatHunting;", re.M)
_SITE = Path("share/zeek/site")
_MANIFEST = ".installed.json"
"""In an installed package: the digest of each file as it was installed, so that a site's changes are noticed."""


@dataclass(frozen=True)
class Zeek:
    """An installed Zeek. ``program`` is None for a prefix that holds scripts alone, as in an image being made."""

    program: Path | None
    site: Path
    """Folder of the site's own scripts."""
    scripts: Path
    """Folder of Zeek's scripts."""
    paths: tuple[Path, ...]
    """Where it looks for scripts, in this order."""
    version: str = ""

    @property
    def is_too_old(self) -> bool:
        """Whether the package can't run in it; False where its version isn't known."""
        found = re.match(r"(\d+)\.(\d+)", self.version)
        return found is not None and (int(found[1]), int(found[2])) < OLDEST

    def too_old(self) -> str:
        """What to say of it then."""
        return (
            f"Zeek {self.version} is too old for the package: it needs {OLDEST[0]}.{OLDEST[1]} or later; "
            "update Zeek, or name a newer one with --zeek"
        )


@dataclass(frozen=True)
class Installed:
    """What an installation did. ``replaced`` is the version that was there before, or None."""

    folder: Path
    version: str
    replaced: str | None
    loader: Path | None
    """The site's ``local.zeek``, where it is known."""
    loaded: bool
    """Whether that has the line that loads the package already."""


def package() -> Path:
    """The folder of our scripts: in an installed threathunting, or in its checkout. Raises FileNotFoundError."""
    here = Path(threathunting.__file__).parent
    for folder in (here / "zeek_package", here.parents[1] / "zeek" / "scripts"):
        if (folder / "__load__.zeek").is_file():
            return folder
    raise FileNotFoundError(
        "the scripts for Zeek are neither in this threathunting nor beside it; install threathunting anew"
    )


def version_of(folder: Path) -> str | None:
    """The version of the package in a folder; None where what is there isn't our package."""
    try:
        text = (folder / "config.zeek").read_text(errors="replace")
    except OSError:
        return None
    found = _PACKAGE_VERSION.search(text)
    return found[1] if found and _MODULE.search(text) else None


def modules_of(folder: Path) -> frozenset[str]:
    """The modules that the package in a folder hunts with: a plugin is a folder of that name."""
    return frozenset(path.parent.name.upper() for path in folder.glob("plugins/*/__load__.zeek"))


def find_zeek(choice: str | None) -> Zeek:
    """The Zeek at ``choice`` (its program or its prefix); without one where $THREATHUNTING_ZEEK or PATH says.

    Raises FileNotFoundError with a sentence where there is none.
    """
    if choice is None:
        return _described(find_sensor("zeek").program)
    path = Path(choice).absolute()
    if path.is_file():
        return _described(path)
    if (path / "bin" / "zeek").is_file():
        return _described(path / "bin" / "zeek")
    if (path / _SITE).is_dir():
        return Zeek(None, path / _SITE, path / _SITE.parent, (path / _SITE,))
    raise FileNotFoundError(
        f"{choice} is neither Zeek's program nor a prefix with bin/zeek or {_SITE} in it; "
        "give --zeek the one or the other"
    )


def install(zeek: Zeek | None, to: Path | None, force: bool) -> Installed:
    """Put our package into ``to``, or Zeek's site folder, as ``threathunting``.

    What is there of ours is replaced; one that is newer or was changed only with ``force``. Raises ValueError
    where it isn't ours, is to stay, or Zeek is too old; OSError where it can't be written.
    """
    ours = package()
    version = version_of(ours)
    assert version is not None
    if zeek is not None and zeek.is_too_old and not force:
        raise ValueError(zeek.too_old())
    if to is None:
        assert zeek is not None
        to = zeek.site
        if not to.is_dir():
            raise FileNotFoundError(
                f"Zeek's folder for a site's scripts, {to}, isn't there; name one with --to"
            )
    target = to / NAME
    replaced = _replaceable(target, version, force)
    try:
        to.mkdir(parents=True, exist_ok=True)
        _put(ours, target)
    except PermissionError:
        raise PermissionError(
            f"{to} can't be written by this user; install as the user that Zeek's folders belong to, "
            "or into another folder with --to"
        ) from None
    loader = to / "local.zeek"
    return Installed(target, version, replaced, loader if loader.is_file() else None, _loads(loader))


def _replaceable(target: Path, version: str, force: bool) -> str | None:
    """The version of ours that is to be replaced. ValueError where something is there that is to stay."""
    if not os.path.lexists(target):
        return None
    if target.is_symlink():
        raise ValueError(
            f"{target} is a link to {target.readlink()}; remove it first, or choose another --to"
        )
    there = version_of(target)
    if there is None:
        raise ValueError(
            f"{target} is there and is not our package; move it away, or choose another folder with --to"
        )
    if _ordered(there) > _ordered(version) and not force:
        raise ValueError(
            f"{target} is version {there} and ours is {version}; to go back to the older one, add --force"
        )
    if not force and (own := _own_files(target)):
        raise ValueError(
            f"{target / own[0]} was added or changed by hand, as {len(own)} in all; "
            "keep them elsewhere and load them from there, and add --force"
        )
    return there


def _own_files(target: Path) -> list[str]:
    """What was added to an installed package, or changed in it. Of one that we didn't install nothing is known."""
    try:
        known = msgspec.json.decode((target / _MANIFEST).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return []
    return [name for name, digest in _digests(target).items() if known.get(name) != digest]


def _digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        for path in sorted(folder.rglob("*.zeek"))
    }


def _put(ours: Path, target: Path) -> None:
    """Copy our scripts to ``target``, so that a Zeek which starts meanwhile finds the old or the new ones."""
    waiting, old = (target.with_name(f".{NAME}-{what}-{os.getpid()}") for what in ("new", "old"))
    try:
        waiting.mkdir()
        for path in sorted(ours.rglob("*.zeek")):
            copy = waiting / path.relative_to(ours)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            # Whoever installs may let nobody read his files; Zeek often runs as another user.
            copy.chmod(0o644)
        (waiting / _MANIFEST).write_bytes(msgspec.json.encode(_digests(waiting)))
        for folder in (waiting, *(path for path in waiting.rglob("*") if path.is_dir())):
            folder.chmod(0o755)
        if target.exists():
            target.rename(old)
        waiting.rename(target)
    finally:
        if old.exists() and not target.exists():
            old.rename(target)
        for left in (waiting, old):
            shutil.rmtree(left, ignore_errors=True)


def _loads(loader: Path) -> bool:
    try:
        text = loader.read_text(errors="replace")
    except OSError:
        return False
    return re.search(rf"^\s*@load\s+(\./)?{NAME}(/listen)?\s*(#.*)?$", text, re.M) is not None


def _ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def _described(program: Path) -> Zeek:
    """A Zeek by its program: what it and ``zeek-config`` tell, else where things usually are."""
    told = ask([program, "--version"])
    found = _VERSION.search(told)
    if found is None:
        raise FileNotFoundError(
            f"{program} doesn't tell a version of Zeek; give --zeek Zeek's program or prefix"
        )
    share = program.resolve().parents[1] / _SITE.parent
    site, scripts = _configured(program, "--site_dir"), _configured(program, "--script_dir")
    paths = os.environ.get("ZEEKPATH") or _configured(program, "--zeekpath") or f"{share}:{share / 'site'}"
    return Zeek(
        program,
        Path(site) if site else share / "site",
        Path(scripts) if scripts else share,
        tuple(Path(path) for path in paths.split(":") if path not in ("", ".")),
        found[0].removeprefix("version "),
    )


def _configured(program: Path, option: str) -> str:
    for beside in (program, program.resolve()):
        if told := ask([beside.with_name("zeek-config"), option]).strip():
            return told
    return ""


def ask(command: list[str | Path], folder: Path | None = None) -> str:
    """What a command of Zeek's prints, on either stream; an empty string where it can't be run."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=60,
            check=False,
            cwd=folder,
            env={**os.environ, **ENVIRONMENT},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return (done.stdout + done.stderr).decode("utf-8", "replace")
