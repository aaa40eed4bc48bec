"""The page of a song: a player, its sounds as pictures, and its scores over time."""

from dataclasses import dataclass

from evaluator.origins import dates
from evaluator.origins import facts as origin_facts
from evaluator.report_page.html import clock, data, decibels, facts, page, text, title
from evaluator.report_page.index_page import describe
from evaluator.report_page.keys import keys
from evaluator.report_page.pictures import (
    COLORS,
    COLUMNS,
    HEIGHT,
    HIGHEST_HZ,
    LOWEST_HZ,
    RANGE_DB,
    Scale,
)
from evaluator.report_page.sounds import ESTIMATE, MIXTURE, PAD_SECONDS, PIECE_SECONDS, REFERENCE
from evaluator.runs import METRICS, STALE, Song
from evaluator.sound import STEMS

FRAMES_BY_MUSEVAL = "museval's SDR (BSSEval v4)"
FRAMES_BY_SECOND = "SDR of each second, by the challenge's formula (museval's frames are not there)"

SCALES = (
    f"The waveforms of a stem have one scale. Spectrograms go from {LOWEST_HZ:.0f} Hz to "
    f"{HIGHEST_HZ / 1000:.0f} kHz and {RANGE_DB:.0f} dB down from the loudest spot of the song."
)


@dataclass(frozen=True)
class Material:
    """What was made of a song for its page.

    Attributes:
        folder: of its pictures and sound, relative to the page.
        seconds: length.
        rate: of the sounds as they are played, in Hz.
        sounds: names of what can be heard.
        pieces: number of the scripts that hold it.
        scale: of the plot over time; None where there is none.
        frames_by: one of the two constants above.
    """

    folder: str
    seconds: float
    rate: int
    sounds: tuple[str, ...]
    pieces: int
    scale: Scale | None
    frames_by: str


@dataclass(frozen=True)
class Neighbours:
    """Addresses of the pages before and after; None at the ends."""

    previous: str | None
    next: str | None


def song_page(song: Song, material: Material, neighbours: Neighbours, *, system: str) -> str:
    """Make the page."""
    tracks = [name for name in (MIXTURE, *STEMS) if _sources(name, material)]
    has_references = any(sound.endswith(REFERENCE) for sound in material.sounds)
    missing = (
        ""
        if has_references
        else '<p class="notice">The references are not where they were when the song was scored: '
        "only the estimates are here.</p>"
    )
    body = f"""<header class="top">
<nav aria-label="Songs"><a href="../index.html">All songs</a>{_step(neighbours)}</nav>
<h1>{title(song.title)}</h1>
<p class="quiet">{text(system)} · {clock(material.seconds)}</p>
</header>
<main>
{_warning(song)}{missing}{_degraded(song)}
<section class="player" id="player" aria-label="Player" data-state="paused" tabindex="-1">
{_transport(material, has_references)}
{keys()}
{_over_time(material)}
<ol class="tracks">
{chr(10).join(_track(name, song, material) for name in tracks)}
</ol>
<p class="quiet">{SCALES}</p>
</section>
{_scores(song)}
{_facts(song)}
{_origin(song)}
</main>
{data("settings", _settings(material))}
<noscript><p class="notice">The player needs JavaScript.</p></noscript>"""
    return page(
        name=f"{song.title} · {system}",
        body=body,
        assets="../assets",
        scripts=["sound.js", "player.js"],
    )


def _settings(material: Material) -> dict[str, object]:
    return {
        "folder": material.folder,
        "seconds": material.seconds,
        "rate": material.rate,
        "pieces": material.pieces,
        "pieceSeconds": PIECE_SECONDS,
        "padSeconds": PAD_SECONDS,
    }


def _step(neighbours: Neighbours) -> str:
    steps = (("prev", "Previous", neighbours.previous), ("next", "Next", neighbours.next))
    return "".join(
        f' <a rel="{rel}" href="{address}">{label}</a>' for rel, label, address in steps if address
    )


def _transport(material: Material, has_references: bool) -> str:
    switch = (
        '<div class="switch" role="group" aria-label="What plays of all stems">'
        f'<button type="button" data-all="{ESTIMATE}">All estimates</button>'
        f'<button type="button" data-all="{REFERENCE}">All references</button></div>'
        if has_references
        else ""
    )
    return f"""<div class="transport">
<button type="button" class="play" id="play" aria-label="Play" aria-keyshortcuts="K">
<svg viewBox="0 0 24 24" aria-hidden="true"><path class="to-play" d="M7 4v16l13-8z"/>
<path class="to-pause" d="M6 4h4.5v16H6zM13.5 4H18v16h-4.5z"/></svg></button>
<span id="time" class="time">0:00</span>
<input type="range" id="seek" min="0" max="{material.seconds:.3f}" step="any" value="0"
aria-label="Position" aria-valuetext="0:00 of {clock(material.seconds)}">
<span class="time quiet">{clock(material.seconds)}</span>
{switch}
<p id="status" class="status" role="status"></p>
</div>"""


def _sources(track: str, material: Material) -> list[str]:
    names = [track] if track == MIXTURE else [f"{track}.{kind}" for kind in (ESTIMATE, REFERENCE)]
    return [name for name in names if name in material.sounds]


