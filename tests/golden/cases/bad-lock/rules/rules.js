const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineTest100Rule() {
  return {...ranking, abTestId: 100, cellToModel: {
    1: {name: "plain"},
    2: {name: "fancy", version: "1"},
    3: {name: "fancy", version: "2", parameters: {depth: 3}},
  }};
}

function defineTest200Rule() {
  return {...ranking, abTestId: 201, cellToModel: {1: {name: "plain"}, 2: {name: "fancy", version: "2"}}};
}

function defineTest300Rule() {
  return {...ranking, abTestId: 300, cellToModel: {1: {name: "plain"}, 2: {name: "fancy", version: "1"}}, priority: -1};
}
