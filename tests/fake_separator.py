"""`demix evaluate` with a separator that takes no time, for its tests."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
import soundfile
import typer
from typer.testing import CliRunner, Result

from evaluator.commands import register
from my_submission.compute import Compute
from my_submission.errors import DemixError
from tests.song_folders import write_wav


class FakeSeparator:
    """Gives a quarter of the mixture as every stem; refuses songs whose name says so."""

    compute = Compute()
    made: ClassVar[list[tuple[str, dict[str, Any]]]]
    separated: ClassVar[list[str]]

    def __init__(self, system: str, **options: Any) -> None:
        if system == "none_such":
            raise DemixError("none_such is no system")
        options.pop("say")
        self.made.append((system, options))

    def separate_to_files(
        self,
        path: Path,
        paths: Mapping[str, Path],
        *,
        source_rate: bool,
        progress: Callable[[int, int], None],
        say: Callable[[str], None],
    ) -> None:
        assert source_rate  # or the stems would not fit the references
        say(f"reading [{path.parent.name}]")
        if "broken" in path.parent.name:
            raise DemixError(f"{path} is broken")
        mixture, rate = soundfile.read(path)
        progress(len(mixture), len(mixture))
        for stem_path in paths.values():
            write_wav(stem_path, mixture / 4, rate)
        self.separated.append(path.parent.name)


def invoke(*arguments: str | Path) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(name="separator")
def fake_separator(monkeypatch: pytest.MonkeyPatch) -> type[FakeSeparator]:
    """Put the fake in the separator's place."""
    monkeypatch.delenv("DEMIX_MODELS", raising=False)
    monkeypatch.setattr(FakeSeparator, "made", [], raising=False)
    monkeypatch.setattr(FakeSeparator, "separated", [], raising=False)
    monkeypatch.setattr("my_submission.separator.Separator", FakeSeparator)
    return FakeSeparator
