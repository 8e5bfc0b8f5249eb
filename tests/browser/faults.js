// What is wrong with the page that is open, a line for each fault. Called with its width.
async (phone) => {
  if (window.MathJax) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const article = document.querySelector("article.bd-article"), faults = [];
  const all = (selector) => [...article.querySelectorAll(selector)].filter((e) => e.checkVisibility());
  const start = (e) => [...e.textContent.trim().replace(/\s+/g, " ")].slice(0, 90).join("");
  const say = (fault, e) => faults.push(`${fault}: ${start(e)}`);

  for (const e of document.querySelectorAll("mjx-merror")) {
    say(`MathJax, ${e.dataset.mjxError ?? e.title}`, e);
  }
  for (const e of phone ? [] : all("div.math")) { // the author's to break, not the machine's
    if (e.querySelector("mjx-linebox ~ mjx-linebox") || e.style.fontSize) say("a formula that is too long", e);
  }
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const node = words.currentNode, box = node.parentElement;
    if (box.closest("pre, code, script, style, noscript, mjx-container")) continue;
    if (/\\[a-zA-Z]{2,}|\\[,;!({[]|\$\$|\$\S[^$]*\$/.test(node.data)) say("raw LaTeX", box);
    if (!box.closest("td, th") || !box.checkVisibility()) continue;
    for (const word of node.data.matchAll(/(?<![^\s(])[\p{L}\p{N}_.]{1,9}(?![^\s),;:])/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const tops = new Set([...range.getClientRects()].map((r) => Math.round(r.top)));
      if (tops.size > 1) say(`broken word ${word[0]}`, box);
    }
  }
  // On a telephone code may scroll in its box, and a wide table of the reference in its.
  const scroller = (e) => phone && !e.closest(".cell_output")
    && e.closest(".cell_input, .highlight, .pst-scrollable-table-container");
  for (const e of all("div.math, .cell_output *, pre, table, .pst-scrollable-table-container")) {
    if (e.closest("mjx-container") || scroller(e) || getComputedStyle(e).overflowX === "visible") continue;
    const hidden = e.scrollWidth - e.clientWidth;
    if (e.clientWidth && hidden > 1) say(`cut by ${hidden} px (${e.tagName}.${e.className})`, e);
  }
  const edge = Math.min(article.getBoundingClientRect().right, window.innerWidth) + 1;
  for (const e of all("div.math mjx-container, img, table, svg, canvas, p, li, h1, h2, h3")) {
    const over = Math.round(e.getBoundingClientRect().right - edge);
    if (over > 0 && !scroller(e)) say(`over the edge by ${over} px (${e.tagName})`, e);
  }
  const wide = document.documentElement.scrollWidth - window.innerWidth;
  if (wide > 0) faults.push(`the page scrolls sideways by ${wide} px`);
  return faults;
}
