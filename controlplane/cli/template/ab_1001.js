// A file has a context of its own: this `search` isn't the one in search_ranking.js.
const search = {
  targetObjectives: [Objectives.SearchRanking],
  modelInputType: constants.QUERY_INPUT_TYPE,
  modelType: "SCORER",
};

/**
 * Does version 2 rank better? Cell 1 keeps version 1, cell 2 gets version 2.
 * @returns {AbRule}
 */
function defineAB1001Rule() {
  return {
    ...search,
    abTestId: 1001,
    cellToModel: {
      1: {name: "search-ranker", version: "1"},
      2: {name: "search-ranker", version: "2"},
    },
  };
}