def _track(track: str, song: Song, material: Material) -> str:
    sources = _sources(track, material)
    score = song.scores.get(track, {}).get("global_sdr")
    told = (
        f'<span class="score">{text(METRICS["global_sdr"])} {decibels(score)} dB</span>'
        if score is not None
        else ""
    )
    lanes = "\n".join(_lane(name, track, song, material) for name in sources)
    muted = "true" if track == MIXTURE else "false"
    return f"""<li class="track" data-track="{track}" style="--stem: {COLORS[track]}">
<div class="controls"><h2>{track}</h2>{told}
<span class="meter" aria-hidden="true"></span>
<button type="button" class="solo" aria-pressed="false" aria-label="Solo {track}">Solo</button>
<button type="button" class="mute" aria-pressed="{muted}" aria-label="Mute {track}">Mute</button>
{_source_switch(track, sources)}</div>
<div class="lanes">
{lanes}
</div>
</li>"""


def _source_switch(track: str, sources: list[str]) -> str:
    if len(sources) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-source="{kind}" '
        f'aria-pressed="{"true" if kind == ESTIMATE else "false"}">{kind}</button>'
        for kind in (ESTIMATE, REFERENCE)
    )
    return f'<div class="switch" role="group" aria-label="What plays of {track}">{buttons}</div>'


def _lane(name: str, track: str, song: Song, material: Material) -> str:
    kind = name.partition(".")[2]
    marks = "".join(
        f'<span class="left-out" style="left: {100 * part.start / material.seconds:.3f}%; '
        f'width: {100 * (part.stop - part.start) / material.seconds:.3f}%"></span>'
        for part in song.degradations
        if kind == ESTIMATE and track in part.stems
    )
    what = f"{kind} of {track}" if kind else "the mixture"
    return f"""<figure class="lane" data-source="{kind or MIXTURE}">
<div class="seekable"><img src="{text(material.folder)}/{name}.webp" width="{COLUMNS}"
height="{HEIGHT}" loading="lazy" alt="Waveform and spectrogram: {what}">{marks}
<span class="playhead"></span></div>
<figcaption>{kind or MIXTURE}</figcaption></figure>"""


def _over_time(material: Material) -> str:
    if material.scale is None:
        return ""
    scale = material.scale
    ticks = "".join(
        f'<span class="tick" style="bottom: {100 * scale.share(tick):.2f}%">{decibels_short(tick)}'
        "</span>"
        for tick in scale.ticks
    )
    legend = "".join(f'<li style="--stem: {COLORS[stem]}">{stem}</li>' for stem in STEMS)
    return f"""<section class="track over-time">
<h2>SDR over time</h2>
<p class="quiet">{text(material.frames_by)}, in dB; gaps where a stem is silent.</p>
<ul class="legend">{legend}</ul>
<div class="seekable plot"><picture>
<source media="(max-width: 700px)" srcset="{text(material.folder)}/sdr-narrow.png">
<img src="{text(material.folder)}/sdr.png" alt="SDR of each stem over time"></picture>{ticks}
<span class="playhead"></span></div>
</section>"""


def decibels_short(value: float) -> str:
    """Show a tick: no decimals."""
    return f"{value:.0f}".replace("-", "−")


def _scores(song: Song) -> str:
    heads = "".join(f'<th scope="col">{stem}</th>' for stem in STEMS)
    rows = [
        (label, {stem: song.scores.get(stem, {}).get(metric) for stem in STEMS})
        for metric, label in METRICS.items()
    ]
    for about, values in (("no separation", song.floor), ("ideal ratio masks", song.ceiling)):
        rows += [
            (f"{METRICS[metric]}: {about}", {s: values.get(s, {}).get(metric) for s in STEMS})
            for metric in METRICS
        ]
    shown = "\n".join(
        f'<tr><th scope="row">{text(label)}</th>'
        + "".join(f"<td>{decibels(values[stem])}</td>" for stem in STEMS)
        + "</tr>"
        for label, values in rows
        if any(value is not None for value in values.values())
    )
    if not shown:
        return ""
    return f"""<section><h2>Scores</h2>
<p class="quiet">In dB.</p>
<table class="scores"><thead><tr><th scope="col">metric</th>{heads}</tr></thead>
<tbody>
{shown}
</tbody></table></section>"""


def _facts(song: Song) -> str:
    depth, seconds = song.null_depth_db, song.separation_seconds
    return facts(
        [
            ("Separated in", None if seconds is None else f"{seconds:.1f} s"),
            ("Null depth", None if depth is None else f"{decibels(depth)} dB"),
            ("Reference", song.reference),
        ]
    )


def _origin(song: Song) -> str:
    if song.origin is None:
        return ""
    pairs = [*origin_facts(song.origin).items(), ("Date", dates([song.origin]))]
    return f"<details><summary>How the stems were made</summary>{facts(pairs)}</details>"


def _warning(song: Song) -> str:
    stale = f"The stems of this song are {STALE}" if song.is_stale else None
    return "".join(
        f'<p class="notice warning" role="note">{text(warning)}</p>'
        for warning in (song.warning, stale)
        if warning is not None
    )


def _degraded(song: Song) -> str:
    if not (song.degradations or song.incidents):
        return ""
    return (
        '<p class="notice warning" role="note">Left out for want of time (hatched below): '
        f"{describe(song)}.</p>"
    )
