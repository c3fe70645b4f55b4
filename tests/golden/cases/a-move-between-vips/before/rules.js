const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineKidsRule() {
  return {...ranking, when: context.surface.in("kids"), model: {name: "fancy"}};
}
