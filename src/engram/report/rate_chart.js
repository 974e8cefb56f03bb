
// Charts of rates: boxes show and hide curves; a pointer, a tap or the arrow keys read a point.
for (const figure of document.querySelectorAll("figure.rates")) {
  const told = JSON.parse(figure.dataset.details);
  const tip = figure.querySelector(".tip");
  const boxes = [...figure.querySelectorAll("[data-box]")];
  const hidden = new Set();
  const sheets = [...figure.querySelectorAll(".stage svg")].map((svg) => sheet(svg));

  choose();
  figure.querySelector("fieldset").disabled = false;
  figure.addEventListener("change", choose);
  figure.addEventListener("keydown", (event) => { if (event.key === "Escape") for (const each of sheets) each.rest(true); });
  figure.addEventListener("click", (event) => {
    const all = event.target.closest("[data-all]");
    if (!all) return;
    for (const box of boxes) box.checked = all.dataset.all === "1";
    choose();
  });
  for (const kind of ["pointerover", "focusin"]) figure.addEventListener(kind, (event) => {
    const chip = event.target.closest(".chip");
    if (chip) light(curvesOf(chip.querySelector("input")));
  });
  for (const kind of ["pointerout", "focusout"]) figure.addEventListener(kind, (event) => {
    if (event.target.closest(".chip")) light([]);
  });

  // The curves behind a box: one, or all of its group.
  function curvesOf(box) {
    return box.dataset.box === "curve" ? [box.value] : members(box).map((member) => member.value);
  }

  function members(group) {
    return boxes.filter((box) => box.dataset.box === "curve" && box.dataset.group === group.value);
  }

  // A group's box that was changed rules its curves; then each group's box says what they are.
  function choose(event) {
    const changed = event?.target;
    if (changed?.dataset.box === "group") for (const box of members(changed)) box.checked = changed.checked;
    hidden.clear();
    for (const box of boxes) if (box.dataset.box === "curve" && !box.checked) hidden.add(box.value);
    for (const group of boxes.filter((box) => box.dataset.box === "group")) {
      const shown = members(group).filter((box) => box.checked).length;
      group.checked = shown > 0;
      group.indeterminate = shown > 0 && shown < members(group).length;
    }
    figure.querySelector("[role=status]").textContent = `${told.length - hidden.size} of ${told.length} curves shown`;
    for (const each of sheets) each.update();
  }

  function light(curves) {
    for (const each of sheets) each.light(curves);
  }

  // One drawing of the chart: the wide or the narrow.
  function sheet(svg) {
    const curves = [...svg.querySelectorAll(".curve")].sort((a, b) => a.dataset.curve - b.dataset.curve);
    const names = [...svg.querySelectorAll(".name")];
    const all = curves.flatMap((curve) => [...curve.querySelectorAll(".point")]);
    const label = labels(svg, curves, names);
    let asked = null;
    let lit = [];
    for (const curve of curves) for (const line of curve.querySelectorAll(".line")) {
      const reach = line.cloneNode();
      reach.setAttribute("class", "reach");
      curve.prepend(reach);
    }
    for (const point of all) {
      const [label, points] = told[curveOf(point)];
      const [title, ...details] = points[point.dataset.point];
      point.setAttribute("role", "img");
      point.setAttribute("aria-label", [`${label}: ${title}`, ...details.map((pair) => pair.join(" "))].join("; "));
      point.setAttribute("tabindex", "-1");
    }
    svg.addEventListener("pointermove", (event) => { if (event.pointerType !== "touch") ask(nearest(event)); });
    svg.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") rest(); });
    svg.addEventListener("click", (event) => {
      const point = nearest(event);
      if (point) point.focus({ preventScroll: true });
      else rest(true);
    });
    const frame = svg.parentNode; // an <svg> that listens for the focus would be given it
    frame.addEventListener("focusin", (event) => { if (event.target.matches(".point")) ask(event.target); });
    frame.addEventListener("focusout", () => rest());
    svg.addEventListener("keydown", (event) => {
      const next = event.target.matches(".point") && step(event.target, event.key);
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
    return { update, light, rest };

    function curveOf(point) { return point.parentNode.dataset.curve; }

    function visible() { return all.filter((point) => !hidden.has(curveOf(point))); }

    // The point a pointer means: the closest one, or the closest of the curve whose line it is on.
    function nearest(event) {
      const distance = (point) => {
        const box = point.getBoundingClientRect();
        return Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
      };
      const closest = (points) => points.reduce((a, b) => (a && distance(a) <= distance(b) ? a : b), null);
      const point = closest(visible());
      if (point && distance(point) < (event.pointerType === "mouse" ? 24 : 32)) return point;
      const curve = event.target.closest(".curve");
      return curve && closest([...curve.querySelectorAll(".point")]);
    }

    // Along a curve by left and right, to the nearest point of the curve above or below by up and down.
    function step(point, key) {
      const own = [...point.parentNode.querySelectorAll(".point")];
      const place = own.indexOf(point);
      const along = { ArrowLeft: own[place - 1], ArrowRight: own[place + 1], Home: own[0], End: own.at(-1) };
      if (key in along) return along[key] ?? point;
      if (key !== "ArrowUp" && key !== "ArrowDown") return null;
      const shown = curves.filter((curve) => !hidden.has(curve.dataset.curve));
      const next = shown.indexOf(point.parentNode) + (key === "ArrowDown" ? 1 : -1);
      const x = (other) => Math.abs(other.getBoundingClientRect().x - point.getBoundingClientRect().x);
      return [...shown.at(next % shown.length).querySelectorAll(".point")].sort((a, b) => x(a) - x(b))[0];
    }

    // Shows what the point says.
    function ask(point) {
      if (!point) return rest();
      if (point === asked) return;
      asked = point;
      light([curveOf(point)]);
      for (const other of all) other.classList.toggle("asked", other === point);
      const [label, points] = told[curveOf(point)];
      const [title, ...details] = points[point.dataset.point];
      tip.replaceChildren(line("b", label), line("p", title), list(details));
      tip.hidden = false;
      beside(point.getBoundingClientRect());
    }

    // Back to the point that has the focus, if one has.
    function rest(release) {
      const focused = document.activeElement;
      if (svg.contains(focused)) {
        if (!release) return ask(focused);
        focused.blur();
      }
      asked = null;
      tip.hidden = true;
      for (const point of all) point.classList.remove("asked");
      light([]);
    }

    // Right or left of the point where the window has room, else below or above it; never beyond the window.
    function beside(point) {
      const frame = tip.parentNode.getBoundingClientRect();
      const { offsetWidth: width, offsetHeight: height } = tip;
      const [right, bottom] = [document.documentElement.clientWidth - 8, innerHeight - 8];
      const within = (value, low, high) => Math.max(low, Math.min(value, high));
      let left = point.right + 12;
      let top = within(point.top - height / 2, 8, bottom - height);
      if (left + width > right) left = point.left - 12 - width;
      if (left < 8) {
        left = within(point.left + point.width / 2 - width / 2, 8, right - width);
        top = point.top - 12 - height < 8 ? point.bottom + 12 : point.top - 12 - height;
      }
      tip.style.left = `${left - frame.left}px`;
      tip.style.top = `${top - frame.top}px`;
    }

    function light(wanted) {
      lit = wanted;
      const seen = lit.filter((curve) => !hidden.has(curve));
      svg.classList.toggle("dimmed", seen.length > 0);
      for (const part of [...curves, ...names]) part.classList.toggle("lit", seen.includes(part.dataset.curve));
    }

    function update() {
      for (const part of [...curves, ...names]) part.classList.toggle("off", hidden.has(part.dataset.curve));
      const shown = visible();
      for (const point of all) point.setAttribute("tabindex", point === shown[0] ? 0 : -1);
      if (asked && hidden.has(curveOf(asked))) rest(true);
      light(lit);
      label();
    }
  }

  function line(tag, words) {
    const made = document.createElement(tag);
    made.textContent = words;
    return made;
  }

  function list(details) {
    const made = document.createElement("dl");
    for (const [name, value] of details) made.append(line("dt", name), line("dd", value));
    return made;
  }
}
