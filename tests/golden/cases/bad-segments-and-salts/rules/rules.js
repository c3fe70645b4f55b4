const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};
const one = {name: "plain", version: "1"}, two = {name: "plain", version: "2"};

function defineDefaultRule() {
  return {...ranking, defaultModel: one};
}

function defineStaffRule() {
  return {...ranking, when: segment("stafff"), model: two};
}

function defineShiftRule() {
  return {...ranking, shift: {from: one, to: two, percent: 50, salt: "ab:3"}};
}

function defineOtherShiftRule() {
  return {...ranking, shift: {from: one, to: two, percent: 5, when: segment("staff")}};
}
