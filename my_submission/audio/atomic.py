"""Several files that appear together under their names, or not at all."""

import contextlib
import stat
from collections.abc import Mapping
from pathlib import Path

from my_submission.audio.leftovers import TemporaryFile, remove_leftovers
from my_submission.audio.scratch import DISK_FULL
from my_submission.display import shown
from my_submission.errors import DemixError


def file_error(path: Path, error: OSError) -> DemixError:
    """Say in one line why a file cannot be written, and what to do."""
    reason = error.strerror or str(error)
    if error.errno in DISK_FULL:
        return DemixError(
            f"{shown(path)}: no space left to write it ({reason}); "
            "free some or choose another output folder"
        )
    return DemixError(f"{shown(path)}: cannot be written ({reason}); choose another output folder")


class OutputFiles:
    """Hands out temporary files beside their destinations and renames all of them at the end.

    Nothing is on disk before ``create``. After it, exactly one of ``commit`` and ``discard``
    leaves either all destinations or nothing, folders that were made for them included.

    Args:
        paths: destinations by name.

    Raises:
        ValueError: two names have one destination.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        if len(set(paths.values())) < len(paths):
            raise ValueError(f"two outputs have one path: {sorted(map(str, paths.values()))}")
        self._paths = dict(paths)
        self._temporary: dict[str, TemporaryFile] = {}
        self._made_folders: list[Path] = []

    def create(self) -> dict[str, Path]:
        """Make the folders and the temporary files, empty; give the latter by name.

        What a killed run has left in the folders is removed.

        Raises:
            DemixError: a folder cannot be made or written, or a destination is no plain file.
                What has been made until then goes with ``discard``.
        """
        for folder in {path.parent for path in self._paths.values()}:
            remove_leftovers(folder)
        for name, path in self._paths.items():
            try:
                _check_destination(path)
                # Noted before it is made, because a signal may come between the two.
                self._temporary[name] = TemporaryFile(path.parent)
                self._make(self._temporary[name])
            except OSError as error:
                raise file_error(path, error) from error
        return {name: temporary.path for name, temporary in self._temporary.items()}

    def commit(self) -> None:
        """Rename all temporary files to their destinations, replacing what is there.

        Once the first is renamed the set is completed even if a signal interrupts it, so that
        no part of it is left.

        Raises:
            DemixError: a rename failed; then no destination is left.
        """
        try:
            self._rename()
        except DemixError:
            for name, path in self._paths.items():
                if not self._temporary[name].path.exists():
                    path.unlink(missing_ok=True)
            raise
        except BaseException:
            self._rename()
            raise
        finally:
            self._release()

    def discard(self) -> None:
        """Remove the temporary files, and the folders that were made if they are empty."""
        try:
            self._remove()
        finally:
            # A signal may have interrupted the first run; a second one finds little to do.
            self._remove()
            self._release()

    def _make(self, temporary: TemporaryFile) -> None:
        for attempts_left in (2, 1, 0):
            self._make_folder(temporary.path.parent)
            try:
                temporary.create()
            except FileNotFoundError:
                # Another song's failure has just removed the empty folder: once more.
                if not attempts_left:
                    raise
            else:
                return

    def _make_folder(self, folder: Path) -> None:
        missing: list[Path] = []
        for candidate in (folder, *folder.parents):
            if candidate.is_dir():
                break
            if candidate.exists():
                raise DemixError(
                    f"{shown(candidate)}: is a file, not a folder; choose another output folder"
                )
            missing.append(candidate)
        self._made_folders.extend(reversed(missing))
        folder.mkdir(parents=True, exist_ok=True)

    def _rename(self) -> None:
        for name, path in self._paths.items():
            temporary = self._temporary[name].path
            if not temporary.exists():
                continue
            try:
                temporary.replace(path)
            except OSError as error:
                raise file_error(path, error) from error

    def _remove(self) -> None:
        for temporary in self._temporary.values():
            # Not there yet, or not possible there because a folder of its path is a file.
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                temporary.path.unlink()
        for folder in reversed(self._made_folders):
            try:
                folder.rmdir()
            except OSError:
                # Missing, or with files of somebody else in it: not ours to remove.
                continue

    def _release(self) -> None:
        for temporary in self._temporary.values():
            temporary.release()


def _check_destination(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise DemixError(f"{shown(path)}: is a folder; choose another output path")
    if not stat.S_ISREG(mode):
        raise DemixError(f"{shown(path)}: is not a plain file; choose another output path")
