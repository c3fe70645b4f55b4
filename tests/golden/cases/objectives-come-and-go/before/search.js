const search = {
  targetObjectives: [Objectives.Search],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineSearchRule() {
  return {...search, defaultModel: {name: "fancy"}};
}
