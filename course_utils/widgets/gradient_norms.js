// Draws two profiles from a grid that the kernel has measured; nothing is computed here.
const NS = "http://www.w3.org/2000/svg";
const FRAME = { left: 64, right: 16, top: 12, bottom: 44, width: 700, height: 330 };
const DECADES = 12; // the axis runs from 1e-12 to 1e12

const CSS = `
.course-norms { max-width: ${FRAME.width}px; font: 14px system-ui, sans-serif;
  color: var(--jp-content-font-color1, #1b1b1b); --residual: #0072b2; --plain: #5b5b5b; }
[data-jp-theme-light="false"] .course-norms { --residual: #56b4e9; --plain: #b0b0b0; }
.course-norms label { display: grid; grid-template-columns: 130px minmax(0, 340px) 60px;
  gap: 10px; align-items: center; margin: 2px 0; }
.course-norms button { margin: 0 6px 6px 0; padding: 4px 12px; font: inherit; cursor: pointer;
  color: inherit; background: var(--jp-layout-color2, #eee);
  border: 1px solid var(--jp-border-color1, #bbb); border-radius: 3px; }
.course-norms svg { width: 100%; height: auto; display: block; }
.course-norms svg text { fill: currentColor; font-size: 13px; }
.course-norms p { margin: 4px 0 0; min-height: 2.8em; line-height: 1.4; }`;

function render({ model, el }) {
  const setting = model.get("setting");
  const lookUp = reader(model.get("grid"), setting);
  const root = element(el, "div", { class: "course-norms" });
  element(root, "style").textContent = CSS;

  // The picture moves with the hand, and the kernel hears of it when the hand rests. Until
  // then its answer to an earlier move may arrive: it is older than what the reader sees.
  const names = ["depth", "size", "b"];
  const state = {};
  const take = () => names.forEach((name) => (state[name] = model.get(name)));
  let timer = null;
  const save = () => {
    for (const name of names) model.set(name, state[name]);
    timer = null;
    model.save_changes();
  };
  const move = (values) => {
    Object.assign(state, values);
    clearTimeout(timer);
    timer = setTimeout(save, 150);
    draw();
  };
  const buttons = element(root, "div");
  for (const [label, values] of Object.entries(setting.presets)) {
    const button = element(buttons, "button", { type: "button" });
    button.textContent = label;
    button.addEventListener("click", () => move(values));
  }
  const sliders = [
    slider(root, "depth (blocks)", setting.depths, 0, (depth) => move({ depth })),
    slider(root, "size of branches", setting.sizes, 1, (size) => move({ size })),
    slider(root, "branch gain b", setting.gains, 2, (b) => move({ b })),
  ];
  const chart = frame(root);
  const sentence = element(root, "p", { role: "status", "aria-live": "polite" });

  function draw() {
    names.forEach((name, i) => sliders[i](state[name]));
    const profiles = lookUp(state);
    chart(profiles);
    sentence.textContent = describe(setting.sentence, state, profiles);
    root.querySelector("svg").setAttribute("aria-label", sentence.textContent);
  }
  const heard = () => {
    if (timer !== null) return;
    take();
    draw();
  };
  const changes = names.map((name) => `change:${name}`).join(" ");
  model.on(changes, heard);
  take();
  draw();
  return () => model.off(changes, heard);
}

// The grid holds, for each depth, the plain profile at size 1 and one residual profile for
// each product of size and gain, all as thousandths of log10.
function reader(bytes, { depths, products }) {
  const grid = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return ({ depth, size, b }) => {
    let start = 0;
    for (const other of depths) {
      if (other === depth) break;
      start += (other + 1) * (1 + products.length);
    }
    const at = (row, l) => grid[start + row * (depth + 1) + l] / 1000;
    const row = 1 + products.indexOf(Math.round(size * 10) * Math.round(b * 20));
    const layers = Array.from({ length: depth + 1 }, (_, l) => l);
    return {
      plain: layers.map((l) => at(0, l) + (depth - l && (depth - l) * Math.log10(size))),
      residual: layers.map((l) => at(row, l)),
    };
  };
}

