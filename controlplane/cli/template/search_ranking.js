const search = {
  targetObjectives: [Objectives.SearchRanking],
  modelInputType: constants.QUERY_INPUT_TYPE,
  modelType: "SCORER",
};

/**
 * What everyone gets unless another rule says otherwise.
 * @returns {DefaultRule}
 */
function defineSearchDefaultRule() {
  return {...search, defaultModel: {name: "search-ranker", version: "1"}};
}
