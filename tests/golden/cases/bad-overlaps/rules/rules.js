const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineOtherDefaultRule() {
  return {...ranking, defaultModel: {name: "fancy"}};
}

function defineOneRule() {
  return {...ranking, abTestId: 1, cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}}};
}

function defineTwoRule() {
  return {...ranking, abTestId: 2, cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}}};
}

function defineNorwayRule() {
  return {...ranking, when: context.country.in("NO"), model: {name: "fancy"}};
}

function defineTelevisionRule() {
  return {...ranking, when: context.device.prefix("tv"), model: {name: "plain"}};
}
