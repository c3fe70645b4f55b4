const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineThrowsRule() {
  return {...ranking, defaultModel: models.plain};
}
