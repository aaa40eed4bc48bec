"""The page of a run: its songs in a table that can be sorted, and how they were made."""

from collections.abc import Callable, Sequence
from statistics import fmean, median
from typing import Any

from evaluator.report_page.html import clock, data, decibels, facts, page, text, title
from evaluator.runs import METRICS, Run, Song, Values, mean_over_stems
from evaluator.sound import STEMS

COLUMNS = (*STEMS, "mean")
FLOOR = "no separation"
CEILING = "ideal masks"
SUMMARIES = (
    "No separation: a quarter of the mixture as every stem. Ideal masks: ratio masks made from the "
    "references, a usual oracle but no upper bound."
)


def index_page(run: Run, addresses: dict[str, str]) -> str:
    """Make the page.

    Args:
        run: what it shows.
        addresses: relative address of each song's page.
    """
    used = [m for m in METRICS if any(m in v for s in run.songs for v in s.scores.values())]
    metric = used[0] if used else next(iter(METRICS))
    body = f"""<header class="top">
<h1>{text(run.system)}</h1>
<p class="quiet">{text(_subtitle(run))}</p>
</header>
<main>
{_notices(run)}
<section aria-labelledby="scores-title">
<div class="heading"><h2 id="scores-title">Scores</h2>
{_chooser(used)}</div>
<p class="quiet" id="sort-hint">In dB; higher is better. A column's name sorts by it.</p>
{_table(run, addresses, metric)}
</section>
{_degradations(run, addresses)}
{_about(run)}
</main>
{data("scores", _document(run, used))}
<noscript><p class="notice">Sorting and other metrics need JavaScript.</p></noscript>"""
    name = f"{run.system}: separated songs"
    return page(name=name, body=body, assets="assets", scripts=["table.js"])


def _subtitle(run: Run) -> str:
    count = f"{len(run.songs)} song{'s' if len(run.songs) != 1 else ''}"
    about = run.about
    day = str(about.get("date") or "").partition("T")[0]
    parts = [count, about.get("subset"), about.get("split"), day]
    return " · ".join(str(part) for part in parts if part)


def _notices(run: Run) -> str:
    notices = []
    if run.about.get("warning"):
        notices.append(f'<p class="notice warning" role="note">{text(run.about["warning"])}</p>')
    if not run.about:
        notices.append(
            '<p class="notice">This run has no <code>run.json</code>: which machine, weights and '
            "options made it is not known. <code>demix evaluate</code> writes one.</p>"
        )
    unscored = [song.title for song in run.songs if not song.scores]
    if unscored:
        notices.append(f'<p class="notice">Without scores: {text(", ".join(unscored))}.</p>')
    return "\n".join(notices)


def _chooser(metrics: Sequence[str]) -> str:
    if not metrics:
        return ""
    options = "".join(f'<option value="{m}">{text(METRICS[m])}</option>' for m in metrics)
    return f'<label class="chooser">Metric <select id="metric">{options}</select></label>'


def _table(run: Run, addresses: dict[str, str], metric: str) -> str:
    heads = "".join(
        f'<th scope="col" data-column="{column}"><button type="button">{column}'
        '<span class="arrow" aria-hidden="true"></span></button></th>'
        for column in ("song", *COLUMNS)
    )
    rows = "\n".join(
        f'<tr data-song="{number}"><th scope="row"><a href="{addresses[song.name]}">'
        f"{title(song.title)}</a>{_badge(song)}</th>{_cells(song.scores, metric)}</tr>"
        for number, song in enumerate(run.songs)
    )
    feet = "\n".join(
        f'<tr data-row="{name}"><th scope="row">{text(label)}</th>{_cells(values, metric)}</tr>'
        for name, (label, values) in _summaries(run).items()
        if any(values.values())
    )
    has_bounds = any(song.floor or song.ceiling for song in run.songs)
    note = f'<p class="quiet">{SUMMARIES}</p>' if has_bounds else ""
    return f"""<div class="scroller" role="region" aria-labelledby="scores-title" tabindex="0">
<table id="songs" aria-describedby="sort-hint">
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
<tfoot>
{feet}
</tfoot>
</table>
</div>
{note}"""


def _badge(song: Song) -> str:
    if not song.degradations:
        return ""
    return ' <span class="badge" title="Parts of it were left out for want of time">degraded</span>'


