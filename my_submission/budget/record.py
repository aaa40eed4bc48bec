"""What a budget did with a song, for a log line and a JSON file beside the stems."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from my_submission.audio.atomic import OutputFiles
from my_submission.budget.ladder import STEPS, Step
from my_submission.budget.song_run import SongRun
from my_submission.stems import SAMPLE_RATE, STEMS, Stem

FIXED_SPLIT = "a fixed split of the mixture"
SILENCE = "silence, for there was no time to write more"


@dataclass(frozen=True)
class Degraded:
    """A stretch of the song that is not the whole recipe's.

    Attributes:
        start: Seconds of the song.
        stop: Likewise.
        step: Of the ladder.
        stems: Those that it is about.
        detail: What is different.
    """

    start: float
    stop: float
    step: Step
    stems: list[Stem]
    detail: str


@dataclass(frozen=True)
class Record:
    """How a song was separated within its time.

    Attributes:
        system: Its name.
        song_seconds: The song's length.
        limit_seconds: That were allowed.
        planned_seconds: That the first plan foresaw, from the start to the last file.
        used_seconds: That it took.
        step: The lowest step of the ladder that was taken.
        degraded: Where; empty for ``full``.
        pace: How many times longer the last passes took than when they were measured.
        revisions: Each change of the plan: seconds since the start, and the step.
        incidents: What went wrong with the process that runs the networks.
    """

    system: str
    song_seconds: float
    limit_seconds: float
    planned_seconds: float
    used_seconds: float
    step: Step
    degraded: list[Degraded]
    pace: float
    revisions: list[tuple[float, Step]]
    incidents: list[str]

    @classmethod
    def of(
        cls,
        run: SongRun,
        *,
        system: str,
        limit_seconds: float,
        began: float,
        writing: float,
        sound_seconds: float | None = None,
        incidents: list[str],
    ) -> "Record":
        """Sum up a run.

        Args:
            run: It is over.
            system: Name of the system.
            limit_seconds: The song's.
            began: When the song did, on the run's clock.
            writing: Seconds that writing the stems was expected to take.
            sound_seconds: From when on the files are silent because it was late.
            incidents: See `Record`.
        """
        first_at, first = run.plans[0] if run.plans else (began, None)
        degraded = degraded_stretches(run)
        if sound_seconds is not None:
            end = round(run.num_samples / SAMPLE_RATE, 3)
            start = min(round(sound_seconds, 3), end)
            degraded.append(Degraded(start, end, STEPS[-1], list(STEMS), SILENCE))
        return cls(
            system=system,
            song_seconds=round(run.num_samples / SAMPLE_RATE, 3),
            limit_seconds=limit_seconds,
            planned_seconds=round(first_at - began + (first.seconds if first else 0) + writing, 3),
            used_seconds=round(run.clock() - began, 3),
            step=degraded[-1].step if degraded else "full",
            degraded=degraded,
            pace=round(run.pace.passes, 3),
            revisions=[(round(at - began, 3), plan.step) for at, plan in run.plans],
            incidents=list(incidents),
        )

    def line(self) -> str:
        """Say it on one line."""
        text = (
            f"step {STEPS.index(self.step) + 1} of {len(STEPS)}, {self.step}: planned "
            f"{self.planned_seconds:.1f} s, used {self.used_seconds:.1f} of "
            f"{self.limit_seconds:g} s"
        )
        if self.degraded:
            worst = self.degraded[-1].detail
            parts = [part for part in self.degraded if part.detail == worst]
            seconds = sum((part.stop - part.start) * len(part.stems) for part in parts)
            whole = self.song_seconds * len(STEMS)
            share = seconds / whole if whole else 1.0  # a song of a few samples
            text += f"; {worst}: {100 * share:.0f} % of the stems"
        return "; ".join([text, *self.incidents])

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all.

        Raises:
            DemixError: It cannot be written.
        """
        files = OutputFiles({"record": path})
        try:
            files.create()["record"].write_text(json.dumps(asdict(self), indent=2) + "\n")
            files.commit()
        finally:
            files.discard()


def degraded_stretches(run: SongRun) -> list[Degraded]:
    """List what of a song is not the whole recipe's, in the order of the ladder and of time."""
    found: list[Degraded] = []

    def note(span: range, step: Step, detail: str, stems: Sequence[Stem] = STEMS) -> None:
        start, stop = (round(place / SAMPLE_RATE, 3) for place in (span.start, span.stop))
        found.append(Degraded(start, stop, step, list(stems), detail))

    estimates = run.estimates
    for part in estimates.parts:
        for stretch in part.stretches:
            span = range(stretch.start, stretch.stop)
            if stretch.max_overlap < 1:
                note(span, "overlap", f"Demucs with an overlap of {stretch.max_overlap}")
            if stretch.is_fast:
                note(span, "fast", "low precision")
    without_all = estimates.base.uncovered() if estimates.base is not None else []
    for stem, coverage in estimates.alone.items():
        for stretch in coverage.stretches:
            for gap in without_all:
                span = range(max(stretch.start, gap.start), min(stretch.stop, gap.stop))
                if not span:
                    continue
                if stretch.is_fast:
                    note(span, "fast", "low precision", [stem])
                note(span, "split", "estimated alone, without what improves all stems", [stem])
    if estimates.tfc_tdf is not None and estimates.demucs is not None:
        for gap in estimates.demucs.uncovered():
            note(gap, "part" if estimates.demucs.stretches else "tfc_tdf", "TFC-TDF alone")
    gaps: dict[tuple[int, int], list[Stem]] = {}
    for stem in STEMS:
        for gap in estimates.uncovered(stem):
            gaps.setdefault((gap.start, gap.stop), []).append(stem)
    for (start, stop), lacking in gaps.items():
        note(range(start, stop), "split", FIXED_SPLIT, lacking)
    # What is split comes last: it is what is lacking most.
    return sorted(
        found,
        key=lambda part: (STEPS.index(part.step), part.detail == FIXED_SPLIT, part.start),
    )
