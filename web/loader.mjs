// Runs an experiment in the WebAssembly module and prints its result.json.
//
//     node web/loader.mjs MODULE.wasm EXPERIMENT.json
import { readFileSync } from "node:fs";
import { basename } from "node:path";

const [, , module, file] = process.argv;
// No imports: the library needs neither a clock, nor chance, nor files.
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { memory, room, run, result, failed } = instance.exports;
const request = new TextEncoder().encode(JSON.stringify({ file: basename(file), text: readFileSync(file, "utf8") }));
const start = room(request.length);
new Uint8Array(memory.buffer).set(request, start);
const length = run();
process.stdout.write(new Uint8Array(memory.buffer, result(), length));
process.exitCode = failed() ? 1 : 0;
