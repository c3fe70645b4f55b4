const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {
    ...ranking,
    defaultModel: {name: "plain", version: "1"},
    guards: ["errors:1%"],
    judgedFor: "2h",
  };
}

function defineShiftRule() {
  return {...ranking, shift: {
    from: {name: "plain", version: "1"},
    to: {name: "plain", version: "2"},
    schedule: [2.5, 25, 100],
    every: "30m",
    guards: ["errors:1.25x", "p99:250ms"],
    alpha: 0.05,
    interval: "30s",
    minSample: 500,
  }};
}
