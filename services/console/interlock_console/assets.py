"""Files of the pages as they are sent: scripts joined into two bundles, styles into one sheet, addresses by content.

There is no build step: the sources in ``static`` are plain modules, and are joined when the first page is asked for.
Each module becomes a function, called when somebody first imports it, so that joined modules run as they would alone.
Only forms of import and export that stand at the beginning of a line are understood, which a test holds them to.
"""

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from gzip import compress
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

STATIC = Path(str(files("interlock_console") / "static"))
PREACT, CHARTS = "vendor/preact.js", ("vendor/d3.js", "vendor/plot.js")
CORE, PLOTS, STYLES = "console.js", "plots.js", "console.css"
"""What is joined: all modules but those that draw charts; those, with the charts' libraries; all style sheets."""

LEAST_COMPRESSED = 1024

_IMPORT = re.compile(r'^import (?:\{([^}]*)\} from )?"([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (default )?((?:async )?function|const|class) (\w+)", re.MULTILINE)
_LOAD = re.compile(r"\bimport\(")
_SHEET = re.compile(r' *<link rel="stylesheet" href="/static/([^"]+)">\n')

_RUNTIME = """\
import * as preact from "./vendor/preact.js";
const factories = {}, modules = { "vendor/preact.js": preact };
export const define = (name, factory) => { factories[name] = factory; };
function need(name) {
  if (!(name in modules)) factories[name](need, load, (made) => { modules[name] = made; });
  return modules[name];
}
async function load(path) {
  const name = path.replace("./", "");
  if (!(name in factories)) await import("./plots.js");
  return need(name);
}
"""


@dataclass(frozen=True)
class Assets:
    """Every file by its name; ``version`` is the content of all, and stands in the addresses that never change."""

    version: str
    contents: dict[str, bytes]

    @cached_property
    def compressed(self) -> dict[str, bytes]:
        """Return each file that is worth it as gzip."""
        return {name: compress(body, mtime=0) for name, body in self.contents.items() if len(body) >= LEAST_COMPRESSED}


def current() -> Assets:
    """Return the files as they are now: an edit of a source shows at the next reload."""
    found = sorted(path for path in STATIC.rglob("*") if path.is_file())
    return _made(tuple((str(path.relative_to(STATIC)), path.stat().st_mtime_ns) for path in found))


@lru_cache(maxsize=1)
def _made(changed: tuple[tuple[str, int], ...]) -> Assets:
    sources = {name: (STATIC / name).read_bytes() for name, _ in changed}
    version = sha256(b"".join(name.encode() + body for name, body in sources.items())).hexdigest()[:16]
    modules = {name: body.decode() for name, body in sources.items() if is_module(name)}
    drawing = {name for name in modules if set(CHARTS) & _needed(name, modules)}
    page = sources["index.html"].decode()
    sheets = _SHEET.findall(page)
    core = "".join(join(name, text) for name, text in modules.items() if name not in drawing)
    plots = "".join(join(name, text) for name, text in modules.items() if name in drawing)
    libraries = "".join(f'import "./{name}";\n' for name in CHARTS)
    joined = {
        CORE: _RUNTIME + core + 'need("app.js");\n',
        PLOTS: f'{libraries}import {{ define }} from "./{CORE}";\n{plots}',
        STYLES: "".join(sources[name].decode() for name in sheets),
        "index.html": _SHEET.sub("", page)
        .replace("  </head>", f'    <link rel="stylesheet" href="/static/{STYLES}">\n  </head>')
        .replace("/static/app.js", f"/static/{CORE}"),
    }
    addressed = {name: text.replace('"/static/', f'"/static/{version}/').encode() for name, text in joined.items()}
    return Assets(version, sources | addressed)


def is_module(name: str) -> bool:
    """Return whether a file is a script of ours that is joined with others."""
    return name.endswith(".js") and not name.startswith("vendor/") and name != "theme.js"


def _target(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _needed(name: str, modules: dict[str, str], seen: frozenset[str] = frozenset()) -> set[str]:
    """Return all that a module imports, also by way of others."""
    direct = {_target(name, path) for _, path in _IMPORT.findall(modules.get(name, ""))} - seen
    return direct.union(*(_needed(each, modules, seen | direct) for each in direct))


def join(name: str, text: str) -> str:
    """Return a module as a call that defines it under its name; no name of a module of ours begins with a dollar."""
    exported = [("default" if default else public, public) for default, _, public in _EXPORT.findall(text)]
    getters = ", ".join(f"get {public}() {{ return {local}; }}" for public, local in exported)
    body = _EXPORT.sub(r"\2 \3", _IMPORT.sub(lambda found: _taken(name, found), text))
    body = _LOAD.sub("$load(", body)
    return f'define("{name}", ($need, $load, $exports) => {{\n$exports({{ {getters} }});\n{body}}});\n'


def _taken(name: str, found: re.Match[str]) -> str:
    names, target = found[1], _target(name, found[2])
    if target in CHARTS:
        return ""  # scripts that set globals: the bundle itself imports them first
    if names is None:
        return f'$need("{target}");\n'
    return f'const {{{names.replace(" as ", ": ")}}} = $need("{target}");\n'
