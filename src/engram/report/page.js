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
