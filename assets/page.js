// The Copy button, keyboard shortcuts and focus.
// Ctrl+Enter or Cmd+Enter starts a run. Escape closes an open dialog or source page, or else stops
// the run. Arrow keys turn the pages of the source, or move along the strip of pages.
// Focus moves to the source when it opens and back when it closes; it is never lost.
window.copySummary = async () => {
  const box = document.getElementById("summary");
  const copy = box ? box.cloneNode(true) : document.createElement("div");
  copy.querySelectorAll(".unsupported").forEach((element) => element.replaceWith("(no passage supports this)"));
  // The answer and what was written of the sections, without strip, notes and controls.
  const aside = ".spoken, .jump, .coverage, .warnings, .provenance, .hint, .said, [data-unwritten]";
  copy.querySelectorAll(aside).forEach((element) => element.remove());
  copy.querySelectorAll(".by-section:empty").forEach((list) => {
    list.previousElementSibling.remove();
    list.remove();
  });
  if (copy.querySelectorAll("h2").length === 1) copy.querySelector("h2").remove();
  const isList = document.getElementById("answer").classList.contains("as-list");
  if (!isList) copy.querySelectorAll(".same .cite").forEach((cite) => cite.remove());
  copy.querySelectorAll(".cite").forEach((element) => element.replaceWith(`(${element.textContent})`));
  // innerText has line breaks only for elements that are laid out, so lay it out off screen.
  copy.style.cssText = "position: fixed; left: -9999px";
  document.body.append(copy);
  const text = copy.innerText;
  copy.remove();
  await copyText(text, document.getElementById("copy"));
};
window.copyMarkdown = (text) => copyText(text, document.getElementById("copy-md"));
const copyText = async (text, button) => {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // navigator.clipboard needs https; copying a selection does not.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button?.focus({preventScroll: true});
  }
  if (!button) return;
  const label = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
};
// The highlighted PDF is made on request; its download begins when the page has its address.
window.downloadHighlighted = () => setTimeout(() => {
  document.getElementById("download-pdf")?.click();
}, 200);

let citedFrom = null;
// The pixels that the page of the source will have in the panel, on this screen.
window.pageWidth = () => {
  const shown = document.querySelector("#source .source-body");
  const css = shown?.clientWidth || Math.min(700, document.documentElement.clientWidth - 26);
  return Math.round(css * devicePixelRatio);
};
// A page as wide as the panel is higher than the window: scroll to its first yellow row.
const scrollToMark = async (picture) => {
  await picture.decode();
  const [width, height] = [100, Math.round(100 * picture.naturalHeight / picture.naturalWidth)];
  const pen = Object.assign(document.createElement("canvas"), {width, height}).getContext("2d");
  pen.drawImage(picture, 0, 0, width, height);
  const {data} = pen.getImageData(0, 0, width, height);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] < 200 || data[at + 1] < 160 || data[at + 2] > 150) continue;
    const top = picture.clientHeight * Math.floor(at / 4 / width) / height;
    picture.closest(".source-body").scrollTop = top - 120;
    return;
  }
};
// The open citation, and the run of sentences that it stands for.
const unmarkCitation = () => {
  document.querySelectorAll("#answer [aria-current]").forEach((old) => old.removeAttribute("aria-current"));
  document.querySelectorAll("#answer .cited").forEach((old) => old.classList.remove("cited"));
};
const markCitation = (cite) => {
  cite.setAttribute("aria-current", "true");
  let sentence = cite.closest(".sentence");
  do {
    sentence?.classList.add("cited");
    sentence = sentence?.previousElementSibling;
  } while (sentence?.matches(".same") && !document.querySelector("#answer.as-list"));
};
const stepCitation = (step) => {
  const cites = [...document.querySelectorAll("#summary .cite")].filter((cite) => cite.offsetParent);
  const next = cites[cites.indexOf(citedFrom) + step];
  next?.click();
};
// On narrow screens (see style.css) the source covers the summary: keep Tab out of the summary.
const narrow = matchMedia("(max-width: 800px)");
const blockCoveredSummary = () => {
  const source = document.querySelector("#source .source");
  document.getElementById("answer").inert = narrow.matches && source !== null;
};
narrow.addEventListener("change", blockCoveredSummary);
window.sourceShown = () => {
  const source = document.querySelector("#source .source");
  if (!source) return;
  blockCoveredSummary();
  source.focus({preventScroll: true});
  const mark = source.querySelector("mark");
  if (mark) mark.scrollIntoView({block: "center"});
  const picture = source.querySelector(".sheet img");
  if (picture) scrollToMark(picture);
  unmarkCitation();
  if (citedFrom?.matches(".cite")) markCitation(citedFrom);
  // The summary column is narrower now, so scroll the cited sentence back into view.
  if (citedFrom && citedFrom.isConnected) citedFrom.scrollIntoView({block: "nearest"});
};
window.sourceClosed = () => {
  document.getElementById("answer").inert = false;
  unmarkCitation();
  if (!citedFrom || !citedFrom.isConnected) return;
  citedFrom.focus({preventScroll: true});
  // On a phone the form is back above the summary, which has moved down.
  citedFrom.scrollIntoView({block: "nearest"});
};
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-page]");
  const step = event.target.closest("#source .cited")?.dataset.step;
  if (step) stepCitation(+step);
  event.target.closest("#source .sheet")?.classList.toggle("whole");
  if (opener && !opener.closest("#source")) citedFrom = opener;
  const [ask, answer] = ["ask", "answer"].map((id) => document.getElementById(id));
  // On a phone the summary is below the form: scroll to it.
  if (event.target.closest("#run") && answer.offsetTop > ask.offsetTop) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    answer.scrollIntoView({behavior: still ? "auto" : "smooth"});
  }
}, true);

