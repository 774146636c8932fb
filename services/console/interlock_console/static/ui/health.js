// Health of services and servers: notices of what is wrong, and all of them as a table.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { Table } from "./table.js";
import { Ago, At } from "./time.js";

/** Lamp and word of each health. */
const HEALTH = { ready: ["proven", "ready"], degraded: ["waiting", "degraded"], unreachable: ["refused", "does not answer"], unknown: ["", "unknown"] };

export function HealthNotices({ services }) {
  return services.filter(({ health }) => health === "unreachable").map(({ name, since, detail, means }) => html`<div class="notice refused" role="alert" key=${name}>
    <strong>${words(name)} has not answered since <${At} at=${since} /> (<${Ago} at=${since} />)</strong>
    <p>${means && `${sentence(means)}. `}<span class="soft">${detail}</span></p>
  </div>`);
}

const sentence = (text) => text.replace(/^./, (first) => first.toUpperCase());
const words = (name) => (name === "rabbitmq" ? "RabbitMQ" : sentence(name.replaceAll("_", " ")));

export function HealthTable({ title, of: parts }) {
  const columns = [
    { title: "Name", cell: ({ name }) => html`<strong>${words(name)}</strong>`, tight: true },
    { title: "Health", cell: ({ health, detail }) => html`<${Badge} state=${health} lamp=${HEALTH[health]?.[0]}>${HEALTH[health]?.[1] ?? health}<//>${detail && html`<div class="soft">${detail}</div>`}` },
    { title: "Since", cell: ({ since }) => html`<${Ago} at=${since} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>${title}</h2>
    ${parts.length
      ? html`<${Table} caption=${title} columns=${columns} rows=${parts} id=${(each) => each.name} />`
      : html`<p class="foot soft">Not checked yet: the console has just started.</p>`}
  </section>`;
}
