// Compiles src/ with the pinned solc and writes artifacts/<Name>.json, the same bytes each time.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const deployed = ['ParityToken', 'ReputationRegistry', 'RoundLedger', 'Rewards', 'NaiveLedger'];
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: 'cancun',
  viaIR: false,
  metadata: { bytecodeHash: 'none', appendCBOR: false },
};

const read = (name) => readFileSync(path.join(root, name), 'utf8');
const names = readdirSync(path.join(root, 'src'), { recursive: true })
  .filter((name) => name.endsWith('.sol'))
  .map((name) => `src/${name.split(path.sep).join('/')}`)
  .sort();
const sources = Object.fromEntries(names.map((name) => [name, { content: read(name) }]));

// One hash over every file that went in, the libraries' too, so that no source is left out.
const used = new Map(names.map((name) => [name, sources[name].content]));
const imports = (name) => {
  try {
    const contents = read(`node_modules/${name}`);
    used.set(name, contents);
    return { contents };
  } catch {
    return { error: `no such file: ${name}` };
  }
};

const kinds = ['abi', 'devdoc', 'evm.bytecode.object', 'evm.deployedBytecode.object'];
const input = {
  language: 'Solidity',
  sources,
  settings: { ...settings, outputSelection: { '*': { '*': kinds } } },
};
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: imports }));
const problems = output.errors ?? [];
for (const each of problems) process.stderr.write(`${each.formattedMessage}\n`);
if (problems.length) process.exit(1);

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const sourceSha256 = sha256(
  [...used.keys()].sort().map((name) => `${sha256(used.get(name))}  ${name}\n`).join(''),
);
const callers = (methods) =>
  Object.fromEntries(
    Object.entries(methods)
      .filter(([, doc]) => 'custom:caller' in doc)
      .map(([signature, doc]) => [signature, doc['custom:caller']])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

rmSync(path.join(root, 'artifacts'), { recursive: true, force: true });
mkdirSync(path.join(root, 'artifacts'));
const sums = [];
for (const name of deployed) {
  const file = names.find((each) => path.basename(each, '.sol') === name);
  const built = output.contracts[file][name];
  const artifact = {
    contractName: name,
    source: file,
    sourceSha256,
    compiler: { name: 'solc', version: solc.version().replace('.Emscripten.clang', '') },
    settings,
    abi: built.abi,
    callers: callers(built.devdoc.methods),
    bytecode: `0x${built.evm.bytecode.object}`,
    deployedBytecode: `0x${built.evm.deployedBytecode.object}`,
  };
  const text = `${JSON.stringify(artifact, null, 1)}\n`;
  writeFileSync(path.join(root, 'artifacts', `${name}.json`), text);
  sums.push(`${sha256(text)}  ${name}.json\n`);
  const size = (artifact.deployedBytecode.length - 2) / 2;
  process.stdout.write(`${name}: ${size} bytes of code, sha256 ${sha256(text).slice(0, 16)}\n`);
}
writeFileSync(path.join(root, 'artifacts', 'SHA256SUMS'), sums.join(''));
