"""What of the configuration is applied while the service runs, and what a wrong edit does: nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from threathunting.hunt.live import Policy
from threathunting.intel.allowlist import AllowList
from threathunting.service.config import load
from threathunting.service.config_changes import differences
from threathunting.service.config_schema import Config
from threathunting.service.hunting import registry
from threathunting.service.intel import allow_list
from threathunting.service.live.arming import Arming
from threathunting.service.live.outputs import Outputs
from threathunting.service.live.running import Running
from threathunting.service.logs import Logs
from threathunting.service.status import ReloadStatus


def policy_of(config: Config, allow: AllowList | None) -> Policy:
    """What of a match counts, by a configuration."""
    return Policy(config.hunt.min_level, dict(config.intel.levels), allow)


def read_allow_list(config: Config) -> AllowList | None:
    """The allow-list of a configuration. ValueError names the line that is wrong."""
    try:
        return allow_list(config.intel.allow, config.intel.warninglists)
    except OSError as error:
        raise ValueError(
            f"{error.filename} can't be read: {(error.strerror or str(error)).lower()}"
        ) from None


class Control:
    """Takes up changes of the configuration file, of allow-lists and of intel files. Any thread may call it."""

    def __init__(self, path: Path | None, running: Running, arming: Arming, logs: Logs) -> None:
        self.status = ReloadStatus()
        self._path = path
        self._running = running
        self._arming = arming
        self._logs = logs
        self._one = threading.Lock()
        self.rewatch: Callable[[], None] = lambda: None
        """Called when other files than before are to be watched."""
        self.rearm: list[Callable[[], None]] = []
        """Called when modules or levels are others: sensors are to be told."""

    def watched(self) -> list[str]:
        """The paths whose changes are to be told to ``changed``."""
        intel = self._running.config.intel
        own = [] if self._path is None else [str(self._path)]
        return [*own, *intel.files, *intel.allow]

    def changed(self, paths: Iterable[Path]) -> None:
        """These files are other than they were."""
        moved = set(paths)
        intel = self._running.config.intel
        lists = any(Path(path) in moved for path in intel.allow)
        if self._path in moved:
            self.reload(lists)
        elif lists:
            with self._one:
                self._use_allow_list(self._running.config)
        self._arming.files_changed(moved)

    def reload(self, lists: bool = True) -> None:
        """Read the configuration again, and apply what can be. A wrong one changes nothing, and is told.

        With ``lists``, what it names is taken to be other than it was: allow-lists and intel files.
        """
        if self._path is None:
            return
        with self._one:
            running = self._running
            try:
                new = load(self._path, os.environ)
                modules = registry(new.hunt.modules)
                allow = read_allow_list(new)
                changes = differences(running.config, new)
                outputs = Outputs(new.output) if changes.touches("output") else None
            except (ValueError, OSError) as error:
                self._refused(str(error))
                return
            self.status.error = None
            self.status.waiting = list(changes.restart)
            if lists:
                self._arming.files_changed(map(Path, new.intel.files))
            if not changes:
                if lists:
                    self._use(new, allow)
                return
            if changes.touches("hunt.modules"):
                running.hunter.use(modules)
            if lists or changes.touches("intel.allow") or changes.touches("intel.warninglists"):
                self._use(new, allow)
            else:
                running.hunter.policy = policy_of(new, allow)
            if outputs is not None:
                running.outputs = outputs
            if changes.touches("log"):
                self._logs.set_up(new.log.format, new.log.level)
            # What needs a restart stays as it was, so that the next difference is told again.
            running.config = _only_live(running.config, new)
            if changes.touches("intel.files"):
                self._arming.use_files(new.intel.files)
            if changes.touches("hunt") or changes.touches("intel.levels"):
                for tell in self.rearm:
                    tell()
            self.status.applied += 1
            self.status.last = time.time()
            running.metrics.config_reloads_total.labels("applied").inc()
            if changes.live:
                running.log.info("configuration applied", changed=list(changes.live))
            if changes.restart:
                running.log.warning("these changes need a restart", changed=list(changes.restart))
        self.rewatch()

    def _use_allow_list(self, config: Config) -> None:
        try:
            allow = read_allow_list(config)
        except ValueError as error:
            self._refused(str(error))
            return
        self._use(config, allow)

    def _use(self, config: Config, allow: AllowList | None) -> None:
        self._running.hunter.policy = policy_of(config, allow)
        self._arming.use_allow_list(allow)

    def _refused(self, reason: str) -> None:
        self.status.refused += 1
        self.status.last = time.time()
        self.status.error = reason
        self._running.metrics.config_reloads_total.labels("refused").inc()
        self._running.problems.tell("configuration", f"not applied, all stays as it was: {reason}")


def _only_live(old: Config, new: Config) -> Config:
    from msgspec.structs import replace

    return replace(
        old,
        hunt=replace(old.hunt, modules=new.hunt.modules, min_level=new.hunt.min_level),
        intel=replace(
            old.intel,
            levels=new.intel.levels,
            allow=new.intel.allow,
            warninglists=new.intel.warninglists,
            files=new.intel.files,
        ),
        output=new.output,
        log=new.log,
    )
