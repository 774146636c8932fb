// Health of services and servers: notices of what is wrong, and all of them as a table.
import { html } from "../vendor/preact.js";
import { Badge } from "./badge.js";
import { Table } from "./table.js";
import { Ago } from "./time.js";

/** Lamp and word of each health. */
const HEALTH = { ready: ["proven", "ready"], degraded: ["waiting", "degraded"], unreachable: ["refused", "does not answer"], unknown: ["", "unknown"] };

/** What it means for users that a service does not answer. */
const MEANS = {
  gateway: "Predictions fail; the numbers below are the last ones measured.",
  registry: "Predictions go on with the loaded versions; promotions, approvals and new pipelines wait for it.",
  ingest: "Files cannot be ingested; predictions go on.",
  train_dispatch: "No run starts or ends; predictions go on.",
  evaluation_gate: "Trained versions wait for their evaluation; predictions go on.",
  prediction: "Asynchronous predictions and batch scoring wait; online predictions go on.",
  monitor: "Live quality is not updated; predictions go on.",
};

export function HealthNotices({ services }) {
  return services.filter(({ health }) => health === "unreachable").map(({ name, since, detail }) => html`<div class="notice refused" role="alert" key=${name}>
    <strong>${words(name)} has not answered since ${new Date(since).toLocaleTimeString()} (<${Ago} at=${since} />)</strong>
    <p>${MEANS[name]} <span class="soft">${detail}</span></p>
  </div>`);
}

const words = (name) => (name === "rabbitmq" ? "RabbitMQ" : name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase()));

export function HealthTable({ title, of: parts }) {
  const columns = [
    { title: "Name", cell: ({ name }) => html`<strong>${words(name)}</strong>`, tight: true },
    { title: "Health", cell: ({ health, detail }) => html`<${Badge} state=${health} lamp=${HEALTH[health]?.[0]}>${HEALTH[health]?.[1] ?? health}<//>${detail && html`<div class="soft">${detail}</div>`}` },
    { title: "Since", cell: ({ since }) => html`<${Ago} at=${since} />`, right: true, tight: true },
  ];
  return html`<section class="card flush"><h2>${title}</h2>
    ${parts.length
      ? html`<${Table} caption=${title} columns=${columns} rows=${parts} id=${(each) => each.name} />`
      : html`<p class="foot soft">Not asked yet; the console has just started.</p>`}
  </section>`;
}
