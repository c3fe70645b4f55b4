const fraud = {
  targetObjectives: [Objectives.PaymentFraudDetection],
  modelInputType: constants.TRANSACTION_INPUT_TYPE,
  modelType: "CLASSIFIER",
};

/** @returns {DefaultRule} The model in production. */
function definePaymentFraudDefaultRule() {
  return {...fraud, defaultModel: {name: "payment-fraud-model", version: "1"}};
}

/** @returns {ShiftRule} Raise `percent` step by step: users who have moved stay moved. */
function definePaymentFraudShiftRule() {
  return {
    ...fraud,
    shift: {
      from: {name: "payment-fraud-model", version: "1"},
      to: {name: "payment-fraud-model", version: "2"},
      percent: 10,
    },
  };
}
