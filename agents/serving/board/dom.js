// Makes elements. Text is only ever set as text: titles and ids are other people's.

/**
 * An element with attributes and children.
 * @param {string} tag
 * @param {Object<string, any>} [attributes] `on…` are listeners; null and false are left out.
 * @param {...any} children Nodes, texts, lists of them; null is left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/** Puts children in place of an element's own, keeping those that stay the very same. */
export function fill(element, ...children) {
  const wanted = flat(children);
  const same =
    wanted.length === element.childNodes.length &&
    wanted.every((child, place) => child === element.childNodes[place]);
  if (!same) element.replaceChildren(...wanted);
}

/** Sets a text without touching the document where it is there already. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/**
 * Keeps one node for each item of a list, in the list's order: what is focused or drawn stays.
 * @param {Element} parent
 * @param {Map<string, {node: Element}>} kept What was made before; changed in place.
 * @param {Array<{key: string}>} items
 * @param {(item: any) => {node: Element, update: (item: any) => void, close?: () => void}} make
 */
export function keyed(parent, kept, items, make) {
  const keys = new Set(items.map((item) => item.key));
  for (const [key, view] of kept) {
    if (keys.has(key)) continue;
    view.close?.();
    view.node.remove();
    kept.delete(key);
  }
  let before = parent.firstElementChild;
  for (const item of items) {
    let view = kept.get(item.key);
    if (view === undefined) {
      view = make(item);
      kept.set(item.key, view);
    }
    view.update(item);
    if (view.node === before) before = before.nextElementSibling;
    else parent.insertBefore(view.node, before);
  }
}
