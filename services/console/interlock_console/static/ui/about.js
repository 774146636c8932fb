// What people say of a model: description, owner, tags; changed, archived and brought back by who may promote, deleted once it is archived.
import { html, useRef } from "../vendor/preact.js";
import { address, patch } from "../api.js";
import { Decision } from "./decision.js";
import { DeleteModel } from "./deletion.js";
import { Facts } from "./head.js";
import { Ago } from "./time.js";

export const written = ([name, value]) => (value === "" ? name : `${name}:${value}`);

/** Tags as links to the models, or whatever the list of `page` holds, that have the same. */
export function Tags({ tags, page = "/models" }) {
  const all = Object.entries(tags ?? {});
  if (all.length === 0) return null;
  return html`<span class="tags">${all.map((tag) => html`<a key=${tag[0]} href=${address(page, { tag: written(tag) })}>${written(tag)}</a>`)}</span>`;
}

export function About({ model, done, gone }) {
  const { description, owner, tags } = model;
  const any = description || owner || Object.keys(tags).length > 0;
  return html`
    ${model.archived_at && html`<div class="notice waiting">Archived <${Ago} at=${model.archived_at} />: it serves nothing, takes no new training, and is left out of lists.</div>`}
    <section class="card" aria-label="About">
      <div class="row spread"><h2>About</h2><span class="row"><${Edit} model=${model} done=${done} /><${Archive} model=${model} done=${done} />${model.archived_at && html`<${DeleteModel} model=${model} done=${gone} />`}</span></div>
      ${any
        ? html`<${Facts} of=${[
            ["Description", description && html`<span class="said">${description}</span>`, "wide"],
            ["Owner", owner, "wide"],
            ["Tags", Object.keys(tags).length > 0 ? html`<${Tags} tags=${tags} />` : null, "wide"],
          ]} />`
        : html`<p class="soft">No description, owner or tags yet.</p>`}
    </section>`;
}

function Edit({ model, done }) {
  const form = useRef(null);
  const tags = Object.entries(model.tags).map(written).join(", ");
  async function act() {
    const { description, owner, tags: wanted } = Object.fromEntries(new FormData(form.current));
    await patch(`/gateway/models/${model.name}`, { description: description.trim() || null, owner: owner.trim() || null, tags: changes(model.tags, wanted) });
  }
  return html`<${Decision} label="Edit…" plain verb="Save" title="Describe ${model.name}" act=${act} done=${() => done("Saved.")}>
    <form class="stack" ref=${form} onSubmit=${(event) => event.preventDefault()}>
      <label>Description <textarea name="description" rows="4" maxlength="4000" defaultValue=${model.description ?? ""}></textarea></label>
      <label>Owner <input name="owner" maxlength="200" defaultValue=${model.owner ?? ""} placeholder="a person, a team, an address" /></label>
      <label>Tags <input name="tags" defaultValue=${tags} placeholder="team:pricing, audited" /></label>
    </form>
  <//>`;
}

/** A merge patch that makes `before` what the text says: name:value or name, separated by commas; null removes. */
function changes(before, text) {
  const after = Object.fromEntries(text.split(",").map((each) => each.trim()).filter(Boolean).map((each) => {
    const [name, ...value] = each.split(":");
    return [name.trim(), value.join(":").trim()];
  }));
  return { ...Object.fromEntries(Object.keys(before).map((name) => [name, null])), ...after };
}

function Archive({ model: { name, archived_at: archived }, done }) {
  const act = () => patch(`/gateway/models/${name}`, { archived: !archived });
  if (archived) {
    return html`<${Decision} label="Bring back…" plain verb="Bring back" title="Bring back ${name}?" act=${act} done=${() => done(`${name} is back.`)}>
      <p>It serves again what it served before, and may be trained.</p><//>`;
  }
  return html`<${Decision} label="Archive…" danger verb="Archive" title="Archive ${name}?" act=${act} done=${() => done(`${name} is archived.`)}>
    <p>It stops serving within seconds, takes no new training and is left out of lists. Nothing is deleted, and it can be brought back.</p><//>`;
}
