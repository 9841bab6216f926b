// Copy, and two keys: Ctrl+Enter (or Cmd+Enter) summarizes; Escape closes the source, or stops.
window.copySummary = async () => {
  const box = document.getElementById("summary");
  const copy = box ? box.cloneNode(true) : document.createElement("div");
  copy.querySelectorAll(".spoken, .strip").forEach((element) => element.remove());
  copy.querySelectorAll(".cite").forEach((element) => element.replaceWith(`(${element.textContent})`));
  // Only what is laid out has line breaks in its innerText.
  copy.style.cssText = "position: fixed; left: -9999px";
  document.body.append(copy);
  const text = copy.innerText;
  copy.remove();
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
  }
  const button = document.getElementById("copy");
  if (!button) return;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
};

document.addEventListener("keydown", (event) => {
  const press = (id) => {
    const button = document.getElementById(id);
    if (button && !button.disabled) { event.preventDefault(); button.click(); }
  };
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) press("run");
  if (event.key === "Escape") {
    const close = document.querySelector("#source .close");
    if (close) close.click(); else press("stop");
  }
});
