// Runs an experiment in the WebAssembly module and prints its result.json.
//
//     node tests/wasm/loader.mjs MODULE.wasm EXPERIMENT.json
import { readFileSync } from "node:fs";

const [, , module, file] = process.argv;
// No imports: the library needs neither a clock, nor chance, nor files.
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { memory, room, run, result } = instance.exports;
const name = new TextEncoder().encode(file);
const text = readFileSync(file);
const start = room(name.length + text.length);
const bytes = new Uint8Array(memory.buffer);
bytes.set(name, start);
bytes.set(text, start + name.length);
const length = run(name.length);
process.stdout.write(new Uint8Array(memory.buffer, result(), length));
