function defineSyntaxRule() {
  return {
}
