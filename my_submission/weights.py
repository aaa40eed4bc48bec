"""Which weight files each system needs, where they lie and whether they are the right ones.

``models/manifest.toml`` is the list; :mod:`my_submission.fetch` gets the files. Weights that are
missing are an error, never random numbers. A folder that the user names is used as it is: its
hashes are checked when its files are fetched and by :func:`verify`, not when they are used.
"""

import hashlib
import os
import re
import shlex
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from my_submission.errors import DemixError

MODELS = Path(__file__).resolve().parents[1] / "models"
MANIFEST = MODELS / "manifest.toml"

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LFS_REASON = "a Git LFS pointer, not the weights: run `git lfs pull`"
_TEXT_KEYS = frozenset({"sha256", "url", "zip_member", "by_hand", "instead", "licence"})


@dataclass(frozen=True)
class WeightFile:
    """One file of one system, as the manifest lists it.

    ``sha256`` is in lower case: 64 hex digits, a prefix of 8 or more where only that is published,
    or empty where nothing is. ``zip_member`` is the file's base name in the archive at ``url``.
    ``by_hand`` is where people get a file, and ``instead`` a system that does without it.
    """

    system: str
    file: str
    bytes: int | None
    sha256: str
    url: str | None
    zip_member: str | None
    by_hand: str | None
    instead: str | None
    licence: str

    @property
    def source(self) -> str:
        """Where the file comes from, for people, to be read after "from"."""
        if self.by_hand is not None:
            return f"{self.by_hand}, by hand"
        return self.url or "this repository"


@dataclass(frozen=True)
class FileStatus:
    """Whether the file at ``path`` is as listed; ``reason``: why not, or what was not checked."""

    weight: WeightFile
    path: Path
    state: Literal["ok", "missing", "wrong"]
    reason: str = ""


def load_manifest(path: Path | None = None) -> dict[str, tuple[WeightFile, ...]]:
    """Read the list of weight files, by system, in the order of the file (default ``MANIFEST``).

    Raises:
        DemixError: There is no manifest, or it is not TOML, or an entry makes no sense.
    """
    path = path or MANIFEST
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DemixError(f"cannot read the list of weights {path}: {error}") from error
    try:
        return {system: _weight_files(system, tables) for system in tables}
    except ValueError as error:
        raise DemixError(f"the list of weights {path} is wrong at {error}") from error


def _weight_files(system: str, listed: Mapping[str, object]) -> tuple[WeightFile, ...]:
    files = listed[system]
    if not isinstance(files, dict):
        raise ValueError(f"{system}: it must be tables named by files")
    others = listed.keys() - {system}
    return tuple(_weight_file(system, file, table, others) for file, table in files.items())


def _weight_file(system: str, file: str, table: object, others: Collection[str]) -> WeightFile:
    entry = f"[{system}.{file}]"
    if not isinstance(table, dict) or Path(file).name != file:
        raise ValueError(f"{entry}: it must be a table named by a file name")
    unknown = table.keys() - _TEXT_KEYS - {"bytes"}
    mistyped = [key for key in _TEXT_KEYS & table.keys() if not isinstance(table[key], str)]
    size = table.get("bytes")
    if unknown or mistyped or not isinstance(size, int | None) or not table.get("licence"):
        raise ValueError(f"{entry}: unknown, mistyped or missing keys, or no licence")
    sha256 = table.get("sha256", "").lower()
    if sha256 and not re.fullmatch(r"[0-9a-f]{8,64}", sha256):
        raise ValueError(f"{entry}: sha256 {sha256!r} is not 8 to 64 hex digits")
    url, by_hand, zip_member = (table.get(key) for key in ("url", "by_hand", "zip_member"))
    if url is not None and (by_hand is not None or not sha256):
        raise ValueError(f"{entry}: a url needs a sha256 and excludes by_hand")
    if zip_member is not None and url is None:
        raise ValueError(f"{entry}: zip_member needs a url")
    instead, licence = table.get("instead"), table["licence"]
    if instead is not None and (by_hand is None or instead not in others):
        raise ValueError(f"{entry}: instead needs by_hand and the name of another listed system")
    return WeightFile(system, file, size, sha256, url, zip_member, by_hand, instead, licence)


def weight_files(system: str, manifest: Path | None = None) -> tuple[WeightFile, ...]:
    """Give the files of one system.

    Raises:
        DemixError: The manifest has no such system.
    """
    listed = load_manifest(manifest)
    if system not in listed:
        raise DemixError(f"no weights are listed for {system!r}: choose from {', '.join(listed)}")
    return listed[system]


def models_folder(models: Path | None = None) -> Path:
    """Give the folder with one folder per system: ``models``, else DEMIX_MODELS, else our own."""
    named = models or os.environ.get("DEMIX_MODELS")
    return Path(named).expanduser() if named else MODELS


def _command(verb: str, system: str, models: Path | None) -> str:
    where = "" if models is None else f" --models {shlex.quote(str(models))}"
    return f"`demix weights {verb} {system}{where}`"


def by_hand_request(files: Collection[WeightFile], folder: Path) -> str:
    """Ask a person for ``files``: names, sources, ``folder``, and which system does without."""
    by_source: dict[str, list[str]] = {}
    for weight in files:
        by_source.setdefault(str(weight.by_hand), []).append(weight.file)
    what = " and ".join(f"{', '.join(names)} by hand from {at}" for at, names in by_source.items())
    them = "it" if len(files) == 1 else "them"
    instead = {weight.instead for weight in files}
    # A system that is named for only some of the files may need the others itself.
    hint = "" if len(instead) > 1 or None in instead else f"; {instead.pop()} does without {them}"
    return f"get {what} and put {them} into {folder}{hint}"


