"use strict";
(() => {
  // Without this the page reloads itself. With it what was unfolded, sought and selected stays as it is, and a page
  // that can no longer be refreshed says so instead of going on looking well.
  const everyMs = 1000 * Number(document.body.dataset.refresh);
  const byId = (id) => document.getElementById(id);
  let goodMs = Date.now();

  const unfolded = () => new Set([...document.querySelectorAll("details[open]")].map((one) => one.dataset.key));

  function show(fresh) {
    const open = unfolded();
    const focused = document.activeElement?.closest("details")?.dataset.key;
    const before = byId("headline").textContent;
    byId("live").replaceChildren(...document.adoptNode(fresh.getElementById("live")).childNodes);
    for (const one of document.querySelectorAll("details")) {
      if (open.has(one.dataset.key)) one.open = true;
      if (focused !== undefined && one.dataset.key === focused) one.querySelector("summary").focus({preventScroll: true});
    }
    document.title = fresh.title;
    byId("icon").href = fresh.getElementById("icon").href;
    document.documentElement.dataset.tone = fresh.documentElement.dataset.tone;
    if (byId("headline").textContent !== before) byId("said").textContent = byId("headline").textContent;
  }

  function lost() {
    const words = `This page could not be refreshed since ${new Date(goodMs).toISOString().slice(11, 19)} UTC: all below is old`;
    const headline = byId("headline");
    if (headline.className !== "banner unsure" || !document.body.classList.contains("lost")) {
      headline.className = "banner unsure";
      if (headline.querySelector(".mark")) headline.querySelector(".mark").textContent = "?";
      headline.querySelector(".words").textContent = words;
      byId("said").textContent = document.title = words;
      byId("icon").href = byId("icon").href.replace(/fill='%23[0-9a-f]+'/, "fill='%236e7781'");
      document.documentElement.dataset.tone = "unsure";
      document.body.classList.add("lost");
    }
  }

  async function refresh() {
    const selecting = !getSelection().isCollapsed && Date.now() - goodMs < 4 * everyMs;
    if (!selecting) {
      try {
        const answer = await fetch(location.href, {cache: "no-store", signal: AbortSignal.timeout(10000)});
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        if (!fresh.getElementById("live")) throw new Error("this is no status page");
        show(fresh);
        goodMs = Date.now();
        document.body.classList.remove("lost");
      } catch {
        lost();
      }
    }
    setTimeout(refresh, everyMs);
  }

  setTimeout(refresh, everyMs);
})();
