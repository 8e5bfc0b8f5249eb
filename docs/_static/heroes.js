/* Two figures that move without Python: grids computed when the book was built (heroes-data.js). */
(() => {
  "use strict";
  const ink = () => getComputedStyle(document.body).color;
  const mix = (a, b, t) => a.map((x, i) => Math.round(x + (b[i] - x) * t));
  const DARK = [20, 40, 90], LIGHT = [245, 235, 200];
  const COLOURS = [[0, 114, 178], [86, 180, 233], [213, 94, 0]];
  const NAMES = ["Eq. 13", "sticking the landing", "score function, best baseline"];
  const nearest = (axis, x) =>
    axis.reduce((best, v, i) => (Math.abs(v - x) < Math.abs(axis[best] - x) ? i : best), 0);
  // In pixels of the canvas; where the page shows it small, letters and margins are made larger.
  const scale = (canvas) => Math.max(1, (0.75 * canvas.width) / canvas.clientWidth);

  function plane(canvas, xs, ys, xlabel, ylabel) {
    const g = canvas.getContext("2d"), k = scale(canvas);
    const left = 66 * k, right = 20 * k, top = 15 * k, bottom = 45 * k;
    const w = canvas.width - left - right, h = canvas.height - top - bottom;
    const X = (v) => left + (w * (v - xs[0])) / (xs.at(-1) - xs[0]);
    const Y = (v) => top + h - (h * (v - ys[0])) / (ys.at(-1) - ys[0]);
    g.clearRect(0, 0, canvas.width, canvas.height);
    g.font = `${15 * k}px sans-serif`;
    const axes = () => {
      g.fillStyle = g.strokeStyle = ink();
      g.lineWidth = 1;
      g.strokeRect(left, top, w, h);
      g.textAlign = "center";
      for (let i = 0; i <= 4; i++) {
        const v = xs[0] + ((xs.at(-1) - xs[0]) * i) / 4;
        g.fillText(String(+v.toFixed(2)), X(v), top + h + 18 * k);
      }
      g.fillText(xlabel, left + w / 2, top + h + 38 * k);
      g.textAlign = "right";
      for (let i = 0; i <= 4 && ylabel; i++) {
        const v = ys[0] + ((ys.at(-1) - ys[0]) * i) / 4;
        g.fillText(String(+v.toFixed(2)), left - 8 * k, Y(v) + 5 * k);
      }
      g.save();
      g.translate(13 * k, top + h / 2);
      g.rotate(-Math.PI / 2);
      g.textAlign = "center";
      g.fillText(ylabel, 0, 0);
      g.restore();
    };
    const cells = (colour) => {
      const cw = w / xs.length + 1, ch = h / ys.length + 1;
      ys.forEach((y, j) => xs.forEach((x, i) => {
        g.fillStyle = `rgb(${colour(j, i)})`;
        g.fillRect(left + (w * i) / xs.length, top + h - (h * (j + 1)) / ys.length, cw, ch);
      }));
    };
    const dot = (x, y) => {
      g.beginPath();
      g.arc(X(x), Y(y), 8, 0, 2 * Math.PI);
      g.lineWidth = 5;
      g.strokeStyle = "white";
      g.stroke();
      g.lineWidth = 2.5;
      g.strokeStyle = "black";
      g.stroke();
    };
    return { g, X, Y, axes, cells, dot };
  }

  const normal = (a, mu, s) => Math.exp(-(((a - mu) / s) ** 2) / 2) / (s * Math.sqrt(2 * Math.PI));

  function drawKL(data, at, [map, line], says) {
    const i = nearest(data.m, at.m), grid = data.kl[i];
    const low = Math.min(...grid.flat());
    const shade = (v) => mix(DARK, LIGHT, Math.min(1, Math.sqrt((v - low) / 4)));
    const p = plane(map, data.phi, data.sigma, "φ", "σ");
    p.cells((j, k) => shade(grid[j][k]));
    p.axes();
    p.dot(at.phi, at.sigma);
    const xs = Array.from({ length: 201 }, (_, k) => -7 + 0.07 * k), ys = [0, 0.9];
    const q = plane(line, xs, ys, "action a", "");
    const path = (f) => {
      q.g.beginPath();
      xs.forEach((x) => q.g.lineTo(q.X(x), q.Y(Math.min(f(x), 0.9))));
    };
    path((x) => normal(x, at.phi, at.sigma));
    q.g.lineTo(q.X(7), q.Y(0));
    q.g.lineTo(q.X(-7), q.Y(0));
    q.g.fillStyle = "rgba(0,114,178,.35)";
    q.g.fill();
    path((x) => (normal(x, -at.m, 1) + normal(x, at.m, 1)) / 2);
    q.g.strokeStyle = ink();
    q.g.lineWidth = 2;
    q.g.stroke();
    q.axes();
    const here = grid[nearest(data.sigma, at.sigma)][nearest(data.phi, at.phi)];
    says.textContent = `KL(π‖h) = ${here.toFixed(3)} here; the least on this map is ${low.toFixed(3)}`;
  }

  function drawMap(data, at, [map, bars], says) {
    const i = data.D.indexOf(at.D), grid = data.variances[i];
    const plays = (k) => at.sticking || k !== 1;
    const ranked = (v) => v.map((_, k) => k).filter(plays).sort((a, b) => v[a] - v[b]);
    const p = plane(map, data.ratio, data.tau, "|μ − m| / σ", "τ");
    p.cells((j, k) => {
      const v = grid[j][k], [first, second] = ranked(v);
      const lead = Math.min(1, Math.log(v[second] / Math.max(v[first], 1e-9)) / Math.log(10));
      return mix([245, 245, 245], COLOURS[first], 0.3 + 0.7 * lead);
    });
    p.axes();
    p.dot(at.ratio, at.tau);
    const v = grid[nearest(data.tau, at.tau)][nearest(data.ratio, at.ratio)];
    const g = bars.getContext("2d"), most = Math.max(...v.filter((_, k) => plays(k)));
    g.clearRect(0, 0, bars.width, bars.height);
    g.font = `${16 * Math.min(1.6, scale(bars))}px sans-serif`;
    v.forEach((x, k) => {
      if (!plays(k)) return;
      g.fillStyle = `rgb(${COLOURS[k]})`;
      g.fillRect(0, 66 * k + 30, Math.max(2, (600 * x) / most), 24);
      g.fillStyle = ink();
      g.fillText(`${NAMES[k]}: ${x.toFixed(3)}`, 0, 66 * k + 22);
    });
    says.textContent = `Least variance at |μ − m|/σ = ${at.ratio}, τ = ${at.tau}: ${NAMES[ranked(v)[0]]}`;
  }

  const DRAW = { kl: drawKL, map: drawMap };

  function start(box) {
    const kind = box.dataset.hero, data = window.NABLA_HEROES[kind], at = { ...data.start };
    const canvases = [...box.querySelectorAll("canvas")], says = box.querySelector(".hero-says");
    const draw = () => DRAW[kind](data, at, canvases, says);
    for (const input of box.querySelectorAll("input")) {
      const axis = data[input.name], output = input.parentElement.querySelector("output");
      Object.assign(input, { min: 0, max: axis.length - 1, step: 1 });
      input.value = nearest(axis, at[input.name]);
      const take = () => {
        at[input.name] = axis[+input.value];
        output.textContent = String(+at[input.name].toFixed(2));
        input.setAttribute("aria-valuetext", output.textContent);
      };
      input.addEventListener("input", () => { take(); draw(); });
      take();
    }
    draw();
    new MutationObserver(draw).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".hero").forEach(start));
})();
