"""The two forms of a report: Markdown for a pull request, and a self-contained HTML page."""

import html
from collections.abc import Callable, Sequence
from importlib.resources import files

from interlock_cli.report.sections import Section, without_plots

COMMENT = 65_536
"""Characters that a comment on GitHub may have."""

CUT = "\n\n*Truncated to the size limit of a comment; the HTML report is complete.*\n"


def markdown(sections: Sequence[Section], *, limit: int = COMMENT) -> str:
    """Return the report as Markdown of at most ``limit`` characters; plots are lines of blocks in it."""
    first, *others = map(without_plots, sections)
    parts = [f"## {first.title}\n\n{first.text}"]
    for each in others:
        if each.folded:
            parts.append(f"<details><summary>{html.escape(each.title)}</summary>\n\n{each.text}\n\n</details>")
        else:
            parts.append(f"### {each.title}\n\n{each.text}")
    whole = parts[0]
    for part in parts[1:]:
        if len(whole) + len(part) + len(CUT) > limit:
            return whole + CUT
        whole += f"\n\n{part}"
    return f"{whole}\n"


def page(sections: Sequence[Section], draw: Callable[[str], str]) -> str:
    """Return the report as one page of HTML; ``draw`` returns a plot's SVG by its name."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - only this form needs it, and every command would wait for it

    render = MarkdownIt("commonmark", {"html": False}).enable("table").render
    first, *others = sections
    body = [f"<h1>{html.escape(first.title)}</h1>{render(first.text)}"]
    for each in others:
        inside = render(each.text if each.plots else without_plots(each).text)
        if each.plots:
            inside += f'<div class="plots">{"".join(f"<figure>{draw(name)}</figure>" for name in each.plots)}</div>'
        title = html.escape(each.title)
        if each.folded:
            body.append(f"<details><summary>{title}</summary>{inside}</details>")
        else:
            body.append(f"<section><h2>{title}</h2>{inside}</section>")
    style = files("interlock_cli.report").joinpath("page.css").read_text()
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(first.title)}</title><style>{style}</style></head>"
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )
