// The table of keys and mouse actions, the same that the help page shows: keys.json.

const PLAIN = { ArrowLeft: "\u2190", ArrowRight: "\u2192", ArrowUp: "\u2191", ArrowDown: "\u2193", PageUp: "Page Up", PageDown: "Page Down" };

// Without the table the viewer works all the same; the help says that it is missing.
async function readTable() {
  try {
    const answer = await fetch(new URL("keys.json", import.meta.url), { credentials: "same-origin" });
    return answer.ok ? await answer.json() : [];
  } catch {
    return [];
  }
}

const KEYS = await readTable();

// Rows [keys, what], those that do the same in one row; keys of the places `without` are left out.
export function keyRows({ without = [] } = {}) {
  const rows = new Map();
  for (const { key, what } of KEYS.filter(({ where }) => !without.includes(where))) rows.set(what, [...(rows.get(what) || []), PLAIN[key] || key]);
  if (!rows.size) return [["\u2013", "The list of keys could not be loaded; reload the page."]];
  return [...rows].map(([what, keys]) => [keys.join(", "), what]);
}
