"""The voice bank: spoken phrases of free speech synthesizers, analysed and cut into phones.

The synthesizers are separate programs. Each voice speaks its phrases once; the analysis is kept in
a cache folder, one file per voice, and is the same on every machine with the same packages.
"""

import hashlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile
from numpy.random import Generator, default_rng

from my_submission.errors import DemixError
from training.synthesis.catalogue import Voice
from training.synthesis.draw import chance, pick
from training.synthesis.world import Analysis, analyse

BANK_VERSION = 2
PHRASES = 16
STRETCH = 1.25  # slower speech has longer vowels to sing on

PhoneKind = Literal["silence", "consonant", "vowel"]
KINDS: tuple[PhoneKind, ...] = ("silence", "consonant", "vowel")

WORDS = """
love you me night day time away baby tonight never ever always fire water river sky heart soul
mind dream light dark shadow stone gold rain summer winter morning running falling calling
waiting burning turning breaking taking holding only lonely home alone alive world girl boy mama
money honey sunny funny follow hollow tomorrow sorrow hello below slow go know show the a and in
on to my your our we they she he will can could would I oh yeah feel real steal wheel deal easy
crazy lazy maybe lady road side wide ride hide inside wild child mile smile again begin within
forever together whatever remember surrender tender thunder under wonder over lover power hour
flower dancing singing swinging moving losing choosing window yellow silver mirror motion ocean
devotion radio city pretty sister brother people garden letter number station island mountain
valley
""".split()
CONSONANTS = tuple("mnlrtkpsdvbfgj")
VOWELS = tuple("aeiou")

ENGLISH_VOWELS = frozenset("aa ae ah ao aw ax axr ay eh el em en er ey ih iy ow oy uh uw".split())
SILENCES = frozenset(("pau", "#", "_", "", "brth", "h#", "_:", "sil"))

DUMP_PHONES = """(define (dump utterance file)
  (let ((out (fopen file "w")))
    (mapcar (lambda (phone) (format out "%s %f\\n" (item.name phone) (item.feat phone "end")))
            (utt.relation.items utterance 'Segment))
    (fclose out)))
"""


@dataclass(frozen=True)
class Phone:
    """A piece of a phrase, in seconds."""

    start: float
    end: float
    kind: PhoneKind


@dataclass(frozen=True)
class Phrase:
    """A spoken phrase, mono float32 `[samples]` and analysed, at the rate of its voice."""

    sample_rate: int
    speech: npt.NDArray[np.float32]
    analysis: Analysis
    phones: tuple[Phone, ...]


