
// Tables: a heading's button sorts upwards, downwards, then back to the given order; words and a box leave some rows.
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  if (given.length > 1) sortable(table, body, given);
  const sieve = table.closest(".scroll").previousElementSibling;
  if (sieve?.matches(".sieve")) filterable(sieve, given);
}

function sortable(table, body, given) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const next = { ascending: "descending", descending: null }[heading.ariaSort];
      const order = next === undefined ? "ascending" : next;
      for (const other of headings) other.removeAttribute("aria-sort");
      if (order) heading.setAttribute("aria-sort", order);
      body.append(...(order ? sorted(given, index, order === "ascending" ? 1 : -1) : given));
    });
  });
}

// Numbers by value, before text by alphabet; cells without either stay last in both directions.
function sorted(rows, index, sign) {
  const key = (row) => {
    const cell = row.cells[index];
    if (!cell || cell.matches(".none, .failure")) return null;
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b) => {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
  };
  return [...rows].sort((first, second) => {
    const [a, b] = [key(first), key(second)];
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * compare(a, b);
  });
}

// A row stays if it holds every word that was typed, in any case and any cell.
function filterable(sieve, rows) {
  const words = sieve.querySelector("[type=search]");
  const front = sieve.querySelector("[type=checkbox]");
  const said = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const narrow = () => {
    const wanted = words.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      row.hidden = (front?.checked && !row.matches(".front")) || !wanted.every((word) => said.get(row).includes(word));
    }
    const left = rows.filter((row) => !row.hidden).length;
    sieve.querySelector("[role=status]").textContent = `${left} of ${rows.length} rows`;
  };
  words.addEventListener("input", narrow);
  front?.addEventListener("change", narrow);
  sieve.hidden = false;
}
