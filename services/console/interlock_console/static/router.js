// Routes: addresses, their pages, and the scope that a page's requests need. Each page is a module, loaded on first use.

const PAGES = [
  ["/", "home", "Home"],
  ["/runs", "runs", "Runs"],
  ["/runs/compare", "runscompare", "Compare runs"],
  ["/runs/:id", "run", "Run"],
  ["/models", "models", "Models"],
  ["/models/:name", "model", "Model"],
  ["/models/:name/compare", "compare", "Compare"],
  ["/models/:name/versions/:version", "version", "Version"],
  ["/datasets", "datasets", "Datasets"],
  ["/datasets/:name/:digest", "dataset", "Dataset"],
  ["/try", "try", "Predict", "predict"],
  ["/try/:name", "try", "Predict", "predict"],
  ["/events", "events", "Events"],
  ["/dead-letters", "deadletters", "Dead letters", "admin"],
  ["/audit", "audit", "Audit log", "admin"],
  ["/keys", "keys", "API keys", "admin"],
  ["/traces", "traces", "Traces"],
  ["/traces/:id", "trace", "Trace"],
];

/** Entries of the navigation bar, in the order of a model's life cycle. */
export const PLACES = ["/", "/runs", "/models", "/datasets", "/try", "/events", "/traces", "/dead-letters", "/audit", "/keys"].map((path) => {
  const [, , title, scope = "read"] = PAGES.find(([pattern]) => pattern === path);
  return { path, title, scope };
});

/** The page at an address as {page, title, scope, params, query}, or null. */
export function match(location) {
  const path = location.pathname.replace(/\/$/, "") || "/";
  const query = Object.fromEntries(new URLSearchParams(location.search));
  for (const [pattern, page, title, scope = "read"] of PAGES) {
    const params = fits(pattern.split("/"), path.split("/").map(decoded));
    if (params) return { page, title, scope, params, query };
  }
  return null;
}

function fits(wanted, given) {
  if (wanted.length !== given.length) return null;
  const params = {};
  for (const [place, part] of wanted.entries()) {
    if (part.startsWith(":")) params[part.slice(1)] = given[place];
    else if (part !== given[place]) return null;
  }
  return params;
}

/** A part of an address as it reads; one that is wrongly encoded is taken as it is. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Go to an address of ours; `replace` adds no entry to the history. */
export function go(path, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Client-side navigation for plain links; those with a modifier, a target or a download are left to the browser. */
export function followLinks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || event.defaultPrevented || link.target || link.hasAttribute("download")) return;
    const to = new URL(link.href);
    if (to.origin !== location.origin || to.hash || !match(to)) return;
    event.preventDefault();
    go(to.pathname + to.search);
  });
}
