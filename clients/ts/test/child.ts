// What a killed process does: child.js <role> <folder> <address> <name>
import { connectTo, openGate, openRecorder } from "polytraders-governance-client";
import { actionOf, botToken, change, reportOf } from "./support.js";

const [role, folder = "", to = "", name = ""] = process.argv.slice(2);
const connection = connectTo(to, { token: botToken });
const say = (text: string) => console.log(text);

if (role === "recorder") {
  const recorder = await openRecorder(connection, folder);
  for (let number = 1; ; number++) {
    await recorder.recordActions([actionOf(name, number)]);
    await recorder.recordReports([reportOf(name, number)]);
    say(String(number));
  }
}
const gate = await openGate(connection, folder);
const write = { ...change(), botSlug: name };
if (role === "gate") {
  await gate.checkWrite(write);
  say("allowed");
} else {
  await gate.change(write, async () => {
    say("allowed");
    await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  });
}
