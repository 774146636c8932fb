// Numbers for people.
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export const count = (number) => whole.format(number);

/** At most four digits that matter; what is null could not be computed. */
export const brief = (number) => (number === null || number === undefined ? "–" : Math.abs(number) >= 10_000 ? whole.format(Math.round(number)) : short.format(number));

export const share = (fraction) => percent.format(fraction);

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = number ? Math.min(units.length - 1, Math.floor(Math.log2(number) / 10)) : 0;
  return `${short.format(number / 1024 ** step)} ${units[step]}`;
}