function slider(parent, text, positions, digits, moved) {
  const label = element(parent, "label");
  element(label, "span").textContent = text;
  const last = positions.length - 1;
  const input = element(label, "input", { type: "range", min: 0, max: last, step: 1 });
  const readout = element(label, "span", { "aria-hidden": true }); // aria-valuetext says it
  input.addEventListener("input", () => moved(positions[input.value]));
  return (value) => {
    const shown = value.toFixed(digits);
    input.value = positions.findIndex((position) => Math.abs(position - value) < 1e-9);
    input.setAttribute("aria-valuetext", shown);
    readout.textContent = shown;
  };
}

function frame(parent) {
  const { left, right, top, bottom, width, height } = FRAME;
  const svg = element(parent, "svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }, NS);
  const inner = { x0: left + 80, x1: width - right, y0: height - bottom, y1: top };
  const x = (t) => inner.x0 + t * (inner.x1 - inner.x0);
  const y = (decade) => inner.y0 + ((decade + DECADES) / (2 * DECADES)) * (inner.y1 - inner.y0);
  for (let decade = -DECADES; decade <= DECADES; decade += 3) {
    const opacity = decade === 0 ? 0.7 : 0.15;
    const line = { x1: inner.x0, x2: inner.x1, y1: y(decade), y2: y(decade), stroke: "currentColor" };
    element(svg, "line", { ...line, "stroke-opacity": opacity }, NS);
    write(svg, left - 6, y(decade) + 4, `1e${decade}`, "end");
  }
  for (const [t, text] of [[0, "input"], [0.5, "middle"], [1, "output"]])
    write(svg, x(t), height - bottom + 18, text, t === 1 ? "end" : "middle");
  write(svg, x(0.5), height - 6, "the gradient runs from right to left", "middle");
  write(svg, left, top + 2, "size of the gradient", "start");

  const clip = (decade) => Math.max(-DECADES, Math.min(DECADES, decade));
  const style = { fill: "none", "stroke-width": 2.5 };
  const curves = {
    plain: element(svg, "path", { ...style, stroke: "var(--plain)", "stroke-dasharray": "7 5" }, NS),
    residual: element(svg, "path", { ...style, stroke: "var(--residual)" }, NS),
  };
  const names = { plain: write(svg, 0, 0, "plain", "end"), residual: write(svg, 0, 0, "residual", "end") };
  for (const [name, text] of Object.entries(names)) text.style.fill = `var(--${name})`;

  return (profiles) => {
    const ends = {};
    for (const [name, profile] of Object.entries(profiles)) {
      const points = profile.map((v, l) => `${x(l / (profile.length - 1)).toFixed(1)},${y(clip(v)).toFixed(1)}`);
      curves[name].setAttribute("d", `M${points.join("L")}`);
      ends[name] = y(clip(profile[0])) + 4;
    }
    // two names that would lie on one another move apart
    const gap = ends.plain - ends.residual;
    if (Math.abs(gap) < 14) {
      const shift = ((14 - Math.abs(gap)) / 2) * (gap >= 0 ? 1 : -1);
      ends.plain += shift;
      ends.residual -= shift;
    }
    for (const [name, text] of Object.entries(names)) {
      text.setAttribute("x", x(0) - 6);
      text.setAttribute("y", ends[name]);
    }
  };
}

function describe(template, { depth, size, b }, profiles) {
  const values = {
    depth,
    size: size.toFixed(1),
    b: b.toFixed(2),
    plain: scientific(10 ** profiles.plain[0]),
    residual: scientific(10 ** profiles.residual[0]),
  };
  return template.replace(/{(\w+)}/g, (_, name) => values[name]);
}

// two digits of exponent, as Python writes it
function scientific(value) {
  if (value === 0) return "0";
  return value.toExponential(1).replace(/e([+-])(\d)$/, "e$10$2");
}

function write(parent, x, y, text, anchor) {
  const node = element(parent, "text", { x, y, "text-anchor": anchor }, NS);
  node.textContent = text;
  return node;
}

function element(parent, tag, attributes = {}, namespace) {
  const node = namespace ? document.createElementNS(namespace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

export default { render };
