// The panel is found from the guard's own element, which joins the page after `render`.
function render({ el }) {
  let stop = () => {};
  let frame = requestAnimationFrame(function find() {
    const panel = el.closest(".course-guarded");
    if (panel) stop = guard(panel);
    else frame = requestAnimationFrame(find);
  });
  return () => {
    cancelAnimationFrame(frame);
    stop();
  };
}

function guard(panel) {
  // the whole panel is watched: controls appear after the guard, and values move
  const observer = new MutationObserver(() => nameParts(panel));
  observer.observe(panel, {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: ["aria-valuenow", "aria-valuetext"],
  });
  panel.addEventListener("keydown", keepKey);
  nameParts(panel);
  return () => {
    observer.disconnect();
    panel.removeEventListener("keydown", keepKey);
  };
}

// JupyterLab listens at the document, so a key that stops here never becomes a command.
// Ctrl+S and Shift+Enter go on: they mean the notebook wherever the focus is.
function keepKey(event) {
  const forNotebook =
    event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
  if (!forNotebook) event.stopPropagation();
}

// noUiSlider names no handle and rounds its value text; the readout is what the eye reads.
// The picture of ipywidgets has no alt text; the panel's sentence says what it shows.
function nameParts(panel) {
  const sentence = panel.querySelector(".course-sentence")?.textContent.trim();
  for (const image of panel.querySelectorAll("img.course-figure")) setOnce(image, "alt", sentence);
  for (const handle of panel.querySelectorAll("[role=slider]")) {
    const slider = handle.closest(".widget-slider");
    if (!slider) continue;
    setOnce(handle, "aria-label", slider.querySelector(".widget-label")?.textContent.trim());
    setOnce(handle, "aria-valuetext", slider.querySelector(".widget-readout")?.textContent.trim());
  }
}

// writing what is already there would wake the observer without end
function setOnce(element, attribute, text) {
  if (text && element.getAttribute(attribute) !== text) element.setAttribute(attribute, text);
}

export default { render };
