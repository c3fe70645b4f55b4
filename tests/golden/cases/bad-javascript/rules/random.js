const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineRandomRule() {
  return {...ranking, shift: {from: {name: "plain"}, to: {name: "fancy"}, percent: Math.random() * 100}};
}
