// The app shell: session, navigation bar, and the page of the current address.
import { Component, createContext, html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, onSignedOut, remove } from "./api.js";
import { PLACES, followLinks, match } from "./router.js";
import { Failure, Loading } from "./ui/data.js";
import { KeyHelp } from "./ui/keys.js";
import { SignIn, enter } from "./signin.js";
import { Nowhere, isRefused, refusal } from "./ui/notfound.js";
import { ThemeSwitch } from "./ui/theme.js";

/** {name, scopes} of the caller: `useContext(Caller)` in a page. */
export const Caller = createContext(null);

function Shell() {
  const [caller, setCaller] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const [place, setPlace] = useState(() => match(location));

  useEffect(() => {
    const moved = () => setPlace(match(location));
    addEventListener("popstate", moved);
    onSignedOut(() => setCaller(null));
    start().catch(setProblem);
    return () => removeEventListener("popstate", moved);
  }, []);

  async function start() {
    try {
      if (location.pathname === "/enter") await enter(new URLSearchParams(location.search));
      setCaller(await get("/session"));
    } catch (error) {
      if (error.status !== 401 && error.status !== 403) throw error;
      setCaller(null);
    }
  }

  async function leave() {
    await remove("/session");
    setCaller(null);
  }

  if (problem) return html`<main class="page"><${Failure} problem=${problem} /></main>`;
  if (caller === undefined) return html`<${Loading} />`;
  if (caller === null) return html`<${SignIn} then=${start} />`;
  return html`<${Caller.Provider} value=${caller}>
    <a class="skip" href="#page">Skip to content</a>
    <div class="shell">
      <${Bar} caller=${caller} leave=${leave} />
      <${Place} place=${place} caller=${caller} />
    </div>
    <${KeyHelp} />
  <//>`;
}

function Bar({ caller, leave }) {
  const here = location.pathname;
  const places = useRef(null);
  // On a telephone the places are a row to be scrolled.
  useEffect(() => places.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" }), [here]);
  const current = (path) => (here === path || here.startsWith(`${path}/`) ? "page" : undefined);
  return html`<header class="bar">
    <a class="brand" href="/" aria-label="Interlock"><img src="/static/icon.svg" alt="" /><span>Interlock</span></a>
    <nav class="places" aria-label="Main" ref=${places}>
      ${PLACES.filter(({ scope }) => caller.scopes.includes(scope)).map(({ path, title }) => html`<a href=${path} aria-current=${current(path)}>${title}</a>`)}
    </nav>
    <div class="caller">
      <span class="who" title=${(caller.scopes || []).join(", ")}>${caller.name}</span>
      <${ThemeSwitch} />
      <button class="plain" onClick=${leave}>Sign out</button>
    </div>
  </header>`;
}

function Place({ place: matched, caller }) {
  const place = isRefused(location.pathname) ? null : matched;
  const main = useRef(null);
  const [loaded, setLoaded] = useState(null);
  const name = place?.page;
  const may = place && caller.scopes.includes(place.scope);

  useEffect(() => {
    if (!place) document.title = `${refusal(location.pathname)} · Interlock`;
    if (!may) return undefined;
    let wanted = true;
    document.title = `${Object.values(place.params).at(-1) || place.title} · Interlock`;
    import(`./pages/${name}.js`).then(
      (module) => wanted && setLoaded({ name, Page: module.default }),
      () => wanted && setLoaded({ name, Page: () => html`<${Failure} problem=${{ title: "This page cannot be loaded", message: "Reload the page." }} />` }),
    );
    return () => {
      wanted = false;
    };
  }, [name, location.pathname]);

  useEffect(() => {
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [location.pathname]);

  const ready = loaded && loaded.name === name;
  return html`<main class="page" id="page" tabindex="-1" ref=${main}>
    ${!place && html`<${Nowhere} scopes=${caller.scopes} />`}
    ${place && !may && html`<${Closed} place=${place} caller=${caller} />`}
    ${may && !ready && html`<${Loading} />`}
    ${may && ready && html`<${Guard} key=${location.pathname}><${loaded.Page} params=${place.params} query=${place.query} /><//>`}
  </main>`;
}

/** A page whose requests would be refused: what is missing, and where else to go. */
function Closed({ place: { title, scope }, caller: { name, scopes } }) {
  const open = PLACES.filter((each) => scopes.includes(each.scope));
  return html`<div class="empty"><h1>${title}</h1>
    <p>This page needs a key with the scope <strong>${scope}</strong>; <strong>${name}</strong> has ${scopes.join(", ") || "none"}.</p>
    ${open.length > 0 && html`<p>It may open: ${open.map(({ path, title }, at) => html`${at > 0 && ", "}<a href=${path}>${title}</a>`)}.</p>`}
  </div>`;
}

/** Error boundary: a page that fails to render shows the error instead. */
class Guard extends Component {
  componentDidCatch(problem) {
    console.error(problem);
    this.setState({ problem });
  }

  render({ children }, { problem }) {
    return problem ? html`<${Failure} problem=${problem} />` : children;
  }
}

followLinks();
render(html`<${Shell} />`, document.getElementById("app"));
