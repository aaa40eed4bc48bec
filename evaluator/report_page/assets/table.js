// The table of songs: sorted by any column, in any metric.
"use strict";

(() => {
  const scores = JSON.parse(document.getElementById("scores").textContent).metrics;
  const table = document.getElementById("songs");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const chooser = document.getElementById("metric");
  let metric = chooser ? chooser.value : null;
  let sorted = { column: "song", direction: "ascending" };

  const value = (row, column) => scores[metric]?.songs[row.dataset.song][column] ?? null;
  const shown = (number) =>
    number === null ? "–" : number.toFixed(2).replace("-", "−");

  function fill(row, values) {
    for (const cell of row.querySelectorAll("td")) {
      cell.textContent = shown(values?.[cell.dataset.column] ?? null);
    }
  }

  // A cell is the darker, the better it is among the songs of its column.
  function shade() {
    if (rows.length < 3) return;
    for (const cell of rows[0].querySelectorAll("td")) {
      const column = cell.dataset.column;
      const known = rows.map((row) => value(row, column)).filter((number) => number !== null);
      const low = Math.min(...known);
      const range = Math.max(...known) - low;
      for (const row of rows) {
        const number = value(row, column);
        const share = number === null || range === 0 ? 0 : (number - low) / range;
        row.querySelector(`td[data-column=${column}]`).style.setProperty("--share", share);
      }
    }
  }

  function sort() {
    const { column, direction } = sorted;
    const sign = direction === "ascending" ? 1 : -1;
    const name = (row) => row.querySelector("a").textContent;
    rows.sort((a, b) => {
      if (column === "song") {
        return sign * name(a).localeCompare(name(b), undefined, { numeric: true });
      }
      const [first, second] = [value(a, column), value(b, column)];
      // Songs without a score are last, whichever way.
      if (first === null || second === null) return (first === null) - (second === null);
      return sign * (first - second);
    });
    body.append(...rows);
    for (const head of table.tHead.querySelectorAll("th")) {
      if (head.dataset.column === column) head.setAttribute("aria-sort", direction);
      else head.removeAttribute("aria-sort");
    }
  }

  function choose() {
    metric = chooser.value;
    for (const row of rows) fill(row, scores[metric].songs[row.dataset.song]);
    for (const row of table.tFoot.querySelectorAll("[data-row]")) {
      const values = scores[metric].rows[row.dataset.row];
      row.querySelector("th").textContent = values.label;
      fill(row, values);
    }
    shade();
    sort();
  }

  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (!head) return;
    const column = head.dataset.column;
    const again = sorted.column === column;
    // Names from A, scores from the best.
    const first = column === "song" ? "ascending" : "descending";
    const other = first === "ascending" ? "descending" : "ascending";
    sorted = { column, direction: again && sorted.direction === first ? other : first };
    sort();
  });
  if (chooser) {
    chooser.addEventListener("change", choose);
    choose(); // a page that one comes back to keeps what was chosen
  } else {
    sort();
  }
})();
