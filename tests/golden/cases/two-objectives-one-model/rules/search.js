const search = {
  targetObjectives: [Objectives.Search],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineSearchRule() {
  return {...search, defaultModel: {name: "plain", parameters: {limit: 10}}};
}

function defineSearchShiftRule() {
  return {...search, shift: {from: {name: "plain", parameters: {limit: 10}}, to: {name: "fancy"}, percent: 1}};
}
