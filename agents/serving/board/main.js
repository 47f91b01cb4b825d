// The board: which page is shown, the bar above it and what is said of the connection.

import { fill, h, text } from "./dom.js";
import { Live } from "./live.js";
import { apply, choose, format, languages, onChange, settings, themes, timeZones, word } from "./settings.js";
import { broadcastPage } from "./broadcast.js";
import { overview } from "./overview.js";
import { scopePage } from "./scope.js";

const main = document.getElementById("main");
const bar = document.getElementById("bar");
const foot = document.getElementById("foot");
const live = new Live();
let page = null;

/** Seconds: platforms that tell a few minutes late are no reason to doubt. */
const BEHIND = 300;

/** The page of an address: `#/venue/louvre`, `#/broadcast/fliggy/1`, `#/` and `#/wall`. */
function pageOf(address) {
  const [kind, ...rest] = address.replace(/^#\/?/, "").split("/").map(decode);
  if (kind === "broadcast" && rest.length === 2) return () => broadcastPage(live, ...rest);
  if (["platform", "venue", "programme"].includes(kind) && rest.length === 1) {
    return () => scopePage(live, kind, rest[0]);
  }
  return () => overview(live);
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function wall() {
  return location.hash.replace(/^#\/?/, "") === "wall";
}

function show({ focus = false } = {}) {
  page?.close();
  apply();
  document.body.classList.toggle("wall", wall());
  drawBar();
  page = pageOf(location.hash)();
  main.replaceChildren(page.node);
  page.update();
  drawState();
  if (focus) {
    main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
}

function select(name, label, choices) {
  const id = `choose-${name}`;
  return [
    h("label", { for: id }, label),
    h(
      "select",
      { id, onchange: (event) => choose(name, event.target.value) },
      choices.map(([value, shown]) => h("option", { value, selected: value === settings[name] }, shown)),
    ),
  ];
}

function drawBar() {
  text(document.getElementById("skip"), word("skip"));
  const themeWords = { auto: word("themeAuto"), light: word("themeLight"), dark: word("themeDark") };
  fill(
    bar,
    h("p", { class: "brand" }, h("a", { href: "#/" }, word("title"))),
    h(
      "form",
      { class: "choices", onsubmit: (event) => event.preventDefault() },
      select("language", word("languageOf"), Object.entries(languages).map(([key, words]) => [key, words.language])),
      select("zone", word("zone"), timeZones.map((name) => [name, name.replaceAll("_", " ")])),
      select("theme", word("theme"), themes.map((name) => [name, themeWords[name]])),
      h("a", { class: "button", href: "#/wall" }, word("wall")),
    ),
  );
  fill(
    foot,
    state,
    notice,
    h("p", { class: "links" }, h("a", { href: "api" }, word("api")), " ",
      wall() ? h("a", { class: "leave", href: "#/" }, word("leaveWall")) : null),
  );
}

const state = h("p", { class: "state" });
const notice = h("p", { class: "notice", role: "status" });

/** What is said of how far the figures can be believed. Only changes are read out. */
function drawState() {
  const { connection, at, lostAt, seen } = live.state;
  const behind = live.behind();
  const { clock, ago } = format();
  text(state, at === null ? word("connecting") : word("connected", { time: clock(at) }));
  let told = "";
  if (connection === "refused") told = word("refused");
  else if (connection === "lost") told = word("lost", { time: clock(lostAt) });
  else if (seen !== null && seen.missing > 0) {
    told = word("partial", {
      answered: format().count(seen.answered),
      all: format().count(seen.answered + seen.missing),
    });
  } else if (behind > BEHIND) told = word("behind", { ago: ago(behind) });
  text(notice, told);
  document.body.classList.toggle("doubtful", told !== "");
}

// The address says which page is shown, so a link within the page must not change it.
document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener("hashchange", () => show({ focus: true }));
window.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && wall()) location.hash = "#/";
});
onChange(() => {
  const focused = document.activeElement?.id;
  show();
  if (focused) document.getElementById(focused)?.focus();
});
live.onChange(() => {
  page?.update();
  drawState();
});
// Times that are told as "so long ago" go on without news.
setInterval(() => live.tick(), 10_000);
show();
live.start();
