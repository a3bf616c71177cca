"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, scope = document) => Array.from(scope.querySelectorAll(selector));

  // Light or dark: the system's, unless a person switches.
  const theme = localStorage.getItem("retest-theme");
  if (theme) root.dataset.theme = theme;
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("retest-theme", root.dataset.theme);
  });

  const get = async (address) => {
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };

  // A run in progress: numbers are put in place as text; at its end the page loads itself again.
  const progress = document.querySelector("[data-progress]");
  const follow = async () => {
    try {
      const now = await get(progress.dataset.progress);
      if (now.done || now.status !== "running") return location.reload();
      for (const element of all("[data-p]", progress)) element.textContent = now[element.dataset.p];
      for (const element of all("[data-p-value]", progress)) element.value = now[element.dataset.pValue];
      for (const element of all("[data-mean]", progress)) element.textContent = now.means[element.dataset.mean] ?? element.textContent;
    } catch { /* the server may come back */ }
    setTimeout(follow, 2000);
  };
  if (progress) setTimeout(follow, 1000);

  // A comparison that is being computed.
  const wait = document.querySelector("[data-wait]");
  const look = async () => {
    try {
      if ((await get(wait.dataset.wait)).done) return location.reload();
    } catch { /* the server may come back */ }
    setTimeout(look, 400);
  };
  if (wait) setTimeout(look, 300);

  // Lists: a choice applies at once, a row opens its case.
  for (const form of all("form[data-auto]")) {
    form.addEventListener("change", (event) => { if (event.target.matches("select, input[type=checkbox]")) form.requestSubmit(); });
  }
  for (const row of all("tr.link")) {
    row.addEventListener("click", (event) => {
      if (!event.target.closest("a") && !String(getSelection())) row.querySelector("a").click();
    });
  }
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-marks]")) document.getElementById("case-body").classList.toggle("plain", !event.target.checked);
  });

  // Prompts: unsaved changes are seen, and not lost by accident.
  const editor = document.querySelector("[data-editor]");
  if (editor) {
    const text = editor.elements.text;
    const first = text.defaultValue;
    let leaving = false;
    const changed = () => text.value !== first;
    text.addEventListener("input", () => { document.querySelector("[data-unsaved]").hidden = !changed(); });
    editor.addEventListener("submit", () => { leaving = true; });
    addEventListener("beforeunload", (event) => { if (changed() && !leaving) event.preventDefault(); });
    document.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); editor.requestSubmit(); }
    });
  }

  // Keys: j and k step through the cases, u goes up, / searches.
  document.addEventListener("keydown", (event) => {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      const field = document.querySelector("input[type=search]");
      if (field) { event.preventDefault(); field.focus(); }
    }
    const key = { ArrowRight: "j", ArrowLeft: "k", Escape: "u" }[event.key] || event.key;
    const link = all("[data-key]").find((element) => element.dataset.key === key);
    if (link) link.click();
  });
})();
