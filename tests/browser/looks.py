"""Looks at a page as people do: in dark, in light, on a telephone; and as axe-core does."""

from pathlib import Path

from playwright.async_api import Page

AXE = (Path(__file__).parent / "vendor" / "axe.js").read_text()
VIEWS = (("dark", 1280), ("light", 1280), ("dark", 375), ("light", 375))
FOUND = """
axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(({violations}) =>
  violations.map(({id, help, nodes}) =>
    `${id}: ${help}: ` + nodes.slice(0, 3).map(({html}) => html.slice(0, 160)).join(" | ")))
"""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Looks:
    """Looks at pages, and keeps pictures of them in ``folder`` if one is given."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    async def over(self, page: Page, name: str) -> None:
        """Fail where a page, in any theme or width, breaks WCAG's level AA or has to be scrolled sideways."""
        found: dict[str, list[str]] = {}
        # Not as a script element: the page's policy lets in no other's scripts.
        await page.evaluate(AXE)
        for theme, width in VIEWS:
            await page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
            await page.set_viewport_size({"width": width, "height": 900})
            if self._folder is not None:
                self._folder.mkdir(parents=True, exist_ok=True)
                await page.screenshot(path=self._folder / f"{name}-{theme}-{width}.png", full_page=True)
            wrong = await page.evaluate(FOUND)
            if wider := await page.evaluate(WIDER):
                wrong.append(f"{wider} px wider than the window")
            if wrong:
                found[f"{theme}, {width} px"] = wrong
        await page.set_viewport_size({"width": 1280, "height": 900})
        assert not found, f"{name}: {found}"