// When a key press disables or removes the focused button, move the focus to the status line. It
// shows the result, and Enter and Space do nothing there.
let pressed = null;
const rememberPressed = ({target}) => { pressed = target.closest("#buttons, #answer, #source") && target; };
document.addEventListener("keydown", rememberPressed, true);
document.addEventListener("keyup", rememberPressed, true);
document.addEventListener("pointerdown", () => { pressed = null; }, true);
new MutationObserver(() => {
  if (!pressed || pressed.getClientRects().length && !pressed.disabled) return;
  const [lost, status] = [pressed, document.getElementById("status")];
  pressed = null;
  if (![lost, document.body].includes(document.activeElement)) return;
  status.tabIndex = -1;
  status.focus({preventScroll: true});
}).observe(document, {subtree: true, childList: true, attributes: true});

const moveAlongStrip = (cell, key) => {
  const cells = [...cell.parentElement.children];
  const at = cells.indexOf(cell);
  const next = {ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: cells.length - 1}[key];
  if (!cells[next]) return;
  cell.tabIndex = -1;
  cells[next].tabIndex = 0;
  cells[next].focus();
};
document.addEventListener("keydown", (event) => {
  const press = (id) => {
    const button = document.getElementById(id);
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  };
  const {key, target} = event;
  const close = document.querySelector("#source .close");
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) press("run");
  // Leave Escape to open dropdown lists and to input methods that are composing a character.
  if (key === "Escape" && !event.isComposing && !target.matches("input[aria-expanded='true']")) {
    const open = document.querySelector("[role='dialog'] .backdrop") ?? close;
    const keys = document.querySelector("#keys[open]");
    if (keys) keys.open = false; else if (open) open.click(); else press("stop");
  }
  const isTyping = target.matches("input, textarea, select");
  if (close && !isTyping && ["n", "p"].includes(key) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    stepCitation(key === "n" ? 1 : -1);
  }
  const find = document.querySelector("#find :is(input, textarea)");
  if (key === "/" && !isTyping && find?.offsetParent) {
    event.preventDefault();
    find.focus();
    find.select();
  }
  if (key === "?" && !isTyping) {
    const keys = document.querySelector("#keys");
    keys.open = !keys.open;
  }
  if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.matches(".strip .cell")) {
    event.preventDefault();
    moveAlongStrip(target, key);
  } else if (close && key.startsWith("Arrow") && !target.matches("input, textarea, select")) {
    const [previous, next] = document.querySelectorAll("#source .turn");
    (key === "ArrowLeft" ? previous : next)?.click();
  }
}, true);  // capture: run before Gradio's handlers, which close dropdown lists

