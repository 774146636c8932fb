// What is shown at an address that is no page, or that the server could not answer; and the pages that were perhaps meant.
import { html } from "../vendor/preact.js";
import { PLACES, match } from "../router.js";

const ALIKE = 2;

/** The status with which the server answered the address that was opened first, if that was a problem. */
const refused = { status: Number(document.documentElement.dataset.status) || null, path: location.pathname };

/** Whether the server refused this address, whatever page it looks like. */
export const isRefused = (path) => refused.path === path && (refused.status ?? 404) !== 404;

/** What is wrong with an address, as a title. */
export const refusal = (path) => wordsOf(path)[0];

const WORDS = {
  404: ["Page not found", "The console has no page at this address."],
  405: ["This address is not a page", "It takes requests of programs, and cannot be opened in a browser."],
  500: ["Something went wrong", "Internal error; see the console's log. Try again in a moment."],
};

const wordsOf = (path) => WORDS[isRefused(path) ? refused.status : 404] ?? WORDS[500];

export function Nowhere({ scopes }) {
  const path = location.pathname;
  const [title, words] = wordsOf(path);
  const meant = isRefused(path) ? [] : pagesLike(path).filter(({ scope }) => scopes.includes(scope));
  return html`<div class="empty"><h1>${title}</h1>
    <p>${words}</p>
    <p><code>${path}</code></p>
    ${meant.length > 0 && html`<p>Did you mean ${meant.map((page, at) => html`${at > 0 && " or "}<a href=${page.path}>${page.label}</a>`)}?</p>`}
    <div class="row">${words === WORDS[500][1] && html`<button type="button" onClick=${() => location.reload()}>Try again</button>`}<a class="button" href="/">Home</a></div>
  </div>`;
}

/** The pages above an address, the nearest first; where there are none, those whose address is spelt like it. */
function pagesLike(path) {
  const parts = path.split("/").filter(Boolean);
  const above = parts.map((_, at) => parts.slice(0, parts.length - 1 - at)).filter((some) => some.length > 0);
  const found = above.map((some) => `/${some.join("/")}`).filter(isPage);
  return (found.length > 0 ? found : spelt(parts)).slice(0, 2).map((each) => ({ path: each, ...match(at(each)), label: label(each) }));
}

function spelt([first = "", ...rest]) {
  const close = PLACES.filter(({ path }) => path !== "/" && distance(first.toLowerCase(), path.slice(1)) <= ALIKE);
  return close.flatMap(({ path }) => [[path, ...rest].join("/"), path]).filter((path, at, all) => isPage(path) && all.indexOf(path) === at);
}

const at = (path) => ({ pathname: path, search: "" });
const isPage = (path) => match(at(path)) !== null;

function label(path) {
  const { title, params } = match(at(path));
  const names = Object.values(params);
  return names.length > 0 ? `${title} ${names.join(", ")}` : title;
}

/** How many letters must be added, removed or changed to make one word of the other. */
function distance(a, b) {
  let row = [...b].map((_, place) => place + 1);
  for (const [line, letter] of [...a].entries()) {
    let corner = line;
    let left = line + 1;
    row = row.map((above, place) => {
      left = Math.min(above + 1, left + 1, corner + (b[place] === letter ? 0 : 1));
      corner = above;
      return left;
    });
  }
  return row.at(-1) ?? a.length;
}
