/* MathJax breaks formulas that are too long for the page; what still sticks out is made smaller. */
(() => {
  "use strict";
  const SMALLEST = 0.55;

  function fit() {
    for (const box of document.querySelectorAll("div.math")) {
      const room = box.clientWidth / box.scrollWidth;
      if (room < 1) box.style.fontSize = `${Math.floor(100 * Math.max(SMALLEST, 0.98 * room))}%`;
    }
  }

  let width = window.innerWidth; // a telephone that is turned
  window.addEventListener("resize", () => {
    if (window.innerWidth === width || !window.MathJax.startup?.document) return;
    width = window.innerWidth;
    for (const box of document.querySelectorAll("div.math")) box.style.fontSize = "";
    window.MathJax.whenReady(() => window.MathJax.startup.document.rerenderPromise()).then(fit);
  });

  window.MathJax = {
    loader: {
      load: ["input/tex", "output/chtml", "a11y/assistive-mml"],
      paths: { "mathjax-newcm": "[mathjax]/mathjax-newcm-font" },
    },
    output: { displayOverflow: "linebreak" },
    options: { processHtmlClass: "mathjax_process|math|output_area" },
    startup: { pageReady: () => window.MathJax.startup.defaultPageReady().then(fit) },
  };
})();
