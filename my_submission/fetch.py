"""Getting a system's weights to where they are looked for.

A file gets its name only after its size and hash were checked; until then it is ``.FILE.part`` in
the same folder, and a later call goes on from there.

A mirror is given by ``base_url`` or DEMIX_WEIGHTS_URL: every address is then
``BASE/SYSTEM/LAST``, where LAST is the last part of the published address, such as
``http://mirror/weights/leaderboard_a/onnx_A.zip``. Hashes are checked all the same.

Systems share files. What another system's folder beside this one holds already, under the same name
and with the listed hash, is not downloaded again but becomes a hard link to it, without room on the
disk, or a copy where the file system has no links. Both names are one file then: to put another in
its place, replace it rather than write into it.
"""

import os
import secrets
import shutil
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from my_submission import weights
from my_submission.download import Progress, download
from my_submission.errors import DemixError
from my_submission.weights import WeightFile

Listed = Mapping[str, tuple[WeightFile, ...]]

# What zipfile raises on archives that are damaged, encrypted or packed in a way it does not know.
_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)


def fetch(
    system: str,
    models: Path | None = None,
    *,
    base_url: str | None = None,
    progress: Progress | None = None,
    manifest: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Path]:
    """Get all files of ``system`` that are missing or wrong; right ones are left alone.

    What another system in ``models`` holds already is linked or copied from there.

    Args:
        system: Name of the system.
        models: The folder with one folder per system (default: as for ``models_folder``).
        base_url: A mirror, instead of the published addresses (default: DEMIX_WEIGHTS_URL).
        progress: Called with a name, bytes so far and bytes in all (None: not known).
        manifest: The list of weights (default: this repository's).
        sleep: Waits between tries, in seconds.

    Returns:
        The files that are new, in the order of the manifest.

    Raises:
        DemixError: The system is unknown, a server cannot be reached or gives another file, the
            folder cannot be written, or files are left that only a person can get.
    """
    base_url = base_url or os.environ.get("DEMIX_WEIGHTS_URL") or None
    if base_url and not base_url.startswith(("http://", "https://")):
        raise DemixError(
            f"{base_url!r} is no base for weights: give an http:// or https:// address"
        )
    listed = weights.load_manifest(manifest)
    folder = weights.models_folder(models) / system
    statuses = weights.verify(system, models, manifest=manifest)
    todo = [status.weight for status in statuses if status.state != "ok"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        left = [weight for weight in todo if not _take_from_sibling(weight, folder, listed)]
        by_url: dict[str, list[WeightFile]] = {}
        for weight in left:
            if weight.url is not None:
                by_url.setdefault(_address(weight, weight.url, base_url), []).append(weight)
        for url, files in by_url.items():
            _fetch_url(url, files, folder, listed, progress, sleep)
        for weight in left:
            if weight.url is None and weight.by_hand is None:
                _copy_committed(weight, folder, listed, manifest or weights.MANIFEST)
        for status in statuses:  # a stop between the last check and a removal leaves such files
            _part(folder, status.weight.file).unlink(missing_ok=True)
            if status.weight.url is not None:
                _part(folder, _last(status.weight.url)).unlink(missing_ok=True)
        if by_hand := [weight for weight in left if weight.by_hand is not None]:
            raise DemixError(
                f"what can be fetched of {system} is there; "
                f"{weights.by_hand_request(by_hand, folder)}"
            )
    except OSError as error:
        raise DemixError(
            # Of two names, as of a rename, the second is what was to be written.
            f"cannot write {error.filename2 or error.filename or folder}: {error.strerror}; make "
            "room there, or name another folder with --models"
        ) from error
    return [folder / weight.file for weight in todo]


def _last(url: str) -> str:
    return PurePosixPath(urlsplit(url).path).name


def _address(weight: WeightFile, url: str, base_url: str | None) -> str:
    return f"{base_url.rstrip('/')}/{weight.system}/{_last(url)}" if base_url else url


def _part(folder: Path, name: str) -> Path:
    return folder / f".{name}.part"


def _take_from_sibling(weight: WeightFile, folder: Path, listed: Listed) -> bool:
    """Link or copy a file that another system's folder holds already; say whether one does."""
    for twin in (w for files in listed.values() for w in files):
        if weight.sha256 and (twin.file, twin.sha256) == (weight.file, weight.sha256):
            path = folder.parent / twin.system / twin.file
            if twin.system != weight.system and _is_right(path, weight, listed):
                return _link(path, weight, folder, listed)
    return False


def _is_right(path: Path, weight: WeightFile, listed: Listed) -> bool:
    try:
        return path.is_file() and not weights.what_is_wrong(path, weight, listed)
    except (OSError, DemixError):  # another system's trouble, which a download does not have
        return False


def _link(source: Path, weight: WeightFile, folder: Path, listed: Listed) -> bool:
    # A name of its own: a link under the part's name, left by a stop, would be what the next
    # download writes into. What lies at the file's name, though wrong, stays until it is replaced.
    link = folder / f".demix-{secrets.token_hex(8)}.part"
    try:
        # Resolved: a link to a relative symbolic link may point to nothing.
        os.link(source.resolve(), link)
        link.replace(folder / weight.file)
    except OSError:  # another device, or no links there
        return not _copy(source, weight, folder, listed)
    finally:
        link.unlink(missing_ok=True)
    return True


def _fetch_url(
    url: str,
    files: Sequence[WeightFile],
    folder: Path,
    listed: Listed,
    progress: Progress | None,
    sleep: Callable[[float], None],
) -> None:
    """Download one address, check it and give its files their names."""
    part = _part(folder, _last(url))
    if files[0].zip_member is None:
        size, use = files[0].bytes, partial(_take, part, files[0], folder, listed)
    else:
        size, use = None, partial(_unpack, part, files, folder, listed)
    if len(files) == 1:
        by_hand = f"put the file at {folder / files[0].file} by hand"
    else:
        names = ", ".join(weight.file for weight in files)
        by_hand = f"put the files into {folder} by hand: {names}"
    get = partial(
        download,
        url,
        part,
        remedy=by_hand,
        size=size,
        progress=progress,
        sleep=sleep,
    )
    resumed = get()
    wrong = use()
    if wrong and resumed:  # what an earlier call left may be the beginning of another file
        part.unlink(missing_ok=True)
        get()
        wrong = use()
    part.unlink(missing_ok=True)
    if wrong:
        raise DemixError(f"{url} is not what it should be: {wrong}; {by_hand}")


def _take(part: Path, weight: WeightFile, folder: Path, listed: Listed) -> str:
    """Give a downloaded file its name, or say what is wrong with it."""
    wrong = weights.what_is_wrong(part, weight, listed)
    if not wrong:
        part.replace(folder / weight.file)
    return wrong


def _unpack(archive: Path, files: Sequence[WeightFile], folder: Path, listed: Listed) -> str:
    """Take files out of an archive, whatever folders it has, or say what is wrong with it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for weight in files:
                wrong = f"no {weight.zip_member} is in it"
                for member in opened.infolist():
                    if PurePosixPath(member.filename).name == weight.zip_member:
                        wrong = _unpack_one(opened, member, weight, folder, listed)
                        if not wrong:
                            break
                if wrong:
                    return wrong
    except _BAD_ARCHIVE as error:
        return f"it is no zip archive that can be read ({error})"
    return ""


def _unpack_one(
    opened: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    weight: WeightFile,
    folder: Path,
    listed: Listed,
) -> str:
    if weight.bytes not in (None, member.file_size):
        return f"{member.filename} has {member.file_size} bytes instead of {weight.bytes}"
    part = _part(folder, weight.file)
    try:
        with opened.open(member) as source, part.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        wrong = _take(part, weight, folder, listed)
        return wrong and f"{member.filename}: {wrong}"
    finally:
        part.unlink(missing_ok=True)


def _copy_committed(weight: WeightFile, folder: Path, listed: Listed, manifest: Path) -> None:
    """Copy a file that is part of the repository into another folder of models."""
    committed = manifest.parent / weight.system / weight.file
    target = folder / weight.file
    if not committed.is_file() or (target.exists() and target.samefile(committed)):
        raise DemixError(
            f"{committed} is part of the repository, and missing or changed: "
            f"run `git checkout -- {committed}`"
        )
    if wrong := _copy(committed, weight, folder, listed):
        raise DemixError(f"{committed}: {wrong}; run `git checkout -- {committed}`")


def _copy(source: Path, weight: WeightFile, folder: Path, listed: Listed) -> str:
    """Copy a file that lies on this machine, or say what is wrong with it."""
    part = _part(folder, weight.file)
    try:
        shutil.copyfile(source, part)
        return _take(part, weight, folder, listed)
    finally:
        part.unlink(missing_ok=True)
