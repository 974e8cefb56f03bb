"use strict";

// Contents: folded on a phone, always open beside the text on a desktop.
const contents = document.querySelector("nav details");
const beside = matchMedia("(min-width: 72rem)");
const unfold = () => { contents.open = beside.matches; };
beside.addEventListener("change", unfold);
unfold();
contents.addEventListener("click", (event) => {
  if (event.target.closest("a") && !beside.matches) contents.open = false;
});

// Tables: a heading's button sorts upwards, downwards, then back to the given order.
for (const table of document.querySelectorAll("table.data")) {
  const body = table.tBodies[0];
  const given = [...body.rows];
  if (given.length < 2) continue;
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
    if (cell.classList.contains("none")) return null;
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