// The list of keys closes as a menu does.
document.addEventListener("pointerdown", ({target}) => {
  const keys = document.querySelector("#keys[open]");
  if (keys && !keys.contains(target)) keys.open = false;
}, true);

// From the note under a summary to the menu of models, which is folded away.
const showModels = (tries = 40) => {
  const menu = document.querySelector("#model input");
  if (menu?.offsetParent) {
    menu.scrollIntoView({block: "center"});
    menu.focus({preventScroll: true});
  } else if (tries) {
    if (tries === 40) document.querySelector("#advanced > button")?.click();
    setTimeout(showModels, 50, tries - 1);
  }
};
document.addEventListener("click", ({target}) => { if (target.closest(".choose-model")) showModels(); });

// The sentences as a list or as paragraphs: a view of the same text.
window.showAsList = (on) => {
  document.getElementById("answer").classList.toggle("as-list", on);
};

// Sections that are opened before they are written. One is written at a time; its text arrives in
// #section-written and is moved into place, so that no focus is lost.
const sectionsToWrite = [];
window.writeSection = (details, begin) => {
  if (sectionsToWrite.some((waiting) => waiting.details === details)) return;
  details.querySelector(".section-body").innerHTML =
    '<p class="provisional" role="status">It is being written …</p>';
  sectionsToWrite.push({details, begin});
  if (sectionsToWrite.length === 1) begin();
};
window.sectionWritten = () => {
  sectionsToWrite.shift();
  while (sectionsToWrite.length && !sectionsToWrite[0].details.isConnected) sectionsToWrite.shift();
  sectionsToWrite[0]?.begin();
};
const placeSection = () => {
  const written = document.querySelector("#section-written [data-section]:not([data-placed])");
  if (!written) return;
  const {document: number, section} = written.dataset;
  const place = `details[data-document="${number}"][data-section="${section}"]`;
  const details = document.querySelector(`#summary ${place}`);
  if (details) {
    details.querySelector(".section-body").replaceChildren(...written.childNodes);
    if (written.ariaBusy === "false" && !details.querySelector(".problem")) {
      delete details.dataset.unwritten;
    }
  }
  written.dataset.placed = "";  // it stays: Gradio replaces what it has put there
};
// The title of the tab: how far the run is, and of which document.
let pageTitle = "", shownTitle = "";
const showProgressInTitle = () => {
  if (document.title !== shownTitle) pageTitle = document.title;  // Gradio's, set once
  const bar = document.querySelector("#status [role=progressbar]");
  const names = document.querySelectorAll("#summary h2");  // the last is being written
  const name = (names[names.length - 1] ?? document.querySelector(".facts strong"))?.textContent;
  const busy = document.querySelector("#summary[aria-busy=true]") || bar;
  const done = document.querySelector("#summary[aria-busy=false]");
  const parts = [busy && bar ? `${bar.ariaValueNow} %` : "", (busy || done) && name, pageTitle];
  const title = parts.filter(Boolean).join(" – ");
  if (document.title !== title) document.title = shownTitle = title;
};
new MutationObserver(() => { placeSection(); showProgressInTitle(); })
  .observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["aria-valuenow", "aria-busy"]});

// The forecast is grey from a change of the form until it has been counted again.
const markForecastOld = ({target}) => {
  if (target.closest("#ask")) document.getElementById("forecast")?.classList.add("old");
};
document.addEventListener("input", markForecastOld, true);
document.addEventListener("change", markForecastOld, true);
// A text is counted while it is typed or pasted, at each pause: Gradio counts when the box is left.
const TYPING_PAUSE_MS = 700;
let pause = 0;
document.addEventListener("input", ({target}) => {
  if (!target.matches("#text textarea")) return;
  clearTimeout(pause);
  pause = setTimeout(() => target.dispatchEvent(new FocusEvent("blur")), TYPING_PAUSE_MS);
}, true);
window.forecastIsNew = () => document.getElementById("forecast")?.classList.remove("old");
// Gradio shows the untranslated key of this label.
new MutationObserver(() => {
  document.querySelectorAll("[aria-label='common.upload']").forEach((button) => {
    button.ariaLabel = button.title = "Add files";
  });
}).observe(document, {subtree: true, childList: true});
