"use strict";

// Links to a program open its line in the tree; paper shows the sources.
addEventListener("hashchange", () => {
  const fold = document.getElementById(location.hash.slice(1))?.querySelector("details");
  if (fold) fold.open = true;
});
addEventListener("beforeprint", () => document.querySelectorAll(".source").forEach((fold) => { fold.open = true; }));

// The player: draws tiles of WebP sheets on one canvas a pane. Without it the film strip below stays.
(() => {
  const data = document.getElementById("reels");
  const player = document.querySelector(".player");
  if (!data || !player) return;
  const reels = JSON.parse(data.textContent);
  const find = (name) => player.querySelector(name);
  const scrub = find(".scrub"), play = find(".play"), where = find(".where"), given = find(".given");
  const panes = ["truth", "prediction", "difference"].map((name) => find(`.pane-${name}`) || (name === "truth" ? find(".pane-seen") : null));
  const notes = [
    { seen: "seen by the program", none: "nobody knows what happened" },
    { seen: "given, not predicted", none: "" },
    { seen: "nothing predicted yet", none: "not known" },
  ];
  let reel, sheets = [], at = 0, timer = 0;

  const picture = (source) => { const image = new Image(); image.src = source; return image; };

  function choose(index) {
    reel = reels[index];
    sheets = reel.sheets.map(picture);
    scrub.max = reel.frames.length - 1;
    const seen = reel.frames.filter((frame) => frame[0] < reel.first).length;
    given.style.width = `${100 * Math.max(0, seen - 0.5) / Math.max(1, reel.frames.length - 1)}%`;
    for (const pane of panes) {
      if (!pane) continue;
      const canvas = pane.querySelector("canvas");
      canvas.width = reel.width;
      canvas.height = reel.height;
      canvas.classList.toggle("pixelated", reel.pixelated);
    }
    Promise.allSettled(sheets.map((sheet) => sheet.decode())).then(draw);
    go(Math.min(Math.floor((seen + reel.frames.length) / 2), reel.frames.length - 1));
  }

  function draw() {
    const frame = reel.frames[at], seen = frame[0] < reel.first;
    panes.forEach((pane, which) => {
      if (!pane) return;
      const canvas = pane.querySelector("canvas"), context = canvas.getContext("2d"), tile = frame[which + 1];
      context.clearRect(0, 0, canvas.width, canvas.height);
      canvas.classList.toggle("empty", tile === null);
      pane.querySelector(".pane-note").textContent = tile === null ? notes[which][seen && which ? "seen" : "none"] : seen ? notes[which].seen : "";
      if (tile === null) return;
      const sheet = sheets[Math.floor(tile / reel.per_sheet)], place = tile % reel.per_sheet;
      if (!sheet.complete || !sheet.naturalWidth) return;
      const left = (place % reel.columns) * reel.width, top = Math.floor(place / reel.columns) * reel.height;
      context.drawImage(sheet, left, top, reel.width, reel.height, 0, 0, reel.width, reel.height);
    });
    const words = `frame ${frame[0]}, ${seen ? "given" : "predicted"}`;
    where.textContent = words;
    scrub.setAttribute("aria-valuetext", words);
  }

  function go(index) {
    at = index;
    scrub.value = index;
    draw();
  }

  function pause() {
    clearTimeout(timer);
    timer = 0;
    play.classList.remove("playing");
    play.setAttribute("aria-label", "Play");
  }

  function tick() {
    if (at >= reel.frames.length - 1) return pause();
    go(at + 1);
    schedule();
  }

  function schedule() {
    const here = reel.seconds[at], next = reel.seconds[Math.min(at + 1, reel.frames.length - 1)];
    timer = setTimeout(tick, Math.max(1000 * (next - here) / Number(find(".speed").value), 15));
  }

  play.addEventListener("click", () => {
    if (timer) return pause();
    if (at >= reel.frames.length - 1) go(0);
    play.classList.add("playing");
    play.setAttribute("aria-label", "Pause");
    schedule();
  });
  scrub.addEventListener("input", () => { pause(); go(Number(scrub.value)); });

  const option = (select, value, text) => { const item = document.createElement("option"); item.value = value; item.textContent = text; select.append(item); };
  reels.forEach((one, index) => option(find(".reel"), index, one.title));
  find(".which").hidden = reels.length < 2;
  find(".reel").addEventListener("change", (event) => { pause(); choose(Number(event.target.value)); });
  const paces = [[1, "1"], [0.5, "1/2"], [0.25, "1/4"], [0.1, "1/10"], [0.04, "1/25"]];
  paces.forEach(([value, text]) => option(find(".speed"), value, text));
  const length = reels[0].seconds.at(-1) - reels[0].seconds[0];
  find(".speed").value = (paces.find(([value]) => length / value >= 3) || paces.at(-1))[0];
  player.hidden = false;
  choose(0);
})();
