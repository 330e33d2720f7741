// Builds trees with OpenZeppelin's own library, for comparison: reads a list of
// {types, values} as JSON and writes a list of {root, proofs}.
import { readFileSync } from 'node:fs';
import { StandardMerkleTree } from '@openzeppelin/merkle-tree';

const built = JSON.parse(readFileSync(0, 'utf8')).map(({ types, values }) => {
  const tree = StandardMerkleTree.of(values, types);
  return { root: tree.root, proofs: values.map((_, index) => tree.getProof(index)) };
});
process.stdout.write(JSON.stringify(built));
