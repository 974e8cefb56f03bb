
// Names beside the curves that are shown: all as they were drawn if all are shown, else each in the best of its rooms.
function labels(svg, curves, names) {
  const read = (text) => text.split(";").map((room) => ({ box: room.split(" ").slice(0, 4).map(Number), anchor: room.split(" ")[4] }));
  const drawn = new Map(names.map((name) => [name, { rooms: read(name.dataset.rooms), spare: name.matches(".spare") }]));
  const fixed = [...svg.querySelectorAll(".reference")].map((name) => read(name.dataset.rooms)[0].box);
  const traces = new Map(curves.map((curve) => [curve, { marks: marks(curve), trail: trail(curve) }]));
  const meets = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const holds = (box, [x, y], room) => x > box[0] - room && x < box[2] + room && y > box[1] - room && y < box[3] + room;

  return () => {
    const shown = curves.filter((curve) => !curve.matches(".off"));
    const taken = [...fixed];
    for (const name of names.filter((each) => !each.matches(".off"))) {
      const { rooms, spare } = drawn.get(name);
      let [room, fits] = [rooms[0], !spare];
      if (shown.length < curves.length) {
        const costs = rooms.map(({ box }) => cost(box, shown, taken));
        const least = Math.min(...costs);
        [room, fits] = [rooms[costs.indexOf(least)], least < 3];
      }
      const [left, , right, bottom] = room.box;
      name.setAttribute("x", { start: left, middle: (left + right) / 2, end: right }[room.anchor]);
      name.setAttribute("y", bottom - 3);
      name.style.textAnchor = room.anchor;
      name.classList.toggle("spare", !fits);
      if (fits) taken.push(room.box);
    }
  };

  // Another name is worst, then a mark, then a line.
  function cost(box, shown, taken) {
    let sum = 8 * taken.filter((other) => meets(box, other)).length;
    for (const { marks, trail } of shown.map((curve) => traces.get(curve))) {
      if (marks.some((mark) => holds(box, mark, 3))) sum += 4;
      else if (trail.some((place) => holds(box, place, 0))) sum += 1;
    }
    return sum;
  }

  function marks(curve) {
    return [...curve.querySelectorAll(".point")].map((point) => {
      const { e, f } = point.transform.baseVal.consolidate().matrix;
      return [e, f];
    });
  }

  // Places along the lines of a curve, every five pixels.
  function trail(curve) {
    return [...curve.querySelectorAll(".line")].flatMap((line) => {
      const corners = line.getAttribute("d").slice(1).split("L").map((corner) => corner.split(" ").map(Number));
      return corners.slice(1).flatMap(([x, y], index) => {
        const [fromX, fromY] = corners[index];
        const steps = Math.ceil(Math.hypot(x - fromX, y - fromY) / 5);
        return Array.from({ length: steps }, (_, step) => [fromX + (x - fromX) * step / steps, fromY + (y - fromY) * step / steps]);
      });
    });
  }
}