def default_cache() -> Path:
    """Give the user's cache folder for voice banks."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "demix-synthesis"


def build_bank(
    voices: Sequence[Voice], cache: Path, say: Callable[[str], None], *, phrases: int = PHRASES
) -> None:
    """Let each voice speak, and keep the analysis of what it said; voices in the cache stay.

    Raises:
        DemixError: A speech synthesizer fails.
    """
    cache.mkdir(parents=True, exist_ok=True)
    for voice in voices:
        path = bank_path(cache, voice.name)
        if path.exists():
            continue
        say(f"voice {voice.name}: {phrases} phrases")
        _write_bank(path, _speak(voice, phrases))


def bank_path(cache: Path, name: str) -> Path:
    """Give the file in which the phrases of a voice are kept."""
    return cache / f"{name}.v{BANK_VERSION}.npz"


@lru_cache(maxsize=6)
def load_voice(path: Path) -> tuple[Phrase, ...]:
    """Load the phrases of a voice.

    Args:
        path: As given by `bank_path`.
    """
    with np.load(path, allow_pickle=False) as bank:
        return tuple(
            Phrase(
                int(bank[f"rate_{number}"]),
                bank[f"speech_{number}"].astype(np.float32) / np.float32(32767),
                Analysis(
                    bank[f"f0_{number}"],
                    bank[f"envelope_{number}"].astype(np.float32),
                    bank[f"aperiodicity_{number}"].astype(np.float32),
                ),
                tuple(
                    Phone(float(start), float(end), KINDS[int(kind)])
                    for start, end, kind in bank[f"phones_{number}"]
                ),
            )
            for number in range(int(bank["phrases"]))
        )


def _write_bank(path: Path, phrases: Sequence[Phrase]) -> None:
    arrays = {"phrases": np.array(len(phrases))}
    for number, phrase in enumerate(phrases):
        arrays[f"rate_{number}"] = np.array(phrase.sample_rate)
        arrays[f"speech_{number}"] = np.round(phrase.speech * 32767).astype(np.int16)
        arrays[f"f0_{number}"] = phrase.analysis.f0
        arrays[f"envelope_{number}"] = phrase.analysis.log_envelope.astype(np.float16)
        arrays[f"aperiodicity_{number}"] = phrase.analysis.aperiodicity.astype(np.float16)
        arrays[f"phones_{number}"] = np.array(
            [(phone.start, phone.end, KINDS.index(phone.kind)) for phone in phrase.phones]
        )
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        temporary = Path(file.name)
        try:
            np.savez(file, allow_pickle=False, **arrays)
        except BaseException:
            temporary.unlink()
            raise
    temporary.replace(path)


def _speak(voice: Voice, count: int) -> list[Phrase]:
    digest = hashlib.sha256(voice.name.encode()).digest()
    rng = default_rng(int.from_bytes(digest[:8], "little"))
    texts = [_english(rng) if voice.phones == "english" else _syllables(rng) for _ in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        speak = _flite if voice.engine == "flite" else _festival
        return [
            _phrase(path, _phones(labels, voice))
            for path, labels in speak(voice, texts, Path(folder))
        ]


def _phrase(path: Path, phones: tuple[Phone, ...]) -> Phrase:
    speech, rate = soundfile.read(path, dtype="float64")
    return Phrase(rate, speech.astype(np.float32), analyse(speech, rate), phones)


def _english(rng: Generator) -> str:
    return " ".join(pick(rng, WORDS) for _ in range(int(rng.integers(5, 9))))


def _syllables(rng: Generator) -> str:
    def word() -> str:
        syllables = []
        for _ in range(pick(rng, (1, 2, 2, 3))):
            coda = pick(rng, tuple("nrls")) if chance(rng, 0.15) else ""
            syllables.append(pick(rng, CONSONANTS) + pick(rng, VOWELS) + coda)
        return "".join(syllables)

    return " ".join(word() for _ in range(int(rng.integers(4, 7))))


Labels = list[tuple[str, float]]
"""Phones with the seconds at which they end."""


def _flite(voice: Voice, texts: Sequence[str], folder: Path) -> list[tuple[Path, Labels]]:
    name = voice.name.removeprefix("flite_")
    spoken = []
    for number, text in enumerate(texts):
        path = folder / f"{number}.wav"
        options = ["-voice", name, "-psdur", "--setf", f"duration_stretch={STRETCH}"]
        output = _run(voice, ["flite", *options, "-t", text, "-o", str(path)])
        labels = [part.rsplit(":", 1) for part in output.split()]
        spoken.append((path, [(phone, float(end)) for phone, end in labels]))
    return spoken


def _festival(voice: Voice, texts: Sequence[str], folder: Path) -> list[tuple[Path, Labels]]:
    name = voice.name.removeprefix("festival_")
    script = [DUMP_PHONES, f"(voice_{name})", f"(Parameter.set 'Duration_Stretch {STRETCH})"]
    for number, text in enumerate(texts):
        script.append(
            f'(let ((u (utt.synth (Utterance Text "{text}"))))'
            f' (utt.save.wave u "{folder}/{number}.wav") (dump u "{folder}/{number}.lab"))'
        )
    (folder / "speak.scm").write_text("\n".join(script))
    _run(voice, ["festival", "-b", str(folder / "speak.scm")])
    spoken = []
    for number in range(len(texts)):
        lines = (folder / f"{number}.lab").read_text().splitlines()
        labels = [line.rsplit(" ", 1) for line in lines]
        spoken.append((folder / f"{number}.wav", [(phone, float(end)) for phone, end in labels]))
    return spoken


def _run(voice: Voice, command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        reason = re.sub(r"\s+", " ", result.stderr).strip()
        raise DemixError(
            f"{command[0]} could not speak as {voice.name} ({reason[:200]}): "
            f"apt-get install --reinstall {voice.package}"
        )
    return result.stdout


def _phones(labels: Labels, voice: Voice) -> tuple[Phone, ...]:
    phones = []
    start = 0.0
    for name, end in labels:
        if name in SILENCES:
            kind: PhoneKind = "silence"
        elif voice.phones == "english":
            kind = "vowel" if name in ENGLISH_VOWELS else "consonant"
        else:
            kind = "vowel" if name[:1] in "aeiouyAEIOUV@" else "consonant"
        if end > start:
            phones.append(Phone(start, end, kind))
            start = end
    return tuple(phones)
