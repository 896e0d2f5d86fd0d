// What Python says of a case, by the names that the viewer uses for it.

export function factsOf(data) {
  return {
    caseName: data.case,
    assessable: data.assessable,
    findings: data.findings,
    structures: data.structures,
    mirrorWorld: data.mirror_world,
    model: data.model,
    software: data.software,
    comparedWith: data.compared_with,
    calibration: data.calibration || {},
    measuredDefect: data.measured_defect_max,
    researchUseOnly: data.research_use_only,
    peak: data.threshold || {},
    largest: data.largest_mm,
    largestValues: data.largest_values,
    largestBound: data.largest_bound,
    reasons: data.reasons || [],
    whyUrl: data.why,
  };
}
