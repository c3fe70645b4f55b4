const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineTelevisionRule() {
  return {...ranking, priority: 2, model: {name: "fancy", parameters: {max_titles: 20, wide: true}}, when: all(
    context.device.prefix("tv-"),
    context.attribute("app_version").semver(">=", "5.0.0"),
    not(context.surface.in("kids")),
  )};
}

function defineNorthRule() {
  return {...ranking, priority: 1, model: {name: "fancy", parameters: {weight: 0.5, title: "nord"}}, when: any(
    context.country.in("NO", "SE"),
    all(context.locale.prefix("nb"), context.attribute("age").ge(18)),
  )};
}

function defineBetaRule() {
  return {...ranking, model: {name: "fancy"}, when: context.attribute("beta").exists()};
}
