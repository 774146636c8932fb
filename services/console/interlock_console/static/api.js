// HTTP client of the console's API. Authorization is decided there; the pages only show it.

/** An error response: problem details (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the console responded with status ${status}`);
    this.status = status;
    this.title = body.title || "Something went wrong";
    this.errors = body.errors || [];
  }
}

let signedOut = () => {};

/** Register a callback for an expired session; the shell then shows the sign-in form. */
export function onSignedOut(then) {
  signedOut = then;
}

/** JSON as it means, plain text as {text, headers}. */
async function send(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, { title: "The console does not respond", detail: "Check that the stack is running: interlock status" });
  }
  const text = await answer.text();
  if (answer.ok && answer.headers.get("Content-Type")?.startsWith("text/plain")) return { text, headers: answer.headers };
  let data = {};
  try {
    data = text ? JSON.parse(text) : {};
  } catch {
    data = { detail: text.slice(0, 300) };
  }
  if (answer.ok) return data;
  if (answer.status === 401 && !path.startsWith("/session")) signedOut();
  throw new Problem(answer.status, data);
}

export const get = (path) => send("GET", path);
export const post = (path, body = {}, headers = {}) => send("POST", path, body, headers);
export const put = (path, body) => send("PUT", path, body);
export const patch = (path, body) => send("PATCH", path, body);
export const remove = (path, body) => send("DELETE", path, body);

/** `/path?a=1` from a path and an object; empty and undefined values are left out, a list is its values one by one. */
export function address(path, query = {}) {
  const given = Object.entries(query)
    .flatMap(([name, value]) => (Array.isArray(value) ? value.map((each) => [name, each]) : [[name, value]]))
    .filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
