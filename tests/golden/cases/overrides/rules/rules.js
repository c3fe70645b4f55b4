const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineLabRule() {
  return {...ranking, permitOverrides: [{name: "fancy", parameters: {trace: true}}], clients: ["lab", "homepage-lab"]};
}

function defineAnyoneRule() {
  return {...ranking, permitOverrides: [{name: "plain"}]};
}
