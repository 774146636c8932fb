// Runs before the first paint, so that the other theme does not flash; hence a plain script and no module.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
}
