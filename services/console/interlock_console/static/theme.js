// Runs before the first paint, so that nobody sees the other theme flash; hence a plain script and no module.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
}
