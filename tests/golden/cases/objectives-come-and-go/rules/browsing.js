const browsing = {
  targetObjectives: [Objectives.Browsing],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineBrowsingRule() {
  return {...browsing, defaultModel: {name: "plain"}};
}
