// Writes merkle_vectors.json: what npm's @openzeppelin/merkle-tree says, for tests/test_merkle.py.
// Run in an empty folder (nothing of it is needed by the project):
//   npm install @openzeppelin/merkle-tree@1.0.8
//   cp .../tests/data/make_merkle_vectors.mjs . && node make_merkle_vectors.mjs > merkle_vectors.json
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import merkle from "@openzeppelin/merkle-tree";

const { StandardMerkleTree } = merkle;
const require = createRequire(import.meta.url);
const inside = createRequire(require.resolve("@openzeppelin/merkle-tree"));
const { keccak256 } = inside("ethereum-cryptography/keccak");
const { encode } = inside("@metamask/abi-utils");
const version = JSON.parse(
  readFileSync("node_modules/@openzeppelin/merkle-tree/package.json"),
).version;

const hex = (bytes) => "0x" + Buffer.from(bytes).toString("hex");
const digest = (text) => hex(keccak256(Buffer.from(text)));
const address = (i) => "0x" + digest(`address ${i}`).slice(-40);
const amount = (i) => BigInt(digest(`amount ${i}`)).toString();

function treeOf(name, types, rows) {
  const tree = StandardMerkleTree.of(rows, types);
  const dump = tree.dump();
  return {
    name,
    types,
    rows,
    root: tree.root,
    nodes: dump.tree,
    positions: dump.values.map((value) => value.treeIndex),
    proofs: rows.map((_, i) => tree.getProof(i)),
  };
}

const count = (n, row) => Array.from({ length: n }, (_, i) => row(i));
const payouts = (n) =>
  treeOf(`${n} payouts`, ["address", "uint256"], count(n, (i) => [address(i), amount(i)]));

const everyType = ["address", "uint256", "int256", "bytes32", "bool", "string", "bytes"];
const everyRow = (i) => [
  address(i),
  amount(i),
  (i % 2 ? -1n : 1n) * (BigInt(amount(i)) >> 1n) + "",
  digest(`root ${i}`),
  i % 2 === 1,
  "é".repeat(i * 9),
  "0x" + "ab".repeat(i * 16),
];

const trees = [
  treeOf("README", ["address", "uint256"], [
    ["0x1111111111111111111111111111111111111111", "5000000000000000000"],
    ["0x2222222222222222222222222222222222222222", "2500000000000000000"],
  ]),
  ...[1, 2, 3, 5, 8, 100].map(payouts),
  treeOf("equal rows", ["uint256"], [["7"], ["7"], ["9"], ["7"]]),
  treeOf("every type", everyType, count(5, everyRow)),
];

const abi = count(5, everyRow).map((row) => ({
  types: everyType,
  values: row,
  encoded: hex(encode(everyType, row)),
}));

const keccak = [0, 1, 31, 32, 135, 136, 137, 271, 272, 273, 1000].map((length) => ({
  message: "a3".repeat(length),
  digest: hex(keccak256(Buffer.alloc(length, 0xa3))),
}));

const made =
  `npm @openzeppelin/merkle-tree ${version} (its own @metamask/abi-utils and ` +
  `ethereum-cryptography), by tests/data/make_merkle_vectors.mjs`;
console.log(JSON.stringify({ made, trees, abi, keccak }, null, 1));
