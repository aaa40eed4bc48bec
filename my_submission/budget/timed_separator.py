"""`TimedSeparator`: four stems before the limit, as good as the time allows."""

import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from my_submission.audio import Signal, open_song
from my_submission.audio.output import FLOAT_WAV, OutputFormat, StemWriter
from my_submission.audio.scratch import BLOCK_FRAMES
from my_submission.budget.coverage import Loudness
from my_submission.budget.finishing import FinishingCosts, OwnPace, margin, measure_finishing
from my_submission.budget.ladder import Plan, make_plan
from my_submission.budget.messages import Ready, Task
from my_submission.budget.record import Record
from my_submission.budget.shared import SharedSound
from my_submission.budget.song_run import PLANNED_SHARE, SongRun
from my_submission.budget.worker_process import WorkerDiedError, WorkerProcess
from my_submission.costs import Costs
from my_submission.errors import DemixError
from my_submission.stems import SAMPLE_RATE, STEMS
from my_submission.streams import named_output

RESTARTS = 1
"""Times that a song goes on with a new worker where one has died."""

GUESSED_GAIN = 2.0
"""How much faster low precision is taken to be until it has been measured."""

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
        self._workers: list[WorkerProcess] = []  # one at most
        self._is_fast = False
        self._costs: Costs | None = None
        self._fast: Costs | None = None
        self._pace = 1.0
        self._finishing: dict[OutputFormat, FinishingCosts] = {}
        self._measure_own_pace = OwnPace()
        weakref.finalize(self, _end_all, self._workers)

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
            self._start(is_fast=False)
            self._finishing_in(fmt)
            self._measure_own_pace = OwnPace()
            if self._ready(until) is None:
                self._say(f"{self._task.system} is not loaded after {seconds:.0f} s: songs wait")
        except WorkerDiedError as error:
            how = self._end()
            raise DemixError(
                f"the process that loads {self._task.system} was {str(error) or how}: "
                "it may need more memory than there is"
            ) from error

    @property
    def costs(self) -> Costs:
        """What the networks cost.

        Raises:
            ValueError: It has not been set up.
        """
        if self._costs is None:
            raise ValueError("set_up comes first")
        return self._costs

    def forecast(self, num_samples: int, limit: float) -> Plan:
        """Plan a song at the pace that was measured; `seconds` then include writing its stems.

        Args:
            num_samples: The song's length.
            limit: Seconds for it.

        Raises:
            ValueError: It has not been set up.
        """
        ready = self._workers[0].ready if self._workers else None
        costs = self._finishing_in(FLOAT_WAV)
        writing = num_samples * costs.writing
        reserve = costs.of_song(num_samples, limit).seconds(num_missing=0) + margin(limit)
        plan = make_plan(
            num_samples,
            num_samples,
            PLANNED_SHARE * (limit - reserve),
            self.costs,
            None if ready is None else self._fast_costs(ready),
        )
        return replace(plan, seconds=plan.seconds + writing)

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
            song = stack.enter_context(open_song(path, say=say))
            num_samples = song.signal.num_samples
            sound = stack.enter_context(SharedSound.create(2))
            loudness = _copy(song.signal, sound)
            costs = self._finishing_in(fmt)
            finishing = costs.of_song(num_samples, seconds, time.monotonic() - began)
            run = SongRun(
                sound,
                num_samples,
                loudness,
                deadline=began + seconds - margin(seconds),
                finishing=finishing,
                clock=time.monotonic,
                progress=progress,
                pace=self._pace,
                measure_own_pace=self._measure_own_pace,
            )
            stack.callback(run.close)
            stack.callback(self._let_go)
            try:
                self._compute(run, incidents)
            except BaseException:
                # What has been half said is not to be taken up by the next song.
                self._end()
                raise
            self._pace = run.pace
            for worker in self._workers:
                worker.pause()  # the processor is needed for writing
            with StemWriter(
                paths,
                num_samples,
                fmt,
                sample_rate=song.source_rate if source_rate else SAMPLE_RATE,
                out_samples=song.source_samples if source_rate else num_samples,
                say=say,
            ) as writer:
                position = 0
                # Where hardly any time is left, what has no estimate is not split by frequency.
                left = run.deadline - time.monotonic()
                missing = run.estimates.num_missing
                is_enough = finishing.can_split(missing, left, self._measure_own_pace())
                for block in run.assembled(by_frequency=is_enough):
                    mixture = sound.read(position, position + block.shape[-1])
                    stems = dict(zip(STEMS, block, strict=True))
                    writer.write({name: named_output(name, stems, mixture) for name in paths})
                    position += block.shape[-1]
            record = Record.of(
                run,
                system=self._task.system,
                limit_seconds=seconds,
                began=began,
                writing=num_samples * costs.writing,
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
        _end_all(self._workers)

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
        while time.monotonic() < run.latest:
            try:
                if not self._workers:
                    self._start(self._is_fast)
                    run.pace = 1.0  # this one is measured at the machine's present speed
                ready = self._ready(run.latest)
                if ready is None:
                    return
                fast = self._fast_costs(ready)
                if not run.compute(self._workers[0], ready, fast, self._is_fast):
                    return
                self._end()
                self._is_fast = True
            except WorkerDiedError as error:
                how = self._end()
                incidents.append(f"the process that runs the networks was {str(error) or how}")
                self._say(incidents[-1])
                if len(incidents) > RESTARTS:
                    return

    def _finishing_in(self, fmt: OutputFormat) -> FinishingCosts:
        if fmt not in self._finishing:
            self._finishing[fmt] = measure_finishing(fmt)
        return self._finishing[fmt]

    def _fast_costs(self, ready: Ready) -> Costs | None:
        """Give what low precision costs where it is an option that is not taken yet."""
        if not ready.could_be_faster or self._is_fast:
            return None
        return self._fast or replace(
            ready.costs.scaled(1 / GUESSED_GAIN), set_up=ready.costs.set_up
        )

    def _ready(self, until: float) -> Ready | None:
        """Wait until the worker has loaded and ended what it still runs; None if that is late."""
        worker = self._workers[0]
        while worker.ready is None or worker.is_running:
            if worker.event(until - time.monotonic()) is None:
                return None
        if self._is_fast:
            self._fast = worker.ready.costs
        else:
            self._costs = worker.ready.costs
        return worker.ready

    def _start(self, is_fast: bool) -> None:
        self._is_fast = is_fast
        task = replace(self._task, precision="fast") if is_fast else self._task
        self._workers[:] = [WorkerProcess(task, self._say)]
        self._pace = 1.0

    def _end(self) -> str:
        """End the worker; say how it had ended if it had."""
        return _end_all(self._workers)

    def _let_go(self) -> None:
        """Have the worker ready for the next song, as soon as may be."""
        if not self._workers or self._is_fast:
            self._replace()
            return
        worker = self._workers[0]
        worker.resume()
        if not worker.is_running or self._costs is None:
            return
        both = (*self._costs.tfc_tdf, *self._costs.demucs)
        longest = max((cost.seconds_together([1.0] * cost.at_once) for cost in both), default=0.0)
        try:
            if longest > self._costs.set_up:
                raise WorkerDiedError
            worker.stop()
        except WorkerDiedError:
            self._replace()

    def _replace(self) -> None:
        self._end()
        with suppress(WorkerDiedError):  # else the next song tries again
            self._start(is_fast=False)


def _end_all(workers: list[WorkerProcess]) -> str:
    how = "ended"
    while workers:
        how = workers.pop().end()
    return how


def _copy(song: Signal, sound: SharedSound) -> Loudness:
    loudness = Loudness()
    for start in range(0, song.num_samples, BLOCK_FRAMES):
        block = song.read(start, min(start + BLOCK_FRAMES, song.num_samples))
        sound.write(start, block)
        loudness.add(block)
    return loudness