def _cells(values: Values, metric: str) -> str:
    shown = {stem: values.get(stem, {}).get(metric) for stem in STEMS}
    shown["mean"] = mean_over_stems(values, metric)
    return "".join(
        f'<td data-column="{column}">{decibels(shown[column])}</td>' for column in COLUMNS
    )


def _summaries(run: Run) -> dict[str, tuple[str, Values]]:
    return {
        "mean": ("mean", _over_songs(run, lambda song: song.scores, fmean)),
        "median": ("median", _over_songs(run, lambda song: song.scores, median)),
        "floor": (FLOOR, _over_songs(run, lambda song: song.floor, fmean)),
        "ceiling": (CEILING, _over_songs(run, lambda song: song.ceiling, fmean)),
    }


def _over_songs(
    run: Run, values: Callable[[Song], Values], average: Callable[[list[float]], float]
) -> Values:
    found: dict[str, dict[str, float]] = {}
    for stem in STEMS:
        for metric in METRICS:
            known = [
                score
                for song in run.songs
                if (score := values(song).get(stem, {}).get(metric)) is not None
            ]
            if known:
                found.setdefault(stem, {})[metric] = average(known)
    return found


def _document(run: Run, metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "metrics": {metric: METRICS[metric] for metric in metrics},
        "songs": [_with_means(song.scores, metrics) for song in run.songs],
        "rows": {
            name: _with_means(values, metrics) for name, (_, values) in _summaries(run).items()
        },
    }


def _with_means(values: Values, metrics: Sequence[str]) -> dict[str, dict[str, float | None]]:
    return {
        metric: {
            **{stem: values.get(stem, {}).get(metric) for stem in STEMS},
            "mean": mean_over_stems(values, metric),
        }
        for metric in metrics
    }


def _degradations(run: Run, addresses: dict[str, str]) -> str:
    items = "\n".join(
        f'<li><a href="{addresses[song.name]}">{text(song.title)}</a>: {describe(song)}</li>'
        for song in run.songs
        if song.degradations or song.incidents
    )
    if not items:
        return ""
    return (
        '<section><h2>Left out for want of time</h2><ul class="plain">\n'
        + items
        + "\n</ul></section>"
    )


def describe(song: Song) -> str:
    """Tell in HTML what of a song was left out."""
    told = [
        f"{clock(part.start)}–{clock(part.stop)} {', '.join(part.stems)}: {part.detail} "
        f"(step {part.step})"
        for part in song.degradations
    ]
    return text("; ".join([*told, *song.incidents]))


def _about(run: Run) -> str:
    about = run.about
    machine = _section(about, "machine")
    versions = _section(about, "packages")
    weights = _section(about, "weights")
    memory, cores = machine.get("memory_gb"), machine.get("cores")
    seconds = [song.separation_seconds for song in run.songs if song.separation_seconds is not None]
    depths = [song.null_depth_db for song in run.songs if song.null_depth_db is not None]
    told = facts(
        [
            ("System", run.system),
            ("Songs from", about.get("data")),
            ("Date", str(about.get("date") or "").replace("T", " ")),
            ("demix", about.get("demix")),
            ("Processor", machine.get("processor")),
            ("Cores", cores),
            ("Memory", None if memory is None else f"{memory} GB"),
            ("Operating system", machine.get("system")),
            ("Device", about.get("device")),
            ("Precision", about.get("precision")),
            ("Networks run by", about.get("compute")),
            ("Time to separate", f"{sum(seconds):.1f} s" if seconds else None),
            (
                "Null depth",
                f"{decibels(fmean(depths))} dB: how far below the mixture lies what the stems' sum "
                "leaves of it, on average"
                if depths
                else None,
            ),
            ("Packages", ", ".join(f"{name} {version}" for name, version in versions.items())),
        ]
    )
    files = "\n".join(
        f"<tr><th scope='row'>{text(name)}</th><td><code>{text(digest)}</code></td></tr>"
        for name, digest in weights.items()
    )
    table = (
        "<h3>Weights</h3>\n"
        '<table class="weights"><thead><tr><th scope="col">file</th><th scope="col">SHA-256</th>'
        f"</tr></thead><tbody>\n{files}\n</tbody></table>"
    )
    return f"<section><h2>The run</h2>\n{told}\n{table if files else ''}</section>"


def _section(about: Any, name: str) -> dict[str, Any]:
    found = about.get(name)
    return found if isinstance(found, dict) else {}
