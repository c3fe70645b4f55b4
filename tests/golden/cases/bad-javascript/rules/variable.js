const defineVariableRule = () => ({});
