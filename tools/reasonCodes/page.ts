import { parameterMessages } from "../../src/botConfig/parameters.ts";
import { situations } from "../../src/plainEnglish.ts";
import { type ReasonCodeFacts, type ReasonKind, reasonCodes } from "../../src/reasonCodes.ts";
import type { DocumentedError } from "./errors.ts";

const kinds: Readonly<Record<ReasonKind, string>> = {
  report: "what a report (`event_type`) or a line of the service's log is about",
  verdict: "`reason_code` of CheckWrite's answer, and of the record of it",
  warning: "the service says it of itself: in its log, its metrics, or `warning` of GetBotConfig",
  refusal: "the reason of an error (see [errors](#errors)); what was refused is not recorded",
};

/** docs/reason-codes.md. */
export function reasonCodesPage(errors: readonly DocumentedError[]): string {
  const facts: [string, ReasonCodeFacts][] = Object.entries(reasonCodes);
  const codesOf = (bot: ReasonCodeFacts["bot"]) => facts.filter(([, one]) => one.bot === bot);
  return `# Reason codes

<!-- Made by npm run docs:reason-codes from src/ and proto/. Do not edit. -->

Two vocabularies. A **reason code** says what happened to an action, a configuration change or the service itself; it
comes with a sentence that can be shown to a person as it stands. An **error reason** says why a call failed.

Codes are added and never change their meaning: take one you do not know for "something else".

| where a code is met | |
|---|---|
${rows(Object.entries(kinds))}

Severity: INFO needs nobody. WARN wants to be looked at. HARD_REJECT: the change is stopped, in shadow_only it only would
be. P1 and P2 are how urgently the alert of that name calls somebody.

Meanings and actions are the specifications' words where they print some. Three of them are built in another way: links to
fills are rows of their own, no record is updated; what is buffered will be on disk, never in memory alone; and a report
is the record itself as it is read, not a message that could get lost.

## UserActivityLedger

${codeTable(codesOf("gov.useractivityledger"))}

## ParameterChangeAuditor

${codeTable(codesOf("gov.parameterchangeauditor"))}

## What people are told otherwise

| situation | sentence |
|---|---|
${rows(Object.values(situations).map(({ situation, sentence }) => [situation, sentence]))}

| parameter | sentence |
|---|---|
${rows(
  Object.entries(parameterMessages).flatMap(([bot, messages]) =>
    Object.entries(messages).map(([name, sentence]) => [`\`${bot}\` \`${name}\``, sentence]),
  ),
)}

## Errors

Every error carries a \`google.rpc.ErrorInfo\` with one of these reasons, and its message begins with the same word.
"The same ids" are the call's \`event_id\`, \`write_id\`, \`hold_id\`, or a stream's offsets; without a write_id, a CheckWrite
sent again is another record.

| reason | code | the same call again | what it means |
|---|---|---|---|
${rows(errors.map(({ reason, code, meaning, retry }) => [reason, code, retry, meaning]))}
`;
}

function codeTable(codes: readonly [string, ReasonCodeFacts][]): string {
  return `| code | severity | met as | meaning | what the service does | what a person is told |
|---|---|---|---|---|---|
${rows(
  codes.map(([code, one]) => [
    one.emitted ? code : `${code} ¹`,
    one.alert === undefined ? one.severity : `${one.severity}; ${one.alert.severity} ${one.alert.name}`,
    one.kind,
    one.meaning,
    one.action,
    one.userMessage,
  ]),
)}${codes.some(([, one]) => !one.emitted) ? "\n\n¹ Not said by this version; a later one will." : ""}`;
}

function rows(cells: readonly (readonly string[])[]): string {
  return cells.map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
}
