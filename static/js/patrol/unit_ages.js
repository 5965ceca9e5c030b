// How old, in as few letters as a marker has room for.

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export function ageWriter(texts) {
  return (seconds) => {
    if (seconds < 100) return fill(texts.seconds, { n: Math.round(seconds) });
    if (seconds < 100 * 60) return fill(texts.minutes, { n: Math.round(seconds / 60) });
    if (seconds < 48 * 3600) return fill(texts.hours, { n: Math.round(seconds / 3600) });
    return fill(texts.days, { n: Math.round(seconds / 86400) });
  };
}
