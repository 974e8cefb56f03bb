
// Strips: one image's row of pictures at a time.
for (const strip of document.querySelectorAll("figure.strip")) {
  const select = strip.querySelector("select");
  const rows = [...strip.querySelectorAll(".choice")];
  const show = (place) => {
    select.selectedIndex = place;
    rows.forEach((row, index) => { row.hidden = index !== place; });
  };
  const step = (by) => () => {
    show((select.selectedIndex + by + rows.length) % rows.length);
    strip.querySelector("[role=status]").textContent = select.selectedOptions[0].text;
  };
  select.addEventListener("change", () => show(select.selectedIndex));
  strip.querySelector(".previous").addEventListener("click", step(-1));
  strip.querySelector(".next").addEventListener("click", step(1));
  strip.querySelector(".pick").hidden = rows.length < 2;
  show(0);
}