def remedy(system: str, files: Collection[WeightFile], models: Path | None = None) -> str:
    """Say how to get ``files`` of ``system``: the command, what is to do by hand, or both."""
    by_hand = [weight for weight in files if weight.by_hand is not None]
    steps = []
    if len(by_hand) < len(files):
        steps.append(f"run {_command('fetch', system, models)}")
    if by_hand:
        steps.append(by_hand_request(by_hand, models_folder(models) / system))
    return ", and ".join(steps)


def brief_remedy(system: str, files: Collection[WeightFile], models: Path | None = None) -> str:
    """Give the command that gets ``files`` or says how to, and count those to get by hand."""
    by_hand = sum(weight.by_hand is not None for weight in files)
    command = _command("fetch" if by_hand < len(files) else "verify", system, models)
    return f"run {command}" + (f", which says how to get {by_hand} by hand" if by_hand else "")


def system_folder(system: str, models: Path | None = None, *, manifest: Path | None = None) -> Path:
    """Give the folder that holds all files of ``system``; their hashes are not looked at.

    Raises:
        DemixError: Files are missing, or are Git LFS pointers instead of weights.
    """
    folder = models_folder(models) / system
    files = weight_files(system, manifest)
    with _reading(folder):
        missing = [weight for weight in files if not (folder / weight.file).is_file()]
    if missing:
        names = ", ".join(weight.file for weight in missing)
        raise DemixError(
            f"weights of {system} are missing in {folder}: {names}; "
            f"{remedy(system, missing, models)}"
        )
    for weight in files:
        if _is_lfs_pointer(folder / weight.file):
            raise DemixError(f"{folder / weight.file} is {_LFS_REASON}")
    return folder


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DemixError(f"cannot read {error.filename or path}: {error.strerror}") from error


def _is_lfs_pointer(path: Path) -> bool:
    with _reading(path), path.open("rb") as file:
        return file.read(len(_LFS_POINTER)) == _LFS_POINTER


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file in lower-case hex, read as a stream.

    Raises:
        DemixError: The file cannot be read.
    """
    with _reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _with_hash(digest: str, weights: Iterable[WeightFile], system: str) -> list[WeightFile]:
    """Give the entries that a file is; those of ``system`` first, as systems share files."""
    same = [w for w in weights if w.sha256 and digest.startswith(w.sha256)]
    return sorted(same, key=lambda w: w.system != system)


def what_is_wrong(
    path: Path, weight: WeightFile, listed: Mapping[str, Iterable[WeightFile]]
) -> str:
    """Say why the file at ``path`` is not ``weight``; an empty string if it is.

    ``listed`` is the manifest: where the file is another entry's, that entry is named.

    Raises:
        DemixError: The file cannot be read.
    """
    if _is_lfs_pointer(path):
        return _LFS_REASON
    size = path.stat().st_size
    right_size = weight.bytes in (None, size)
    if right_size and not weight.sha256:
        return ""
    digest = sha256_of(path)
    if right_size and digest.startswith(weight.sha256):
        return ""
    everything = (w for files in listed.values() for w in files)
    for other in _with_hash(digest, everything, weight.system):
        if other != weight:
            return f"this is {other.system}'s {other.file}"
    if not right_size:
        return f"it has {size} bytes instead of {weight.bytes}"
    return f"its SHA-256 is {digest} instead of {weight.sha256}"


def verify(
    system: str, models: Path | None = None, *, manifest: Path | None = None
) -> list[FileStatus]:
    """Compare every file of a system with the manifest's size and hash.

    Raises:
        DemixError: The manifest has no such system, or a file cannot be read.
    """
    folder = models_folder(models) / system
    listed = load_manifest(manifest)
    statuses = []
    for weight in weight_files(system, manifest):
        path = folder / weight.file
        with _reading(path):
            there, is_file = path.exists(), path.is_file()
        if not there:
            statuses.append(FileStatus(weight, path, "missing", f"from {weight.source}"))
        elif not is_file:
            statuses.append(FileStatus(weight, path, "wrong", "it is not a file"))
        elif wrong := what_is_wrong(path, weight, listed):
            statuses.append(FileStatus(weight, path, "wrong", wrong))
        else:
            unchecked = "" if weight.sha256 else "no hash is listed to check it against"
            statuses.append(FileStatus(weight, path, "ok", unchecked))
    return statuses


def refuse_foreign(path: Path, system: str, *, manifest: Path | None = None) -> None:
    """Refuse published weights that lie in the place of others, such as B's drums in A's folder.

    Files that the manifest does not know (a user's own networks) pass.

    Raises:
        DemixError: The file is another system's, or another file of this one.
    """
    listed = [weight for files in load_manifest(manifest).values() for weight in files]
    with _reading(path):
        size = path.stat().st_size
    # A file is hashed only if, by its kind and size, it can be one of those listed.
    candidates = [
        w
        for w in listed
        if w.sha256
        and (w.bytes == size or (w.bytes is None and Path(w.file).suffix == path.suffix))
    ]
    same = _with_hash(sha256_of(path), candidates, system) if candidates else []
    if same and not any((w.system, w.file) == (system, path.name) for w in same):
        raise DemixError(
            f"{path} is {same[0].system}'s {same[0].file}, not {system}'s {path.name}: put the "
            f"right file there, or run `demix weights fetch {system}`"
        )
