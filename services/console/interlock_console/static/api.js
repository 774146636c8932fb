// All talk with the console's own HTTP API. Who may what is decided there; the pages only show it.

/** An answer that is no success, as RFC 9457 tells it. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the console answered ${status}`);
    this.status = status;
    this.title = body.title || "Something went wrong";
    this.errors = body.errors || [];
  }
}

let signedOut = () => {};

/** Say what is to happen when the session has ended; the shell asks for a key then. */
export function onSignedOut(then) {
  signedOut = then;
}

async function ask(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, { title: "The console is not there", detail: "No answer; is the stack up? Ask with: interlock status" });
  }
  const text = await answer.text();
  let told = {};
  try {
    told = text ? JSON.parse(text) : {};
  } catch {
    told = { detail: text.slice(0, 300) };
  }
  if (answer.ok) return told;
  if (answer.status === 401 && !path.startsWith("/session")) signedOut();
  throw new Problem(answer.status, told);
}

export const get = (path) => ask("GET", path);
export const post = (path, body = {}, headers = {}) => ask("POST", path, body, headers);
export const put = (path, body) => ask("PUT", path, body);
export const remove = (path) => ask("DELETE", path);

/** `/path?a=1` from a path and an object; what is empty or undefined is left out. */
export function address(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
