"""The page of a run: its songs in a table that can be sorted, and how they were made."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from evaluator.aggregation import (
    Values,
    average,
    counted,
    kind_of_average,
    mean_over_stems,
)
from evaluator.origins import HASH, dates, remarks, told, union, values_of
from evaluator.report_page.html import clock, data, decibels, facts, page, text, title
from evaluator.runs import METRICS, Run, Song, places
from evaluator.sound import STEMS

COLUMNS = (*STEMS, "mean")
FLOOR = "no separation"
CEILING = "ideal masks"
SUMMARIES = (
    "No separation: a quarter of the mixture as every stem. Ideal masks: ratio masks made from the "
    "references, a usual oracle but no upper bound. Both are of the songs that are counted above."
)


def index_page(run: Run, addresses: dict[str, str]) -> str:
    """Make the page.

    Args:
        run: what it shows.
        addresses: relative address of each song's page.
    """
    values = [song.values for song in run.songs]
    used = [metric for metric in METRICS if average(metric, values) is not None]
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
    days = dict.fromkeys(date.partition(" ")[0] for date in dates(run.origins).split(" to "))
    parts = [
        counted(len(run.songs), len(run.songs)),
        *sorted({song.subset for song in run.songs if song.subset}),
        *values_of(run.origins, "split"),
        "–".join(days),
    ]
    return " · ".join(filter(None, parts))


def _notices(run: Run) -> str:
    notices = [_warning(warning) for warning in (*run.warnings, *run.stale)]
    notices += [f'<p class="notice">{text(remark)}</p>' for remark in remarks(run.origins)]
    unscored = [song.title for song in run.songs if not song.scores]
    if unscored:
        notices.append(f'<p class="notice">Without scores: {text(", ".join(unscored))}.</p>')
    return "\n".join(notices)


def _warning(warning: str) -> str:
    return f'<p class="notice warning" role="note">{text(warning)}</p>'


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
        f"{title(song.title)}</a>{_badges(song)}</th>{_cells(song.scores, metric)}</tr>"
        for number, song in enumerate(run.songs)
    )
    feet = "\n".join(
        f'<tr data-row="{name}"><th scope="row">{text(label)}</th>{_cells(values, metric)}</tr>'
        for name, (label, values) in _summaries(run, metric).items()
    )
    # Part of the table, so that who copies it takes them along.
    feet += "".join(
        f'\n<tr><th scope="row" colspan="{len(COLUMNS) + 1}" class="said">{text(warning)}</th></tr>'
        for warning in run.warnings
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


def _badges(song: Song) -> str:
    found = []
    if song.warning:
        found.append(("heard in training", song.warning))
    if song.degradations:
        found.append(("degraded", "Parts of it were left out for want of time"))
    return "".join(
        f' <span class="badge" title="{text(why)}">{text(what)}</span>' for what, why in found
    )


def _cells(values: Values, metric: str) -> str:
    return "".join(
        f'<td data-column="{column}">{decibels(value)}</td>'
        for column, value in _with_mean(values, metric).items()
    )


def _summaries(run: Run, metric: str) -> dict[str, tuple[str, Values]]:
    """Give the rows below the songs, by their keys: how they are called, and their scores."""
    found = average(metric, [song.values for song in run.songs])
    if found is None:
        return {}
    rows = {"average": (f"{kind_of_average(metric)} of {found.count}", found.scores)}
    if any(song.floor for song in run.songs):
        rows["floor"] = (FLOOR, found.floor)
    if any(song.ceiling for song in run.songs):
        rows["ceiling"] = (CEILING, found.ceiling)
    return {
        name: (label, {stem: {metric: score} for stem, score in scores.items()})
        for name, (label, scores) in rows.items()
    }


def _document(run: Run, metrics: Sequence[str]) -> dict[str, Any]:
    """Give what the table's script needs to show another metric, or another order."""
    return {
        "metrics": {
            metric: {
                "songs": [_with_mean(song.scores, metric) for song in run.songs],
                "rows": {
                    name: {"label": label, **_with_mean(values, metric)}
                    for name, (label, values) in _summaries(run, metric).items()
                },
            }
            for metric in metrics
        },
    }


def _with_mean(values: Values, metric: str) -> dict[str, float | None]:
    of_stems = {stem: values.get(stem, {}).get(metric) for stem in STEMS}
    return {**of_stems, "mean": mean_over_stems(values, metric)}


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
    known = union(run.origins)
    hashes = {label: values for label, values in known.items() if label.startswith(HASH)}
    seconds = [song.separation_seconds for song in run.songs if song.separation_seconds is not None]
    depths = [song.null_depth_db for song in run.songs if song.null_depth_db is not None]
    pairs = facts(
        [
            ("Songs from", told(places(run.songs)) or None),
            *((label, told(known[label])) for label in known if label not in hashes),
            ("Date", dates(run.origins)),
            ("Time to separate", f"{sum(seconds):.1f} s" if seconds else None),
            (
                "Null depth",
                f"{decibels(fmean(depths))} dB: how far below the mixture lies what the stems' sum "
                "leaves of it, on average"
                if depths
                else None,
            ),
        ]
    )
    files = "\n".join(
        f"<tr><th scope='row'>{text(label.removeprefix(HASH))}</th>"
        f"<td><code>{text(told(values))}</code></td></tr>"
        for label, values in hashes.items()
    )
    table = (
        "<h3>Weights</h3>\n"
        '<table class="weights"><thead><tr><th scope="col">file</th><th scope="col">SHA-256</th>'
        f"</tr></thead><tbody>\n{files}\n</tbody></table>"
    )
    return f"<section><h2>The run</h2>\n{pairs}\n{table if files else ''}</section>"
