// Copy, and two keys: Ctrl+Enter (or Cmd+Enter) summarizes, Escape stops.
window.copySummary = async () => {
  const box = document.getElementById("summary");
  const text = box ? box.innerText : "";
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
  if (event.key === "Escape") press("stop");
});
