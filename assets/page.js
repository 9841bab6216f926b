// Copy; keys: Ctrl+Enter (or Cmd+Enter) summarizes, Escape closes what is open, or stops; arrows
// turn the source's pages, or go along the strip. Focus goes to the source when it opens, and back;
// it is never nowhere.
window.copySummary = async () => {
  const box = document.getElementById("summary");
  const copy = box ? box.cloneNode(true) : document.createElement("div");
  copy.querySelectorAll(".unsupported").forEach((element) => element.replaceWith("(no passage supports this)"));
  copy.querySelectorAll(".spoken, .strip, .legend, .include").forEach((element) => element.remove());
  copy.querySelectorAll(".cite").forEach((element) => element.replaceWith(`(${element.textContent})`));
  // Only what is laid out has line breaks in its innerText.
  copy.style.cssText = "position: fixed; left: -9999px";
  document.body.append(copy);
  const text = copy.innerText;
  copy.remove();
  const button = document.getElementById("copy");
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the clipboard is closed to scripts, but not to a selection.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button?.focus({preventScroll: true});
  }
  if (!button) return;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
};

let citedFrom = null;
// Where the source covers the summary, as style.css has it, no Tab goes behind it.
const narrow = matchMedia("(max-width: 800px)");
const coverAnswer = () => {
  const source = document.querySelector("#source .source");
  document.getElementById("answer").inert = narrow.matches && source !== null;
};
narrow.addEventListener("change", coverAnswer);
window.sourceShown = () => {
  const source = document.querySelector("#source .source");
  if (!source) return;
  coverAnswer();
  source.focus({preventScroll: true});
  const mark = source.querySelector("mark");
  if (mark) mark.scrollIntoView({block: "center"});
  // The summary is narrower now: the sentence stays where it can be read.
  if (citedFrom && citedFrom.isConnected) citedFrom.scrollIntoView({block: "nearest"});
};
window.sourceClosed = () => {
  document.getElementById("answer").inert = false;
  if (citedFrom && citedFrom.isConnected) citedFrom.focus({preventScroll: true});
};
document.addEventListener("click", (event) => {
  const asked = event.target.closest("[data-page]");
  if (asked && !asked.closest("#source")) citedFrom = asked;
  const [ask, answer] = ["ask", "answer"].map((id) => document.getElementById(id));
  // On a phone what is written lies below what was asked.
  if (event.target.closest("#run") && answer.offsetTop > ask.offsetTop) {
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    answer.scrollIntoView({behavior: still ? "auto" : "smooth"});
  }
}, true);

// A key on a button that goes off or away would leave the focus nowhere: it goes to the line that
// says what came of it, where neither Enter nor Space does anything.
let held = null;
const hold = ({target}) => { held = target.closest("#buttons, #answer, #source") && target; };
document.addEventListener("keydown", hold, true);
document.addEventListener("keyup", hold, true);
document.addEventListener("pointerdown", () => { held = null; }, true);
new MutationObserver(() => {
  if (!held || held.getClientRects().length && !held.disabled) return;
  const [lost, status] = [held, document.getElementById("status")];
  held = null;
  if (![lost, document.body].includes(document.activeElement)) return;
  status.tabIndex = -1;
  status.focus({preventScroll: true});
}).observe(document, {subtree: true, childList: true, attributes: true});

const alongStrip = (cell, key) => {
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
  // What closes an open list, or takes back a letter that is being composed, is not for us.
  if (key === "Escape" && !event.isComposing && !target.matches("input[aria-expanded='true']")) {
    const open = document.querySelector("[role='dialog'] .backdrop") ?? close;
    if (open) open.click(); else press("stop");
  }
  if (!["ArrowLeft", "ArrowRight", "Home", "End"].includes(key)) return;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.matches(".strip .cell")) {
    event.preventDefault();
    alongStrip(target, key);
  } else if (close && key.startsWith("Arrow") && !target.matches("input, textarea, select")) {
    const [before, next] = document.querySelectorAll("#source .turn");
    (key === "ArrowLeft" ? before : next)?.click();
  }
}, true);  // before the list that it closes
