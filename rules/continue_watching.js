const ranking = {
  targetObjectives: [Objectives.ContinueWatchingRanking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

/** @returns {DefaultRule} What everyone gets unless another rule says otherwise. */
function defineContinueWatchingDefaultRule() {
  return {...ranking, defaultModel: {name: "netflix-continue-watching-model-default"}};
}

/** @returns {ContextRule} Kids' rows, and large screens with a current app, get the genre-aware model. */
function defineKidsAndTelevisionRule() {
  return {
    ...ranking,
    when: any(
      context.surface.in("kids"),
      all(context.device.prefix("tv-"), context.attribute("app_version").semver(">=", "5.0.0")),
    ),
    model: {name: "netflix-continue-watching-model-cell-2", parameters: {max_titles: 20}},
  };
}

/** @returns {OverridesRule} Engineers of the homepage may ask for any candidate by name. */
function defineRankingOverridesRule() {
  return {
    ...ranking,
    permitOverrides: [
      {name: "netflix-continue-watching-model-cell-2"},
      {name: "netflix-continue-watching-model-cell-3"},
    ],
    clients: ["homepage-lab"],
  };
}
