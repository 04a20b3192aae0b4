"""Where the package goes, what it replaces, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from threathunting.service import zeek_package
from threathunting.service.zeek_package import find_zeek, install, modules_of, package, version_of

OURS = version_of(package())


def fake_zeek(prefix: Path, version: str = "8.2.2") -> Path:
    """A prefix with a program that tells a version, and no ``zeek-config``."""
    program = prefix / "bin" / "zeek"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {program} version {version}\n")
    program.chmod(0o755)
    (prefix / "share" / "zeek" / "site").mkdir(parents=True)
    return program


def older(folder: Path, version: str) -> None:
    """Make the package in a folder one of another version."""
    config = folder / "config.zeek"
    config.write_text(config.read_text().replace(f'version = "{OURS}"', f'version = "{version}"'))
    # As if it had been installed so.
    (folder / ".installed.json").unlink(missing_ok=True)


def test_our_package_is_found_with_its_version_and_modules() -> None:
    assert OURS is not None
    assert {"CONN", "HTTP", "DNS", "SSH", "FILE"} <= modules_of(package())
    assert (package() / "listen.zeek").is_file()


def test_a_zeek_is_found_by_program_by_prefix_and_by_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZEEKPATH", raising=False)
    program = fake_zeek(tmp_path / "opt", "8.3.0-dev.17")
    monkeypatch.setenv("THREATHUNTING_ZEEK", str(tmp_path / "opt"))
    for choice in (str(program), str(tmp_path / "opt"), None):
        zeek = find_zeek(choice)
        assert (zeek.program, zeek.version) == (program, "8.3.0-dev.17")
        assert zeek.site == tmp_path / "opt/share/zeek/site"
        assert zeek.site in zeek.paths
        assert not zeek.is_too_old


def test_zeek_config_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEEKPATH", raising=False)
    program = fake_zeek(tmp_path / "opt")
    told = program.with_name("zeek-config")
    told.write_text(
        '#!/bin/sh\ncase $1 in --site_dir) echo /srv/site;; --script_dir) echo /srv/zeek;; --zeekpath) echo ".:/a:/b";; esac\n'
    )
    told.chmod(0o755)
    zeek = find_zeek(str(program))
    assert (zeek.site, zeek.scripts, zeek.paths) == (
        Path("/srv/site"),
        Path("/srv/zeek"),
        (Path("/a"), Path("/b")),
    )


def test_scripts_without_a_program_are_enough_to_install_into(tmp_path: Path) -> None:
    (tmp_path / "share/zeek/site").mkdir(parents=True)
    zeek = find_zeek(str(tmp_path))
    assert zeek.program is None
    assert install(zeek, None, force=False).folder == tmp_path / "share/zeek/site/threathunting"


@pytest.mark.parametrize("what", ["nowhere", "a-folder"])
def test_what_is_no_zeek_is_told(tmp_path: Path, what: str) -> None:
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(FileNotFoundError, match="neither Zeek's program nor a prefix"):
        find_zeek(str(tmp_path / what))


def test_a_program_that_is_no_zeek_is_told() -> None:
    with pytest.raises(FileNotFoundError, match="doesn't tell a version"):
        find_zeek("/bin/true")


def test_all_scripts_are_put_into_the_site_and_nobody_is_kept_from_reading_them(tmp_path: Path) -> None:
    zeek = find_zeek(str(fake_zeek(tmp_path)))
    local = zeek.site / "local.zeek"
    local.write_text("@load tuning/defaults\n")
    before = os.umask(0o077)
    try:
        done = install(zeek, None, force=False)
    finally:
        os.umask(before)
    assert done.folder == zeek.site / "threathunting"
    assert (done.version, done.replaced, done.loader, done.loaded) == (OURS, None, local, False)
    assert local.read_text() == "@load tuning/defaults\n"
    for path in package().rglob("*.zeek"):
        copy = done.folder / path.relative_to(package())
        assert copy.read_bytes() == path.read_bytes()
        assert copy.stat().st_mode & 0o777 == 0o644
        assert copy.parent.stat().st_mode & 0o777 == 0o755
    assert sorted(path.name for path in zeek.site.iterdir()) == ["local.zeek", "threathunting"]


@pytest.mark.parametrize(
    ("line", "loaded"),
    [
        ("@load threathunting", True),
        ("  @load ./threathunting/listen # the service", True),
        ("# @load threathunting", False),
        ("@load threathunting-of-another", False),
    ],
)
def test_a_site_that_loads_it_already_is_known(tmp_path: Path, line: str, loaded: bool) -> None:
    (tmp_path / "local.zeek").write_text(f"@load tuning/defaults\n{line}\n")
    assert install(None, tmp_path, force=False).loaded is loaded


def test_an_older_one_of_ours_is_replaced_whole(tmp_path: Path) -> None:
    folder = install(None, tmp_path, force=False).folder
    older(folder, "0.0.9")
    (folder / "gone.zeek").write_text("# of an older version\n")
    done = install(None, tmp_path, force=False)
    assert done.replaced == "0.0.9"
    assert version_of(folder) == OURS
    assert not (folder / "gone.zeek").exists()


def test_a_newer_one_stays_unless_forced(tmp_path: Path) -> None:
    folder = install(None, tmp_path, force=False).folder
    older(folder, "9.10.0")
    with pytest.raises(ValueError, match=r"is version 9\.10\.0 and ours is .*--force"):
        install(None, tmp_path, force=False)
    assert version_of(folder) == "9.10.0"
    assert install(None, tmp_path, force=True).replaced == "9.10.0"


@pytest.mark.parametrize("name", ["config.zeek", "plugins/mine/__load__.zeek"])
def test_what_a_site_changed_or_added_stays_unless_forced(tmp_path: Path, name: str) -> None:
    folder = install(None, tmp_path, force=False).folder
    (folder / name).parent.mkdir(exist_ok=True)
    with (folder / name).open("a") as file:
        file.write("# ours\n")
    with pytest.raises(ValueError, match=f"{name} was added or changed by hand"):
        install(None, tmp_path, force=False)
    assert "# ours" in (folder / name).read_text()
    install(None, tmp_path, force=True)
    assert not (folder / "plugins/mine").exists()


@pytest.mark.parametrize("force", [False, True])
def test_what_isnt_ours_is_never_replaced(tmp_path: Path, force: bool) -> None:
    theirs = tmp_path / "threathunting"
    theirs.mkdir()
    (theirs / "config.zeek").write_text('const version = "0.0.1";\n')
    with pytest.raises(ValueError, match="is not our package"):
        install(None, tmp_path, force=force)
    assert [path.name for path in theirs.iterdir()] == ["config.zeek"]


def test_a_link_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "threathunting").symlink_to(package())
    with pytest.raises(ValueError, match="is a link to"):
        install(None, tmp_path, force=True)
    assert (tmp_path / "threathunting").is_symlink()


def test_the_old_one_stays_where_the_new_one_cant_be_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install(None, tmp_path, force=False).folder
    older(folder, "0.0.9")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if "-new-" in self.name:
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        install(None, tmp_path, force=False)
    assert version_of(folder) == "0.0.9"
    assert [path.name for path in tmp_path.iterdir()] == ["threathunting"]


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(zeek_package, "_put", refused)
    with pytest.raises(PermissionError, match="can't be written by this user"):
        install(None, tmp_path, force=False)


def test_a_zeek_too_old_is_told(tmp_path: Path) -> None:
    zeek = find_zeek(str(fake_zeek(tmp_path, "7.0.11")))
    with pytest.raises(ValueError, match=r"Zeek 7\.0\.11 is too old"):
        install(zeek, None, force=False)
    assert install(zeek, None, force=True).version == OURS
