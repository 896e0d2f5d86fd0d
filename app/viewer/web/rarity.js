// "1 in N drawn heads (or healthy scans) would show this anywhere": the dial, from the thresholds that the record holds.
// Steps are {one_in, sd}, both ascending: at most one in so many healthy scans reaches sd anywhere.

// Number of steps that a deviation reaches, 0 to steps.length; the last one is the rarest.
export function stepsReached(steps, deviation) {
  let reached = 0;
  while (reached < steps.length && steps[reached].sd <= deviation) reached += 1;
  return reached;
}

// Whom a rarity is counted among: drawn heads are nobody's own, and who is not known is not called a person.
export function healthyWords({ kind }) {
  return { synthetic: "drawn heads", "healthy scans": "healthy scans" }[kind] || "cases of the calibration";
}

// Numbers behind a p-value of a record, k / (n + 1) in six decimals: at most one in so many.
export function oneInOf(p, n) {
  const count = Math.round(p * (n + 1));
  const exact = n > 0 && count > 0 && Math.abs(count / (n + 1) - p) <= 1e-6;
  return Math.max(1, exact ? Math.floor((n + 1) / count) : Math.floor(1 / p + 1e-6));
}

// The rarity of one place as the dial has it, from the deviation that is shown there.
export function placeRarity(calibration, deviation) {
  const { thresholds: steps } = calibration, whom = healthyWords(calibration);
  if (!steps?.length || !Number.isFinite(deviation)) return null;
  const reached = stepsReached(steps, Math.abs(deviation));
  return reached > 0 ? `at most ${oneIn(steps, reached)} ${whom}` : `more than 1 in ${steps[0].one_in} ${whom}`;
}

export function oneIn(steps, reached) {
  return reached > 0 ? `1 in ${steps[reached - 1].one_in}` : "common";
}

export function rarityText(calibration, reached) {
  const { thresholds: steps, n } = calibration, whom = healthyWords(calibration);
  if (reached === 0) return `More than 1 in ${steps[0].one_in} ${whom} may show this somewhere.`;
  const rarest = reached === steps.length ? `, the rarest that ${n} can tell` : "";
  return `At most ${oneIn(steps, reached)} ${whom} would show this anywhere${rarest}.`;
}

function whoText({ kind, n, name, group }) {
  const among = group ? ` (${group})` : "";
  if (kind !== "synthetic" && kind !== "healthy scans") return `${n} cases of ${name}${among}`;
  return kind === "synthetic" ? `${n} drawn heads of the ${name}, not people` : `${n} healthy people of ${name}${among}`;
}

// Whose scans the rarity is counted in, and how far it goes; or why there is no dial.
export function dialText(calibration) {
  const { thresholds, reason } = calibration;
  if (thresholds?.length) return `Healthy: ${whoText(calibration)}. Rarer than 1 in ${thresholds.at(-1).one_in} cannot be told.`;
  if (thresholds) return `No dial of rarity: ${reason || "there are no healthy scans to count in"}.`;
  return "No dial of rarity: this result does not hold its thresholds. Screen the scan again, with --recompute.";
}
