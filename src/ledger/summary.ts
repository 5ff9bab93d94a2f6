/** What a user reads of their own actions (R12): the known kinds in words, others by name. */
const sentences = new Map([
  ["STRATEGY_START", "You started a strategy."],
  ["STRATEGY_STOP", "You stopped a strategy."],
  ["PARAMETER_CHANGE", "You changed a setting of a strategy."],
  ["HALT", "You halted trading."],
  ["OVERRIDE", "You overrode an automatic decision."],
  ["KILL_SWITCH", "You used the kill switch."],
  ["ACCOUNT_CLOSE", "You closed your account."],
]);

export function summaryOf(actionType: string): string {
  return sentences.get(actionType) ?? `You took an action: ${actionType.toLowerCase().replaceAll("_", " ")}.`;
}
