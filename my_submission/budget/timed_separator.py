"""`TimedSeparator`: four stems before the limit, as good as the time allows."""

import math
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from my_submission.audio import open_song
from my_submission.audio.output import FLOAT_WAV, OutputFormat
from my_submission.budget.file_costs import FileCosts, measure_files
from my_submission.budget.finishing import margin
from my_submission.budget.ladder import Plan, make_plan
from my_submission.budget.messages import Ready, Task
from my_submission.budget.networks import Networks
from my_submission.budget.pace import Pace
from my_submission.budget.record import Record
from my_submission.budget.song_copy import SongCopy
from my_submission.budget.song_run import PLANNED_SHARE, PLENTY, SongRun
from my_submission.budget.worker_process import WorkerDiedError
from my_submission.budget.writing import write_stems
from my_submission.costs import Costs
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE

RESTARTS = 1
"""Times that a song goes on with a new worker where one has died."""

LONG_SET_UP = 3600.0
"""Seconds that loading may take where nobody has set a limit."""


class TimedSeparator:
    """Separates songs within a time limit, with the networks in a process of their own.

    A context manager. That process ends with this one, whatever ends this one.

    Args:
        task: What to run, and how.
        say: Gets a line for everything that the user should know.
    """

    def __init__(self, task: Task, *, say: Callable[[str], None]) -> None:
        self._task, self._say = task, say
        self._networks = Networks(task, say)
        self._files: dict[OutputFormat, FileCosts] = {}

    def set_up(self, fmt: OutputFormat = FLOAT_WAV, seconds: float = LONG_SET_UP) -> None:
        """Load the networks, and measure what they and writing cost.

        Args:
            fmt: Format of the files to come; any other is measured when the first song wants it.
            seconds: After which it returns all the same; songs then wait for the networks.

        Raises:
            DemixError: The system cannot be loaded.
        """
        until = time.monotonic() + seconds
        try:
            self.file_costs(fmt)  # before the networks are loaded, which keeps all cores busy
            self._networks.start(is_fast=False)
            if self._networks.ready(until) is None:
                self._say(f"{self._task.system} is not loaded after {seconds:.0f} s: songs wait")
        except WorkerDiedError as error:
            how = self._networks.end()
            raise DemixError(
                f"the process that loads {self._task.system} was {str(error) or how}: "
                "it may need more memory than there is"
            ) from error

    @property
    def is_set_up(self) -> bool:
        """Whether the networks have been loaded and measured."""
        return False in self._networks.known

    @property
    def costs(self) -> Costs:
        """What the networks cost.

        Raises:
            ValueError: It has not been set up.
        """
        if not self.is_set_up:
            raise ValueError("set_up comes first")
        return self._networks.known[False].costs

    def file_costs(self, fmt: OutputFormat) -> FileCosts:
        """Give what files of a format cost, measured when it is first asked for."""
        if fmt not in self._files:
            self._files[fmt] = measure_files(fmt)
        return self._files[fmt]

    def forecast(self, num_samples: int, limit: float) -> Plan:
        """Plan a song of which a WAV file is read and float32 WAV files are written.

        Args:
            num_samples: The song's length.
            limit: Seconds for it.

        Returns:
            The plan; its `seconds` are those of the song from the start to the last file.

        Raises:
            ValueError: It has not been set up.
        """
        files = self.file_costs(FLOAT_WAV)
        opening = num_samples * files.opening
        latest = files.finishing(num_samples, limit).latest(
            limit - margin(limit), 0, Pace(lambda: opening)
        )
        plan = make_plan(
            num_samples,
            num_samples,
            PLANNED_SHARE * (latest - opening),
            self.costs,
            self._networks.fast_costs(self._networks.known[False]),
        )
        return replace(plan, seconds=opening + plan.seconds + files.writing_song(num_samples))

    def separate_to_files(
        self,
        path: Path | str,
        paths: Mapping[str, Path],
        seconds: float,
        *,
        fmt: OutputFormat = FLOAT_WAV,
        source_rate: bool = False,
        progress: Callable[[int, int], None] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Record:
        """Separate a song from file to files, before so many seconds have passed.

        The files appear together, or not at all where this raises. After them comes
        ``SONG.budget.json`` in the first one's folder, which tells how they came about.

        Args:
            path: The song.
            paths: File by name of what is wanted, as `Separator.separate_to_files` takes it.
            seconds: The limit.
            fmt: Format of the files.
            source_rate: Write at the song's own sample rate and length instead of 44.1 kHz.
            progress: Called with samples done and in all.
            say: Instead of the separator's own.

        Raises:
            DemixError: The song cannot be read or separated, or a file cannot be written.
        """
        began = time.monotonic()
        say = say or self._say
        path = Path(path)
        incidents: list[str] = []
        with ExitStack() as stack:
            copy = stack.enter_context(SongCopy())
            song = stack.enter_context(open_song(path, say=say, copy=copy))
            num_samples = copy.num_samples
            files = self.file_costs(fmt)
            replaces = any(file.exists() for file in paths.values())
            finishing = files.finishing(num_samples, seconds, replaces=replaces)
            deadline = began + seconds - margin(seconds)
            is_tight = time.monotonic() > finishing.tight_from(deadline)
            is_tight = is_tight or not self._is_plenty(num_samples, deadline)
            own = self._networks.probe() if is_tight else 1.0
            run = SongRun(
                copy.sound,
                num_samples,
                copy.loudness,
                deadline=deadline,
                finishing=finishing,
                clock=time.monotonic,
                pace=Pace(time.monotonic, self._networks.probe, own=own),
                progress=progress,
            )
            stack.callback(run.close)
            stack.callback(self._networks.resume)
            try:
                self._compute(run, incidents)
            except BaseException:
                # What has been half said is not to be taken up by the next song.
                self._networks.replace()
                raise
            self._networks.make_ready()
            sound_seconds = write_stems(
                run,
                copy,
                paths,
                fmt,
                sample_rate=song.source_rate if source_rate else SAMPLE_RATE,
                out_samples=song.source_samples if source_rate else num_samples,
                say=say,
            )
            record = Record.of(
                run,
                system=self._task.system,
                limit_seconds=seconds,
                began=began,
                writing=files.writing_song(num_samples),
                sound_seconds=sound_seconds,
                incidents=incidents,
            )
        try:
            record.write(next(iter(paths.values())).parent / f"{path.stem}.budget.json")
        except DemixError as error:  # the stems are there: they count more
            say(f"not written: {error}")
        say(f"{path.name}: {record.line()}")
        return record

    def close(self) -> None:
        """End the networks' process."""
        self._networks.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _compute(self, run: SongRun, incidents: list[str]) -> None:
        """Let the worker run what there is time for; start another where it dies."""
        if self._networks.workers and self._networks.is_fast and self._has_time_for_exact(run):
            self._networks.replace()
        while time.monotonic() < run.latest:
            is_measured = self._networks.present is None
            try:
                if not self._networks.workers:
                    self._networks.start(self._networks.is_fast)
                ready = self._ready_in(run)
                if ready is None:
                    return
                if is_measured:
                    run.pace.passes = 1.0  # at the machine's present speed
                fast = self._networks.fast_costs(ready)
                if not run.compute(self._networks.workers[0], ready, fast, self._networks.is_fast):
                    return
                self._networks.end()
                self._networks.is_fast = True
            except WorkerDiedError as error:
                how = self._networks.end()
                incidents.append(f"the process that runs the networks was {str(error) or how}")
                self._say(incidents[-1])
                if self._networks.is_fast and is_measured:  # it has never been there
                    self._networks.is_fast = self._networks.can_be_fast = False
                if len(incidents) > RESTARTS:
                    return

    def _has_time_for_exact(self, run: SongRun) -> bool:
        """Tell whether a song after one in low precision can have better, loading included."""
        exact = self.costs.scaled(run.pace.passes)
        left = PLANNED_SHARE * (run.latest - time.monotonic()) - exact.set_up
        return make_plan(run.num_samples, run.num_samples, left, exact).step in ("full", "overlap")

    def _is_plenty(self, num_samples: int, deadline: float) -> bool:
        """Tell whether a song can be planned before it is known how slow the machine is now."""
        if self._networks.present is None:
            return True
        costs = self._networks.present.costs
        whole = make_plan(num_samples, num_samples, math.inf, costs).seconds
        return whole <= PLENTY * (deadline - time.monotonic())

    def _ready_in(self, run: SongRun) -> Ready | None:
        """Wait for the worker while a song's time runs; None where it is not there in time.

        Raises:
            WorkerDiedError: It died, or cannot load what it could before.
        """
        while True:
            try:
                ready = self._networks.ready(min(run.latest, run.probe_at))
            except DemixError as error:
                if not self.is_set_up:
                    raise
                raise WorkerDiedError(f"of no use: {error}") from error
            if ready is not None or time.monotonic() >= run.latest:
                return ready
            run.pace.look()
