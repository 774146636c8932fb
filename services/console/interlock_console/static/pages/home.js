// How things are: models with their traffic, what is in progress, what waits, what failed, and health; live.
import { html, useEffect, useMemo } from "../vendor/preact.js";
import { address, get } from "../api.js";
import { Badge } from "../ui/badge.js";
import { Loaded, useData } from "../ui/data.js";
import { soonOnce, useLive } from "../ui/follow.js";
import { Head } from "../ui/head.js";
import { Failures, InProgress, Waiting } from "../ui/happened.js";
import { HealthNotices, HealthTable } from "../ui/health.js";
import { ModelTraffic } from "../ui/traffic.js";

const STATUS_EVERY = 5000;

/** Stored events only: the frequent ones would have the broker send every prediction here. */
const KINDS = ["pipeline.applied", "dataset.rejected", "retrain.requested", "training.started", "training.progressed", "training.failed", "training.completed", "model.registered", "evaluation.passed", "evaluation.failed", "model.promoted", "model.serving", "model.load_failed"].join(",");

export default function Home() {
  const status = useData(() => get("/view/status"));
  const overview = useData(() => get("/view/overview"));
  const registry = status.data?.services.find((each) => each.name === "registry");
  const hangs = registry?.health === "unreachable";
  // A registry that hangs is not asked: each request would hold one of the browser's few connections for a minute.
  const models = useData(async () => (registry && !hangs ? await get("/gateway/models") : null), [Boolean(registry), hangs]);
  const soon = useMemo(() => soonOnce(() => Promise.all([overview.reload(), models.reload()]), 1000), [overview.reload, models.reload]);
  const open = useLive({ type: KINDS }, (type) => type !== "spans" && soon(), [soon]);
  useEffect(() => {
    const timer = setInterval(status.reload, STATUS_EVERY);
    return () => clearInterval(timer);
  }, [status.reload]);

  return html`
    <${Head} title="Home" badges=${html`<${Badge} state="live" lamp=${open ? "proven" : "waiting"}>${open ? "live" : "connecting"}<//>`} />
    <div class="stack">
      <${Loaded} of=${status}>${(known) => html`
        <${HealthNotices} services=${known.services} />
        <${Loaded} of=${overview}>${(happened) => html`
          ${happened.waiting.length > 0 && html`<${Waiting} runs=${happened.waiting} />`}
          <${ModelTraffic} status=${known} models=${hangs ? null : models.data} problem=${hangs ? null : models.problem} hangs=${hangs} runs=${happened.last_runs} />
          <div class="columns">
            <${InProgress} runs=${happened.in_progress} />
            <${Failures} events=${happened.failures} hours=${happened.hours} more=${address("/runs", { state: "failed,timed_out" })} />
          </div>`}<//>
        <div class="columns">
          <${HealthTable} title="Services" of=${known.services} />
          <${HealthTable} title="Servers" of=${known.servers} />
        </div>`}<//>
    </div>`;
}
