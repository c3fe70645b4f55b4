const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};

function defineDefaultRule() {
  return {...ranking, defaultModel: {name: "plain"}};
}

function defineTestRule() {
  return {...ranking, abTestId: 1, cellToModel: {1: {name: "plain"}, 2: {name: "fancy"}}};
}

function defineOfficeRule() {
  return {...ranking, model: {name: "fancy"}, when: any(
    context.attribute("address").inNetwork("10.0.0.0/8", "2001:db8::/32"),
    context.device.matches("^tv-(roku|fire)", "(?i)stick$"),
    context.device.ignoringCase.contains("beta"),
    context.attribute("joined").after("2026-01-31"),
    context.attribute("tags").hasAll("new", "kids"),
    context.attribute("app_version").semver("^", "5.1.0"),
    context.attribute("app_version").semver("==", "4.0.0", {strict: true}),
  )};
}
