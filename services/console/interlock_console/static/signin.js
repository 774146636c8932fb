// Sign-in: by an API key, or by the ticket that `interlock open` puts into the address.
import { html, useState } from "./vendor/preact.js";
import { post } from "./api.js";
import { Failure } from "./ui/data.js";
import { Command } from "./ui/copy.js";

/** Exchange the address's ticket for a session, and go to its target if that is of this origin. */
export async function enter(query) {
  const to = query.get("to") || "/runs";
  const inside = new URL(to, location.origin).origin === location.origin && to.startsWith("/") && !to.startsWith("//");
  try {
    await post("/session/enter", { ticket: query.get("ticket") || "" });
  } finally {
    // The ticket leaves the address bar and the history, good or not.
    history.replaceState(null, "", inside ? to : "/runs");
    dispatchEvent(new PopStateEvent("popstate"));
  }
}

export function SignIn({ then }) {
  const [key, setKey] = useState("");
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);

  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await post("/session", { key: key.trim() });
      await then();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  }

  return html`<main class="signin">
    <form class="card stack" onSubmit=${submit}>
      <div class="row"><img src="/static/icon.svg" alt="" width="32" height="32" /><h1>Interlock</h1></div>
      <p class="soft">Sign in with an API key. It is stored in an HTTP-only cookie; the pages have the permissions of the key.</p>
      <label>API key
        <input type="password" name="key" autocomplete="current-password" required value=${key} onInput=${(event) => setKey(event.target.value)} />
      </label>
      <button class="primary" disabled=${busy || !key.trim()}>${busy ? "Signing in…" : "Sign in"}</button>
      ${problem && html`<${Failure} problem=${problem} />`}
      <p class="soft">On the machine that runs the stack, this command opens the console and signs you in:</p>
      <${Command} text="interlock open" />
    </form>
  </main>`;
}
