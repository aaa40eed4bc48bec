"""A list of weights that is written as tests need it, and a folder to fetch into."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from my_submission.errors import DemixError
from my_submission.fetch import fetch

from .server import Server

SIZE = 300_000  # bytes: several blocks of a download


@dataclass
class World:
    """A server, the list of what it has and a folder to fetch into."""

    server: Server
    models: Path
    manifest: Path
    waits_s: list[float] = field(default_factory=list)
    seen: list[tuple[str, int, int | None]] = field(default_factory=list)

    def list_file(
        self, file: str, content: bytes, *lines: str, size: bool = True, system: str = "one"
    ) -> None:
        """Write a file of a system into the list."""
        digest = hashlib.sha256(content).hexdigest()
        text = [f'[{system}."{file}"]', 'licence = "MIT"', *lines]
        if size:
            text.append(f"bytes = {len(content)}")
        if not any(line.startswith("sha256") for line in lines):
            text.append(f'sha256 = "{digest}"')
        with self.manifest.open("a", encoding="utf-8") as sink:
            sink.write("\n".join(text) + "\n")

    def publish(
        self, file: str, content: bytes, *lines: str, size: bool = True, system: str = "one"
    ) -> None:
        """Put a file on the server and into the list."""
        self.server.files[f"/published/{file}"] = content
        url = f'url = "{self.server.url}/published/{file}"'
        self.list_file(file, content, url, *lines, size=size, system=system)

    def publish_zip(self, members: Mapping[str, bytes], archive: bytes | None = None) -> None:
        """Put an archive on the server, and the files in it (by path there) into the list."""
        self.server.files["/published/nets.zip"] = archive or zip_of(members)
        for path, content in members.items():
            url = f'url = "{self.server.url}/published/nets.zip"'
            name = Path(path).name
            self.list_file(name, content, url, f'zip_member = "{name}"')

    def fetch(self, base_url: str | None = None) -> list[Path]:
        """Fetch the system, without real waits."""
        return fetch(
            "one",
            self.models,
            base_url=base_url,
            progress=lambda *step: self.seen.append(step),
            manifest=self.manifest,
            sleep=self.waits_s.append,
        )

    def refused(self) -> str:
        """Fetch in vain, and give the error's line."""
        with pytest.raises(DemixError) as error:
            self.fetch()
        assert "\n" not in str(error.value)
        return str(error.value)

    @property
    def folder(self) -> Path:
        """Where the files of the system go."""
        return self.models / "one"

    @property
    def names(self) -> set[str]:
        """What lies there."""
        return {path.name for path in self.folder.iterdir()}

    def leave_part(self, name: str, content: bytes) -> None:
        """Leave what an earlier fetch had got before it was stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f".{name}.part").write_bytes(content)


def zip_of(members: Mapping[str, bytes]) -> bytes:
    """Pack an archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            archive.writestr(path, content)
    return buffer.getvalue()
