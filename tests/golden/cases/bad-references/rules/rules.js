const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineTypoRule() {
  return {...ranking, when: context.country.in("CA"), model: {name: "plane"}};
}

function defineOpenRule() {
  return {...ranking, when: context.country.in("US"), model: {name: "fancy"}};
}

function defineLateRule() {
  return {...ranking, when: context.country.in("NO"), model: {name: "fancy", version: "3"}};
}

function defineTestRule() {
  return {...ranking, abTestId: 101, cellToModel: {1: {name: "plain"}, 2: {name: "plain"}}};
}

function defineCellsRule() {
  return {...ranking, abTestId: 100, cellToModel: {1: {name: "plain"}, 4: {name: "plain"}}};
}

function defineNobodysRule() {
  return {...ranking, targetObjectives: ["Rankin"], defaultModel: {name: "plain"}};
}
