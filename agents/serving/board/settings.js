// What each viewer of the board chooses: language, time zone, colours. Kept by the browser.

import en from "./words/en.js";
import fr from "./words/fr.js";
import zh from "./words/zh.js";
import { formats, zones } from "./format.js";

/** Words by language. */
export const languages = { en, fr, zh };
const locales = { en: undefined, fr: "fr", zh: "zh-CN" };
const themes = ["auto", "light", "dark"];

function read(name, allowed) {
  let found = null;
  try {
    found = localStorage.getItem(`live-audience.${name}`);
  } catch {
    // No storage is given to this page: then choices hold until it is closed.
  }
  return allowed(found) ? found : null;
}

function write(name, value) {
  try {
    localStorage.setItem(`live-audience.${name}`, value);
  } catch {
    // As above.
  }
}

function preferred() {
  const wanted = navigator.languages ?? [navigator.language];
  return wanted.map((each) => each.slice(0, 2)).find((each) => each in languages) ?? "en";
}

const known = zones();
const isZone = (name) => name !== null && known.includes(name);
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;

export const settings = {
  language: read("language", (value) => value in languages) ?? preferred(),
  zone: read("zone", isZone) ?? (isZone(own) ? own : "UTC"),
  theme: read("theme", (value) => themes.includes(value)) ?? "auto",
};

const listeners = new Set();
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", changed);

function changed() {
  apply();
  for (const listener of listeners) listener();
}

/** Calls back whenever a choice changes, or the system's colours do. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param {"language"|"zone"|"theme"} name */
export function choose(name, value) {
  settings[name] = value;
  write(name, value);
  changed();
}

/** Tells the document what was chosen. */
export function apply() {
  document.documentElement.lang = settings.language === "zh" ? "zh-CN" : settings.language;
  document.documentElement.dataset.theme = theme();
  document.title = word("title");
}

/** The colours that are shown: those that were chosen, or else the system's. */
export function theme() {
  if (settings.theme !== "auto") return settings.theme;
  return dark.matches ? "dark" : "light";
}

/** How numbers and times are written. English is written as the browser's own region does. */
export function format() {
  const english = navigator.languages?.find((each) => each.startsWith("en")) ?? "en";
  return formats(locales[settings.language] ?? english, settings.zone);
}

/** A word or sentence in the chosen language. @param {Object<string, any>} [values] For `{name}`. */
export function word(name, values = {}) {
  return languages[settings.language][name].replace(/\{(\w+)\}/g, (_, key) => String(values[key]));
}

export { known as timeZones, themes };
