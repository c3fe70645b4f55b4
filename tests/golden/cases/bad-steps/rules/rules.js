const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};
const from = {name: "plain", version: "1"}, to = {name: "plain", version: "2"};

function defineDefaultRule() {
  return {...ranking, defaultModel: from, guards: ["errors:1.25x", "p99:1.2x"], judgedFor: 60};
}

function defineFallingRule() {
  return {...ranking, shift: {from, to, schedule: [50, 25], every: "1ms", guards: "errors:1%"}};
}

function defineShareRule() {
  return {...ranking, shift: {from, to, percent: 5, every: "30m"}};
}

function definePartRule() {
  return {...ranking, shift: {from, to, schedule: [5, "x"], when: context.country.in("NO"), unit: "device"}};
}

function defineGuardsRule() {
  const guards = ["errors:fast", "agreement:0.3", "p99:2h", "p100:1s", "errors:99x"];
  return {...ranking, shift: {from, to, schedule: [5], every: "30m", guards, alpha: 2, interval: "1d"}};
}
