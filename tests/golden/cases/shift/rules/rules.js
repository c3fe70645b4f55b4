const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain", version: "1"}};
}

function defineShiftRule() {
  return {...ranking, shift: {
    from: {name: "plain", version: "1"},
    to: {name: "plain", version: "2"},
    percent: 12.5,
  }};
}
