"""Keeping the list of weights true to the files that this repository makes."""

import re
from pathlib import Path

from my_submission import weights
from my_submission.errors import DemixError


def update_manifest(system: str, folder: Path, manifest: Path | None = None) -> None:
    """Write the sizes and hashes of the files in ``folder`` into the manifest, comments kept.

    For weights that this repository makes itself, after they were made anew.

    Raises:
        DemixError: A file of the system is missing, or the manifest cannot be rewritten.
    """
    manifest = manifest or weights.MANIFEST
    facts = {}
    for weight in weights.weight_files(system, manifest):
        path = folder / weight.file
        digest = weights.sha256_of(path)
        header = f'[{system}."{weight.file}"]'
        facts[header] = [f"bytes = {path.stat().st_size}", f'sha256 = "{digest}"']
    lines: list[str] = []
    in_system = False
    for line in manifest.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            in_system = line in facts
            lines += [line, *facts.pop(line, [])]
        elif not (in_system and re.match(r"(bytes|sha256)\s*=", line)):
            lines.append(line)
    if facts:
        raise DemixError(f"{manifest} has no line {next(iter(facts))}: write it in this form")
    part = manifest.with_name(f".{manifest.name}.part")
    try:
        try:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")
            part.replace(manifest)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise DemixError(f"cannot write {manifest}: {error.strerror}") from error
