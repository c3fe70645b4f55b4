const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "m1"}};
}

function defineAllRule() {
  return {...ranking, permitOverrides: [2, 3, 4, 5, 6, 7].map((number) => ({name: `m${number}`}))};
}
