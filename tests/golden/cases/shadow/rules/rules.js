const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain", version: "1", parameters: {k: 10}}};
}

function defineShadowRule() {
  return {...ranking, shadow: {
    model: {name: "plain", version: "2", parameters: {k: 5}},
    percent: 2.5,
    noiseFloor: true,
    until: ["2000pairs", "24h"],
    maxBody: "256KiB",
  }};
}
