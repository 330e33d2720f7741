// Breaks the contracts on purpose, one place at a time, and says which test notices. A
// mutation that no invariant (or, where named, no unit test) notices for the reason that is
// expected fails the run.
// usage: node tools/mutate.mjs [NAME...]
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const mutations = [
  {
    name: 'claimed-not-written', expect: 'paid|books',
    file: 'Rewards.sol', from: 'claimed[leaf.identity] = leaf.cumulative;', to: '',
  },
  {
    name: 'total-not-written', expect: 'pool|books',
    file: 'Rewards.sol', from: '_totals.claimed = totals.claimed + uint120(amount);', to: '',
  },
  {
    name: 'no-funding-check', expect: 'claimed|pool|refused|reverted|panic|revert',
    file: 'Rewards.sol', from: 'if (amount > left) revert RewardsUnfunded(amount - left);', to: '',
    tests: 'Rewards',
  },
  {
    name: 'older-root-pays-again', expect: 'paid|so far|books',
    file: 'Rewards.sol', from: 'leaf.cumulative - before;', to: 'leaf.cumulative;',
  },
  {
    name: 'any-root-counts', expect: 'does not count',
    file: 'Rewards.sol', from: 'if (!ledger.isActive(round, Leaves.rootOf(leaf, proof))) {', to: 'if (false) {',
  },
  {
    name: 'round-recorded-twice', expect: 'second root|root changed',
    file: 'RoundLedger.sol', from: 'if (record.round != head.next)', to: 'if (record.round > head.next)',
  },
  {
    name: 'no-delay', expect: 'too early',
    file: 'RoundLedger.sol', from: 'if (block.timestamp < key.activeAt) return false;', to: '',
  },
  {
    name: 'active-can-be-disabled', expect: 'was disabled|was disputed|stopped counting',
    file: 'RoundLedger.sol', from: 'if (_isDue(key)) revert RoundLedgerAlreadyActive(key.round);', to: '',
  },
  {
    name: 'disabled-counts', expect: 'disabled root counts',
    file: 'RoundLedger.sol', from: '_states[round] |= _DISABLED;', to: '',
  },
  {
    name: 'quiet-period-cut-short', expect: 'stopped counting|quiet',
    file: 'RoundLedger.sol',
    from: 'running && watch.quietFrom < round ? watch.quietFrom : round', to: 'round',
    tests: 'Dispute',
  },
  {
    name: 'first-bond-kept', expect: 'bond',
    file: 'RoundLedger.sol', from: 'if (open != 0) token.safeTransfer(before, disputeBond);', to: '',
  },
  {
    name: 'slash-not-held', expect: 'P-32|conserved|slashed|sum',
    file: 'Staking.sol', from: 'self.held += amount;', to: '',
  },
  {
    name: 'unbonding-escapes-slash', expect: 'conserved|sum|staked|P-32',
    file: 'Staking.sol', from: 'self.unbonding -= amount - fromStake;', to: '',
  },
  {
    name: 'withdrawal-not-counted', expect: 'conserved|withdrawn',
    file: 'Staking.sol', from: '_totals.withdrawn += amount;', to: '',
  },
  {
    name: 'withdrawn-early', expect: 'too early',
    file: 'Staking.sol',
    from: 'if (block.timestamp < self.releaseAt) revert ReputationRegistryTooEarly(self.releaseAt);',
    to: '',
  },
  {
    name: 'held-settled-twice', expect: 'slashed|pool|there',
    file: 'Staking.sol', from: 'self.held = 0;\n        emit SlashSettled', to: 'emit SlashSettled',
  },
  {
    name: 'retired-comes-back', expect: 'came back',
    file: 'ReputationRegistry.sol',
    from: 'if (identityOf[wallet] != 0) revert ReputationRegistryWalletUsed(identityOf[wallet]);',
    to: '',
  },
  {
    name: 'ban-of-a-retired-one', expect: 'retired identity came back',
    file: 'ReputationRegistry.sol',
    from: 'if (self.status != Status.Active) revert ReputationRegistryWrongStatus(self.status);', to: '',
  },
];

// Which tests have to notice, and the files that they need.
const SUITES = {
  'Rewards.sol': 'RoundsInvariant',
  'RoundLedger.sol': 'RoundsInvariant',
  'Staking.sol': 'StakingInvariant',
  'ReputationRegistry.sol': 'StakingInvariant',
};
const SUPPORT = {
  RoundsInvariant: ['RoundsHandler', 'RoundsInvariant.t'],
  StakingInvariant: ['StakingHandler', 'StakingInvariant.t'],
  Rewards: ['Rewards.t'],
  Dispute: ['Dispute.t'],
};

function outcome(mutation) {
  const copy = mkdtempSync(path.join(os.tmpdir(), 'mutant-'));
  try {
    const suite = mutation.tests ?? SUITES[mutation.file];
    const tests = ['Base.sol', ...SUPPORT[suite].map((name) => `${name}.sol`)];
    const files = ['src', 'tools', 'foundry.toml', 'package.json', ...tests.map((name) => `test/${name}`)];
    for (const each of files) {
      cpSync(path.join(root, each), path.join(copy, each), { recursive: true });
    }
    symlinkSync(path.join(root, 'node_modules'), path.join(copy, 'node_modules'));
    const file = path.join(copy, 'src', mutation.file);
    const text = readFileSync(file, 'utf8');
    if (text.split(mutation.from).length !== 2) return 'the source has no such place';
    writeFileSync(file, text.replace(mutation.from, mutation.to));
    const forge = path.join(root, 'tools', 'forge');
    // Without the optimizer it compiles in a third of the time.
    const env = { ...process.env, FOUNDRY_OPTIMIZER: 'false' };
    execFileSync(forge, ['test'], { cwd: copy, env, stdio: 'pipe', maxBuffer: 1 << 28 });
    return 'nobody noticed';
  } catch (failed) {
    const said = `${failed.stdout ?? ''}${failed.stderr ?? failed}`;
    const lines = said.split('\n').filter((line) => line.includes('[FAIL'));
    const noticed = lines.find((line) => new RegExp(mutation.expect, 'i').test(line));
    if (noticed) return null;
    return lines.length ? `for another reason: ${lines[0]}` : said.slice(-2000);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const chosen = mutations.filter(
  (each) => process.argv.length < 3 || process.argv.includes(each.name, 2),
);
let missed = 0;
for (const mutation of chosen) {
  const problem = outcome(mutation);
  if (problem) missed += 1;
  process.stdout.write(`${problem ? 'MISSED' : 'caught'} ${mutation.name}${problem ? `: ${problem}` : ''}\n`);
}
process.stdout.write(`${chosen.length - missed} of ${chosen.length} mutations caught\n`);
process.exit(missed ? 1 : 0);
