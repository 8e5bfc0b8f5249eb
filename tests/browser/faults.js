// What is wrong with the page that is open, a line for each fault. Called with its width.
async (phone) => {
  if (window.MathJax) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const article = document.querySelector("article.bd-article"), faults = [];
  const all = (selector) => [...article.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  const say = (fault, e) => faults.push(`${fault}: ${e.textContent.trim().replace(/\s+/g, " ").slice(0, 90)}`);

  for (const e of document.querySelectorAll("mjx-merror")) {
    faults.push(`MathJax: ${e.dataset.mjxError ?? e.title ?? ""} ${e.textContent.slice(0, 90)}`);
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = words.currentNode, box = node.parentElement;
    if (box.closest("pre, code, script, style, noscript, mjx-container")) continue;
    if (/\\[a-zA-Z]{2,}|\\[,;!({[]|\$\$|\$\S[^$]*\$/.test(node.data)) say("raw LaTeX", box);
    if (!box.closest("td, th") || !box.checkVisibility()) continue;
    for (const word of node.data.matchAll(/(?<!\S)\S{1,9}(?!\S)/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
      if (tops.size > 1) faults.push(`broken word: ${word[0]} in ${box.textContent.slice(0, 60)}`);
    }
  }
  // What may scroll inside its own box: code that is typed, and on a telephone a wide table of the reference.
  const may = phone ? ".cell_input *, .highlight *, .pst-scrollable-table-container, table" : ".reference-table";
  for (const e of all("div.math, .cell_output *, pre, table, .pst-scrollable-table-container")) {
    const scrolls = e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX !== "visible";
    if (scrolls && e.clientWidth && !e.closest("mjx-container") && !(phone && !e.closest(".cell_output") && e.matches(may))) {
      say(`cut by ${e.scrollWidth - e.clientWidth} px (${e.tagName.toLowerCase()}.${e.className})`, e);
    }
  }
  const edge = Math.min(article.getBoundingClientRect().right, window.innerWidth) + 1;
  for (const e of all("div.math mjx-container, img, table, svg, canvas, p, li, h1, h2, h3")) {
    const box = e.getBoundingClientRect();
    const scroller = e.parentElement.closest(".pst-scrollable-table-container, pre");
    if (box.right > edge && !(phone && scroller)) say(`over the edge by ${Math.round(box.right - edge)} px (${e.tagName})`, e);
  }
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) faults.push(`the page scrolls sideways by ${wide} px`);
  return faults;
}
