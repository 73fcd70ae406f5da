// Runs a MicroPython script in the npm WebAssembly build: node run.mjs script.py FOLDER...
// The folders' contents are copied to one directory, which is the import path and the current directory.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// NODE_PATH names the node_modules folder, for imports too (node itself looks there for `require` only).
const modules = path.resolve(process.env.NODE_PATH || "node_modules");
const entry = createRequire(path.join(modules, "_")).resolve("@micropython/micropython-webassembly-pyscript");
const { loadMicroPython } = await import(pathToFileURL(entry));
const [script, ...folders] = process.argv.slice(2);
const mp = await loadMicroPython({ stdout: (data) => process.stdout.write(data), linebuffer: false });

function copy(from, to) {
  for (const item of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, item.name), target = `${to}/${item.name}`;
    if (item.name === "__pycache__") continue;
    if (item.isDirectory()) {
      mp.FS.mkdir(target);
      copy(source, target);
    } else mp.FS.writeFile(target, fs.readFileSync(source));
  }
}

mp.FS.mkdir("/app");
for (const folder of folders) copy(folder, "/app");
mp.runPython("import sys, os; sys.path.insert(0, '/app'); os.chdir('/app')");
try {
  mp.runPython(fs.readFileSync(script, "utf8"));
} catch (error) {
  process.stderr.write(String(error.message || error) + "\n");
  process.exitCode = 1;
}
