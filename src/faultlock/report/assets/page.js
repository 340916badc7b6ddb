// SPDX-License-Identifier: GPL-2.0-only
"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const setTheme = (name) => { root.dataset.theme = name; };
  setTheme(dark.matches ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(root.dataset.theme === "dark" ? "light" : "dark");
  });

  for (const stepper of document.querySelectorAll(".stepper")) {
    const slider = stepper.querySelector(".slider");
    const output = stepper.querySelector("output");
    const rows = [...stepper.querySelectorAll("tr[data-step]")];
    const show = () => {
      const now = Number(slider.value);
      output.value = `${now} of ${slider.max}`;
      for (const row of rows) {
        const step = Number(row.dataset.step);
        row.classList.toggle("later", step > now);
        row.classList.toggle("now", step === now);
      }
    };
    slider.addEventListener("input", show);
    for (const button of stepper.querySelectorAll(".move")) {
      button.addEventListener("click", () => {
        slider.value = String(Number(slider.value) + Number(button.dataset.by));
        show();
      });
    }
    show();
  }

  for (const figure of document.querySelectorAll(".lanes")) {
    const source = figure.querySelector(".source");
    for (const piece of figure.querySelectorAll(".span")) {
      piece.addEventListener("click", () => {
        for (const other of figure.querySelectorAll(".span")) {
          other.setAttribute("aria-pressed", String(other === piece));
        }
        source.textContent = piece.dataset.source;
      });
    }
  }
})();
