const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineNotANumberRule() {
  return {...ranking, defaultModel: {name: "plain", parameters: {x: 0 / 0}}};
}

function defineLaterRule() {
  return {...ranking, then: () => 1};
}

function defineMisspeltRule() {
  return {...ranking, defaultModle: {name: "plain"}};
}
