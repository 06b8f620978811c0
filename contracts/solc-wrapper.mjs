// A solc for programs that expect the native one: answers --version, and --standard-json from stdin to stdout.
// npm's own command line is not used: it reads standard input in one synchronous call, which fails on a pipe past
// 64 KB, and it prints lines beginning ">>>" before the JSON.
import { createRequire } from "node:module";

// Whatever the compiler prints must not get into the JSON.
console.log = console.info = console.warn = console.error;

const solc = createRequire(import.meta.url)("solc");
const args = process.argv.slice(2);

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

if (args.includes("--version")) {
  // The form of the native compiler, which py-solc-x, forge and slither parse.
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (args.includes("--standard-json")) {
  // Paths (--base-path, --allow-paths) are ignored: every caller here sends the sources' text along.
  const output = solc.compile(await readAll(process.stdin));
  // No process.exit(): it would cut off what a slow pipe has not taken yet.
  process.stdout.write(
    output
      .split("\n")
      .filter((line) => !line.startsWith(">>>"))
      .join("\n"),
  );
} else {
  process.stderr.write("solc-wrapper: only --version and --standard-json\n");
  process.exitCode = 2;
}
