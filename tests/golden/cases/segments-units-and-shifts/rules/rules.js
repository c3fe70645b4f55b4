const ranking = {
  targetObjectives: [Objectives.Ranking],
  modelInputType: constants.TITLE_INPUT_TYPE,
  modelType: "SCORER",
};
const one = {name: "plain", version: "1"}, two = {name: "plain", version: "2"};

function defineDefaultRule() {
  return {...ranking, defaultModel: one};
}

function defineTest100Rule() {
  return {...ranking, abTestId: 100, cellToModel: {1: one, 2: two}};
}

function defineStaffRule() {
  return {...ranking, when: all(segment("staff-abroad"), not(context.user.in("user-9", "user-8"))), model: two};
}

function defineShiftAtHomeRule() {
  return {...ranking, shift: {from: one, to: two, percent: 50, when: segment("at-home")}};
}

function defineShiftOfAccountsRule() {
  return {...ranking, shift: {from: one, to: two, percent: 5, when: not(segment("at-home")), unit: "account", salt: "a"}};
}
