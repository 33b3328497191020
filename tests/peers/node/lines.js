// One command a line in, one event a line out.
const readline = require("node:readline");

exports.say = (line) => process.stdout.write(`${line.trimEnd()}\n`);
exports.told = (commands) =>
  readline.createInterface({ input: process.stdin }).on("line", (line) => {
    const [command, argument] = line.split(" ");
    commands[command](argument);
  });
